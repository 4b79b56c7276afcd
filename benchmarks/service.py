"""What the service answers and how fast, through HTTP, on a whole stack of its own.

    python -m benchmarks.service

Submitting on idle cores and beside a running training; 1000 jobs from 20 clients at once; 16 samples from a loaded
generator beside the bare generator in this process with as many threads as the sampler has.
"""

from __future__ import annotations

import os
import statistics
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx
import torch

from client import Lethe
from jobs.settings import load_settings
from local.stack import running
from sfd_core.families.class_unet.generator import OneStepGenerator

BODY: dict[str, Any] = {
    "base_model": "fashion",
    "forget": [{"concept": "Sneaker", "override": "Bag"}],
    "budget": {"images": 128},
    "evaluation": {"images_per_concept": 20, "images_per_forgotten_concept": 20},
    "thresholds": {"unlearning_accuracy": 0.001, "retained_accuracy_drop": 0.999},
}
POSTS, CLIENTS, FLOOD, SAMPLES = 200, 20, 1000, 40


def post(client: httpx.Client, body: dict[str, Any] = BODY) -> tuple[str, float]:
    """The new job's id and the milliseconds until its 202."""
    began = time.perf_counter()
    answer = client.post("/v1/jobs", json=body)
    took = (time.perf_counter() - began) * 1000
    if answer.status_code != 202:
        raise SystemExit(f"{answer.status_code}: {answer.text}")
    return answer.json()["id"], took


def quantiles(values: list[float]) -> str:
    ordered = sorted(values)
    return f"median {statistics.median(ordered):.1f} ms, p95 {ordered[int(len(ordered) * 0.95)]:.1f} ms"


def posts(client: httpx.Client, n: int) -> list[float]:
    """Times of ``n`` submits; each job is cancelled, so that none of them runs."""
    times = []
    for _ in range(n):
        job, took = post(client)
        client.post(f"/v1/jobs/{job}/cancel")
        times.append(took)
    return times


def flood(url: str) -> None:
    """1000 jobs from 20 clients at once: as many distinct jobs, and every one of them is there afterwards."""

    def some(_: int) -> list[str]:
        with httpx.Client(base_url=url, timeout=60) as client:
            return [post(client)[0] for _ in range(FLOOD // CLIENTS)]

    began = time.perf_counter()
    with ThreadPoolExecutor(CLIENTS) as pool:
        ids = [job for batch in pool.map(some, range(CLIENTS)) for job in batch]
    seconds = time.perf_counter() - began
    with Lethe(url) as lethe:
        listed = {job.id for job in lethe.jobs()}
    lost = set(ids) - listed
    print(f"{FLOOD} jobs, {CLIENTS} clients: {len(set(ids))} distinct, {len(lost)} lost, {FLOOD / seconds:.0f} jobs/s")
    with httpx.Client(base_url=url, timeout=60) as client:
        for job in ids:
            client.post(f"/v1/jobs/{job}/cancel")


def samples(client: httpx.Client, generator: str, folder: Path) -> None:
    """The endpoint beside the bare generator, in turns."""
    torch.set_num_threads(1 if (os.cpu_count() or 1) <= 2 else max(1, (os.cpu_count() or 1) // 4))
    bare = OneStepGenerator.load(folder)
    asked = {"concept": "Dress", "n": 16, "seed": 7, "format": "json"}
    through, alone = [], []
    for i in range(SAMPLES + 1):
        began = time.perf_counter()
        bare.sample("Dress", 16, 7)
        middle = time.perf_counter()
        client.post(f"/v1/generators/{generator}/samples", json=asked).raise_for_status()
        end = time.perf_counter()
        if i:  # the first request loads the generator
            alone.append((middle - began) * 1000)
            through.append((end - middle) * 1000)
    limit = 1.5 * statistics.median(alone) + 30
    print(f"16 samples through the endpoint: {quantiles(through)}; bare: {quantiles(alone)}")
    print(f"  wanted: under 150 ms, and under 1.5 x bare + 30 ms = {limit:.1f} ms")


def main() -> None:
    with tempfile.TemporaryDirectory(prefix="lethe-bench-", dir="/tmp") as root:
        Path(root).chmod(0o711)
        settings = load_settings({"data_dir": Path(root) / "data", "port": 0})
        with (
            running(settings) as stack,
            httpx.Client(base_url=stack.url, timeout=60) as client,
            Lethe(stack.url) as lethe,
        ):
            job, _ = post(client)
            done = lethe.wait(job)
            if done.generator is None:
                raise SystemExit(f"the first job ended as {done.status}")
            folder = lethe.download(done.generator, Path(root) / "generator")
            print(f"POST /v1/jobs, idle: {quantiles(posts(client, POSTS))} (wanted: median under 20 ms)")
            samples(client, done.generator, folder)
            training, _ = post(client, BODY | {"budget": {"images": 1_000_000}})
            while (lethe.job(training).progress.images or 0) == 0:
                time.sleep(0.2)
            print(f"POST /v1/jobs, beside a training: {quantiles(posts(client, POSTS))} (wanted: median under 60 ms)")
            flood(stack.url)
            client.post(f"/v1/jobs/{training}/cancel")


if __name__ == "__main__":
    main()
