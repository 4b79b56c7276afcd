"""What the service answers and how fast, through HTTP, on a whole stack of its own.

    python -m benchmarks.service

Submitting on idle cores and beside a running training; 1000 jobs from 20 clients at once; 16 samples from a loaded
generator beside the bare generator in this process with as many threads as the sampler has. What is sampled is the
generator of a short job, which no verdict would let out: it is released with a reason, as an administrator would, so
that the figures of HTTP do not hang on what a verdict asks for.
"""

from __future__ import annotations

import argparse
import os
import statistics
import tempfile
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx
import torch

from benchmarks.shared.command import OUT, Command, Option
from benchmarks.shared.experiment import ENDLESS
from benchmarks.shared.page import page, table, write
from client import Lethe
from jobs.settings import load_settings
from local.stack import Stack, running
from sfd_core.families.class_unet.generator import OneStepGenerator

BODY: dict[str, Any] = {
    "base_model": "fashion",
    "forget": [{"concept": "Sneaker", "override": "Bag"}],
    "budget": {"images": 128, "until": "budget"},
    "evaluation": {"images_per_concept": 20, "images_per_forgotten_concept": 20},
}
REASON = "python -m benchmarks.service times its samples; what they show is nothing to it"
ASKED: dict[str, Any] = {"concept": "Dress", "n": 16, "seed": 7}
HEADS = ("what", "measured", "wanted")
COMMAND = Command(
    "service",
    __doc__,
    Option("--posts", 200, "jobs submitted one after the other, each time", quick=10),
    Option("--flood", 1000, "jobs submitted by all clients at once", quick=20),
    Option("--clients", 20, "that submit at once", quick=4),
    Option("--samples", 40, "requests for 16 images", quick=3),
    OUT,
)


def run(arguments: argparse.Namespace) -> str:
    """Start the service, measure, stop it. Exits with 1 if a job was lost."""
    with tempfile.TemporaryDirectory(prefix="lethe-bench-", dir="/tmp") as root:
        Path(root).chmod(0o711)  # as root, Postgres runs as another user, who must be let through
        settings = load_settings({"data_dir": Path(root) / "data", "port": 0})
        with running(settings) as stack:
            rows, lost = measured(stack, Path(root), arguments)
    text = page("The service", f"{os.cpu_count()} cores, idle but for what is measured.", table(HEADS, rows))
    write(arguments.out, "service.md", text)
    if lost:
        raise SystemExit(1)
    return f"{rows[0][0]}: {rows[0][1]}"


def measured(stack: Stack, root: Path, arguments: argparse.Namespace) -> tuple[list[Sequence[str]], int]:
    """Measure the rows of the table, and how many jobs were lost."""
    with httpx.Client(base_url=stack.url, timeout=60) as client, Lethe(stack.url) as lethe:
        generator = released(client, lethe)
        folder = lethe.download(generator, root / "generator")
        rows: list[Sequence[str]] = [
            ("`POST /v1/jobs`, idle", quantiles(posts(client, arguments.posts)), "median under 20 ms"),
            *samples(client, generator, folder, arguments.samples),
        ]
        training, _ = post(client, BODY | {"budget": {"images": ENDLESS, "until": "budget"}})
        while not ((progress := lethe.job(training).progress) and progress.images):
            time.sleep(0.2)
        beside = quantiles(posts(client, arguments.posts))
        rows.append(("`POST /v1/jobs`, beside a running training", beside, "median under 60 ms"))
        jobs, lost, seconds = flood(client, lethe, arguments.flood, arguments.clients)
        client.post(f"/v1/jobs/{training}/cancel")
    n = arguments.flood
    found = f"{jobs} distinct, {lost} lost, {n / seconds:.0f} jobs/s"
    rows.append((f"{n} jobs submitted by {arguments.clients} clients at once", found, f"{n} distinct, 0 lost"))
    return rows, lost + n - jobs


def released(client: httpx.Client, lethe: Lethe) -> str:
    """Return the generator of a short job. What it makes is nothing to how long it takes, so that it is released where
    its verdict withholds it."""
    job, _ = post(client)
    done = lethe.wait(job)
    if done.generator is None:
        raise SystemExit(f"the first job ended as {done.status}")
    if lethe.generator(done.generator).status == "withheld":
        lethe.release(done.generator, REASON)
    return done.generator


def post(client: httpx.Client, body: dict[str, Any] = BODY) -> tuple[str, float]:
    """Return the new job's id and the milliseconds until its 202."""
    began = time.perf_counter()
    answer = client.post("/v1/jobs", json=body)
    took = (time.perf_counter() - began) * 1000
    if answer.status_code != 202:
        raise SystemExit(f"{answer.status_code}: {answer.text}")
    return answer.json()["id"], took


def quantiles(values: list[float]) -> str:
    """Write the median and the 95th percentile in words."""
    ordered = sorted(values)
    return f"median {statistics.median(ordered):.1f} ms, p95 {ordered[int(len(ordered) * 0.95)]:.1f} ms"


def posts(client: httpx.Client, n: int) -> list[float]:
    """Time ``n`` submits; each job is cancelled, so that none of them runs."""
    times = []
    for _ in range(n):
        job, took = post(client)
        client.post(f"/v1/jobs/{job}/cancel")
        times.append(took)
    return times


def flood(client: httpx.Client, lethe: Lethe, jobs: int, clients: int) -> tuple[int, int, float]:
    """Submit ``jobs`` from ``clients`` at once: how many distinct jobs came of it, how many are not there afterwards,
    and the seconds until the last was accepted."""

    def some(_: int) -> list[str]:
        with httpx.Client(base_url=client.base_url, timeout=60) as own:
            return [post(own)[0] for _ in range(jobs // clients)]

    began = time.perf_counter()
    with ThreadPoolExecutor(clients) as pool:
        ids = [job for batch in pool.map(some, range(clients)) for job in batch]
    seconds = time.perf_counter() - began
    listed = {job.id for job in lethe.jobs()}
    for job in ids:
        client.post(f"/v1/jobs/{job}/cancel")
    return len(set(ids)), len(set(ids) - listed), seconds


def samples(client: httpx.Client, generator: str, folder: Path, n: int) -> list[Sequence[str]]:
    """Time the endpoint beside the bare generator, in turns."""
    torch.set_num_threads(1 if (os.cpu_count() or 1) <= 2 else max(1, (os.cpu_count() or 1) // 4))
    bare = OneStepGenerator.load(folder)
    through, alone = [], []
    for i in range(n + 1):
        began = time.perf_counter()
        bare.sample(ASKED["concept"], ASKED["n"], ASKED["seed"])
        middle = time.perf_counter()
        client.post(f"/v1/generators/{generator}/samples", json=ASKED | {"format": "json"}).raise_for_status()
        end = time.perf_counter()
        if i:  # the first request loads the generator
            alone.append((middle - began) * 1000)
            through.append((end - middle) * 1000)
    limit = 1.5 * statistics.median(alone) + 30
    wanted = f"under 150 ms and under 1.5 x bare + 30 ms = {limit:.1f} ms"
    return [
        ("16 samples through the endpoint, generator loaded", quantiles(through), wanted),
        ("the bare generator, as many threads, in turns", quantiles(alone), ""),
    ]


if __name__ == "__main__":
    COMMAND.main(run)
