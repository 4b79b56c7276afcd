"""What the service answers under load and how fast, beside a bare FastAPI service in the same run.

    python -m benchmarks.load
    python -m benchmarks.load --minutes 30

The load is made by wrk (Debian's package `wrk`), the readers of event streams by a process of their own. Every row is
taken in rounds, each time first of the service and at once of the bare one, which gives the same answers byte for byte
with nothing behind them: what else the machine does weighs on both, and the ratio is what to read. The generator that
is sampled is the base model's own network, asked once, and published by this benchmark: nothing is trained for it.
"""

from __future__ import annotations

import argparse
import contextlib
import math
import os
import tempfile
import time
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import psutil

from benchmarks.shared.bare import EVENT_SECONDS, EVENTS, Answer, bare
from benchmarks.shared.command import OUT, Command, Option
from benchmarks.shared.listeners import Heard, listen
from benchmarks.shared.page import page, table, write
from benchmarks.shared.wrk import Load, Request, check_wrk, load
from client import Lethe
from jobs.artifacts import ArtifactStore
from jobs.database import make_engine
from jobs.finding import Wanted
from jobs.ids import new_id
from jobs.job import Claim, NewGenerator, NewJob, Publication, attempt_prefix
from jobs.settings import load_settings
from jobs.states import Status
from jobs.store import JobStore
from local.stack import Stack, running
from sfd_core.families.class_unet.generator import OneStepGenerator
from sfd_core.families.loading import load_base

BODY: dict[str, Any] = {
    "base_model": "fashion",
    "forget": [{"concept": "Sneaker", "override": "Bag"}],
    "budget": {"images": 128, "until": "budget"},
    "evaluation": {"images_per_concept": 20, "images_per_forgotten_concept": 20},
}
START = 440
"""The time at which the generator asks its network. What it makes is nothing to how long it takes."""
SUBMIT = Request("/v1/jobs", BODY)
HEADS = ("what", "connections", "requests", "errors", "a second", "p50 ms", "p95 ms", "p99 ms", "bare p50 ms", "ratio")
COMMAND = Command(
    "load",
    __doc__,
    Option("--minutes", 2.0, "for so long, at least one round", quick=0.0),
    Option("--seconds", 4.0, "of each row in a round", quick=1.0),
    Option("--clients", 32, "that ask at once", quick=4),
    Option("--readers", 200, "of event streams", quick=10),
    OUT,
)


class Under:
    """The service under load. ``store``: its jobs, for what HTTP has no word for. ``answered``, ``found``: the jobs
    that were accepted, and those of them that are there."""

    def __init__(self, stack: Stack, client: httpx.Client, lethe: Lethe, arguments: argparse.Namespace) -> None:
        self.stack, self.client, self.lethe, self.arguments = stack, client, lethe, arguments
        self.store = JobStore(make_engine(stack.database_url))
        self.programs = {
            name: next(p for p in psutil.Process().children(recursive=True) if f" -m {module}" in " ".join(p.cmdline()))
            for name, module in (("api", "api"), ("worker", "worker.main train"), ("sampler", "worker.main sample"))
        }
        self.answered = self.found = 0

    def rows(self, generator: str, job: str) -> dict[str, tuple[Request, int]]:
        """Return the rows: what is asked, from how many connections."""
        clients = self.arguments.clients
        one = Request(f"/v1/generators/{generator}/samples", {"concept": "Dress", "n": 1, "format": "png"})
        return {
            "submit a job": (SUBMIT, clients),
            "list jobs": (Request("/v1/jobs?limit=20"), clients),
            "a job's page": (Request(f"/jobs/{job}"), clients),
            "1 sample, one client": (one, 1),
            f"1 sample, {clients} clients": (one, clients),
        }

    @contextlib.contextmanager
    def worker_stopped(self) -> Iterator[None]:
        """Let no job run, so that only what is asked for is measured; what was submitted meanwhile is cancelled."""
        self.programs["worker"].suspend()
        try:
            yield
            self.cancel_all()
        finally:
            self.programs["worker"].resume()

    def cancel_all(self) -> None:
        """Cancel what waits."""
        while waiting := self.store.list("default", Wanted(Status.QUEUED), 100).data:
            for job in waiting:
                self.store.request_cancel(job.id)

    def claimed(self) -> Claim:
        """Return a job that this process holds, whose events it may write."""
        like = self.store.list("default", limit=1).data[0]
        while True:
            new = NewJob("default", like.request, like.base_model, like.base_model_digest)
            job, _ = self.store.create(new)
            if claim := self.store.claim(job.id, "benchmarks.load", lease_seconds=3600):
                return claim

    def count_jobs(self) -> int:
        """Count all jobs there are."""
        return sum(self.store.counts().values())

    def take(self, request: Request, connections: int, seconds: float) -> Load:
        """Ask for so many seconds. Jobs that were answered and are not there afterwards are lost."""
        before = self.count_jobs()
        found = load(self.stack.url, request, connections, seconds)
        if request is SUBMIT:
            self.answered += found.requests - found.failed
            self.found += self.count_jobs() - before
        return found

    def memory(self) -> dict[str, float]:
        """Return the resident memory of the api and of the sampler, in MB."""
        return {name: self.programs[name].memory_info().rss / 1e6 for name in ("api", "sampler")}


def run(arguments: argparse.Namespace) -> str:
    """Start the service, measure, stop it. Exits with 1 if anything was answered with an error, or lost."""
    check_wrk()
    with tempfile.TemporaryDirectory(prefix="lethe-bench-", dir="/tmp") as root:
        Path(root).chmod(0o711)  # as root, Postgres runs as another user, who must be let through
        settings = load_settings({"data_dir": Path(root) / "data", "port": 0})
        with contextlib.ExitStack() as exits:
            stack = exits.enter_context(running(settings))
            client = exits.enter_context(httpx.Client(base_url=stack.url, timeout=60))
            lethe = exits.enter_context(Lethe(stack.url))
            return measured(Under(stack, client, lethe, arguments), Path(root), arguments)


def measured(under: Under, root: Path, arguments: argparse.Namespace) -> str:
    """Take the rounds and write the page. Returns the main figure."""
    with under.worker_stopped():
        generator, job = published(under, root / "generator")
    rows = under.rows(generator, job)
    answers = [_answer(under.client, request) for request, _ in {row[0].path: row for row in rows.values()}.values()]
    ours, theirs = defaultdict(list), defaultdict(list)
    events: list[tuple[Heard, Heard, int]] = []
    memory = [under.memory()]
    others = os.getloadavg()[0]
    began = time.monotonic()
    with bare(answers, root) as bare_url:
        while len(memory) == 1 or time.monotonic() - began < arguments.minutes * 60:
            with under.worker_stopped():
                for what, (request, connections) in rows.items():
                    found = under.take(request, connections, arguments.seconds)
                    ours[what].append(found)
                    theirs[what].append(load(bare_url, request, connections, arguments.seconds))
                events.append(_events(under, bare_url, arguments))
            memory.append(under.memory())
    took = time.monotonic() - began
    totals = {what: (Load.over(ours[what]), Load.over(theirs[what])) for what in ours}
    lines = [_line(what, rows[what][1], *pair) for what, pair in totals.items()]
    text = page(
        "The service under load",
        f"{os.cpu_count()} CPU cores; {len(memory) - 1} rounds in {took / 60:.1f} minutes; the load average "
        f"before was {others:.1f}, from what else the machine did. Times are the medians of the rounds; the bare "
        "service answers the same bytes with nothing behind them.",
        table(HEADS, lines),
        _together(ours, arguments.clients),
        _of_events(events, arguments.readers),
        _of_memory(memory),
        f"Of {under.answered} jobs that were answered with 202, {max(0, under.answered - under.found)} are not there.",
    )
    write(arguments.out, "load.md", text)
    failed = sum(pair[0].failed for pair in totals.values()) + sum(each[0].broken + each[2] for each in events)
    if failed or under.answered > under.found:
        raise SystemExit(1)
    submit = totals["submit a job"]
    return f"submit p50 {submit[0].p50:.1f} ms, {submit[0].p50 / submit[1].p50:.1f} x bare, {failed} errors"


def published(under: Under, folder: Path) -> tuple[str, str]:
    """Publish the base model's own network, asked once, as the generator of a job. Returns the generator and the
    job."""
    under.client.post("/v1/jobs", json=BODY).raise_for_status()
    claim = under.claimed()
    base = load_base(load_settings().models()[BODY["base_model"]])
    OneStepGenerator.of(base.network, base.schedule, START, base.model).save(folder)
    prefix = attempt_prefix(claim.job.id, claim.attempt)
    store = ArtifactStore(under.stack.data_dir.joinpath("artifacts").as_uri())
    files = {path.relative_to(folder).as_posix(): path for path in sorted(folder.rglob("*")) if path.is_file()}
    stored = {name: store.put_file(path, prefix) for name, path in files.items()}
    generator = NewGenerator(new_id("gen"), BODY["forget"], {}, stored, "sha256:" + "0" * 64, "{}")
    under.store.publish(claim.job.id, claim.attempt, Publication("pass", generator, {}))
    return generator.id, claim.job.id


def _answer(client: httpx.Client, request: Request) -> Answer:
    answer = client.request(request.method, request.path, json=request.body)
    answer.raise_for_status()
    path = request.path.partition("?")[0]
    return Answer.of(request.method, path, answer.status_code, answer.headers["content-type"], answer.content)


def _events(under: Under, bare_url: str, arguments: argparse.Namespace) -> tuple[Heard, Heard, int]:
    """Events to all readers, of the service and of the bare one; and how many the service kept from some reader."""
    seconds = max(2.0, arguments.seconds)
    claim = under.claimed()
    count = max(1, int((seconds - 1) / EVENT_SECONDS) - 1)

    def tell() -> None:
        for i in range(count):
            data = {"sent": time.monotonic()}
            under.store.progress(claim.job.id, claim.attempt, {"images": i}, [("job.progress", data)])
            time.sleep(EVENT_SECONDS)

    ours = listen(f"{under.stack.url}/v1/jobs/{claim.job.id}/events", arguments.readers, seconds + 1, tell)
    under.store.release(claim.job.id, claim.attempt)
    theirs = listen(bare_url + EVENTS, arguments.readers, seconds)
    return ours, theirs, count * arguments.readers - ours.events


def _line(what: str, connections: int, ours: Load, theirs: Load) -> list[str]:
    times = [f"{each:.1f}" for each in (ours.per_second, ours.p50, ours.p95, ours.p99, theirs.p50)]
    ratio = ours.p50 / theirs.p50 if theirs.p50 else math.nan
    return [what, str(connections), str(ours.requests), str(ours.failed), *times, f"{ratio:.1f}"]


def _together(ours: dict[str, list[Load]], clients: int) -> str:
    names = "1 sample, one client", f"1 sample, {clients} clients"
    one, many = (Load.over(ours[name]).per_second for name in names)
    return (
        f"Samples that wait together are drawn together: {clients} clients get {many:.1f} images a second where one "
        f"client, which nobody waits beside, gets {one:.1f}: {many / one:.1f} times as many."
    )


def _of_events(events: list[tuple[Heard, Heard, int]], readers: int) -> str:
    def row(name: str, heard: list[Heard], lost: str) -> list[object]:
        middle = sorted(heard, key=lambda each: each.p50)[len(heard) // 2]
        times = [f"{each:.0f}" for each in (middle.p50, middle.p95, middle.p99)]
        return [name, sum(h.events for h in heard), sum(h.broken for h in heard), lost, *times]

    lost = str(sum(each[2] for each in events))
    ours = row(f"events of a job to {readers} readers", [each[0] for each in events], lost)
    theirs = row("the bare stream", [each[1] for each in events], "")
    return table(("what", "events", "broken", "lost", "p50 ms", "p95 ms", "p99 ms"), [ours, theirs])


def _of_memory(memory: list[dict[str, float]]) -> str:
    """The first round loads what is asked for first, so that only from its end on memory has to be flat."""
    rows = []
    for name in memory[0]:
        before, first, *_ = held = [each[name] for each in memory]
        flat = f"{held[-1] / first - 1:+.1%}" if len(held) > 2 else "one round does not tell"
        rows.append([name, f"{before:.1f}", f"{first:.1f}", f"{held[-1]:.1f}", flat])
    heads = ("resident memory, MB", "before", "after the first round", "after the last", "since the first")
    return table(heads, rows)


if __name__ == "__main__":
    COMMAND.main(run)
