"""Workers and samplers that do to Postgres and Valkey what real ones do, and train and draw nothing.

A worker is a state and the moment at which it acts next; a few threads act for thousands of them, over a pool of
connections as a pooler before Postgres would give out.
"""

from __future__ import annotations

import heapq
import itertools
import threading
import time
from collections import defaultdict
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any

from jobs.broker import QUEUE_SAMPLES, Broker, celery_app
from jobs.database import make_engine
from jobs.errors import SampleTimeout
from jobs.ids import new_id
from jobs.job import NewGenerator, Publication
from jobs.samples import SampleReply, encode
from jobs.store import JobStore

LEASE_SECONDS = 60.0
EVENT_SECONDS = 0.5
"""A worker writes its progress this often."""
RENEWAL_SECONDS = 2.0
"""A worker asks whether its job was cancelled, which renews its lease, this often."""
THREADS = 8
"""That act in each process, each on a connection of its own."""


@dataclass
class Worker:
    """A simulated worker. ``waiting``: the jobs that it will claim, the last first."""

    name: str
    waiting: list[str]
    job: tuple[str, int] | None = None
    ends: float = 0.0
    renewed: float = 0.0


@dataclass
class Done:
    """The work done, by kind: how long each took and how late it began, in seconds; and how often it failed."""

    took: dict[str, list[float]] = field(default_factory=lambda: defaultdict(list))
    late: list[float] = field(default_factory=list)
    failed: int = 0

    def add(self, other: Done) -> None:
        """Add what another process did."""
        for kind, times in other.took.items():
            self.took[kind] += times
        self.late += other.late
        self.failed += other.failed


class Fleet:
    """A fleet of the workers of one process, each of which runs its jobs one after the other, ``job_seconds`` long."""

    def __init__(self, database_url: str, jobs: Sequence[Sequence[str]], job_seconds: float, name: str) -> None:
        self.store = JobStore(make_engine(database_url, pool_size=THREADS))
        self.job_seconds = job_seconds
        self.done = Done()
        self._lock = threading.Lock()
        self._order = itertools.count()
        began = time.monotonic()
        # Evenly over one interval, as machines are that were not started in the same instant.
        self._due = [
            (began + EVENT_SECONDS * i / len(jobs), next(self._order), Worker(f"{name}-{i}", list(own)))
            for i, own in enumerate(jobs)
        ]

    def run(self, seconds: float) -> Done:
        """Run all workers for so many seconds."""
        until = time.monotonic() + seconds
        with ThreadPoolExecutor(THREADS) as pool:
            for each in [pool.submit(self._act, until) for _ in range(THREADS)]:
                each.result()
        return self.done

    def _act(self, until: float) -> None:
        while (now := time.monotonic()) < until:
            with self._lock:
                due, _, worker = heapq.heappop(self._due) if self._due else (until, 0, None)
            if due > now:
                time.sleep(max(0.0, min(due, until) - now))
            if worker is None or due >= until:
                continue
            began = time.monotonic()
            try:
                kinds = self._step(worker, began)
            except Exception:  # noqa: BLE001 - whatever it was, it is counted
                kinds, worker.job = {}, None
                with self._lock:
                    self.done.failed += 1
            with self._lock:
                self.done.late.append(began - due)
                for kind, took in kinds.items():
                    self.done.took[kind].append(took)
                if worker.job or worker.waiting:
                    heapq.heappush(self._due, (due + EVENT_SECONDS, next(self._order), worker))

    def _step(self, worker: Worker, now: float) -> dict[str, float]:
        """Do what is next for a worker. Returns what that was and how long each took."""
        if worker.job is None:
            claim = self.store.claim(worker.waiting.pop(), worker.name, LEASE_SECONDS)
            if claim is not None:
                worker.job, worker.ends, worker.renewed = (claim.job.id, claim.attempt), now + self.job_seconds, now
            return {"claims": time.monotonic() - now}
        if now >= worker.ends:
            self.store.publish(*worker.job, publication())
            worker.job = None
            return {"publications": time.monotonic() - now}
        self.store.progress(*worker.job, {"images": 1}, [("job.progress", {"images": 1, "of": 2})])
        took = {"events": time.monotonic() - now}
        if now - worker.renewed >= RENEWAL_SECONDS:
            began = time.monotonic()
            self.store.renew(*worker.job, LEASE_SECONDS)
            took["renewals"] = time.monotonic() - began
            worker.renewed = now
        return took


def publication() -> Publication:
    """Return a generator of no files, and an empty report."""
    return Publication("pass", NewGenerator(new_id("gen"), [], {}, {}, "sha256:" + "0" * 64, "{}"), {})


def work(database_url: str, jobs: Sequence[Sequence[str]], job_seconds: float, seconds: float, name: str) -> Done:
    """Run the workers of one process."""
    return Fleet(database_url, jobs, job_seconds, name).run(seconds)


def answer_samples(broker_url: str, samplers: int, seconds: float) -> int:
    """Answer requests for samples from so many threads, with an image of no bytes to speak of. Returns how many."""
    broker, payload = Broker(broker_url), encode(SampleReply((b"png",), 0, None, "gen", 0.0))
    until = time.monotonic() + seconds

    def answer(_: int) -> int:
        count = 0
        with celery_app(broker_url).connection() as connection, connection.SimpleQueue(QUEUE_SAMPLES) as queue:
            while time.monotonic() < until:
                try:
                    message = queue.get(timeout=0.5)
                except queue.Empty:
                    continue
                message.ack()
                broker.reply(message.payload[0][2], payload)
                count += 1
        return count

    with ThreadPoolExecutor(samplers) as pool:
        return sum(pool.map(answer, range(samplers)))


def ask_samples(broker_url: str, clients: int, seconds: float) -> Done:
    """Ask for samples from so many threads, each again as soon as it is answered."""
    broker, done, until = Broker(broker_url), Done(), time.monotonic() + seconds
    request: dict[str, Any] = {"concept": "x", "n": 1, "seed": 0, "format": "png"}

    def ask(_: int) -> None:
        while (now := time.monotonic()) < until:
            try:
                broker.request_samples("gen", request, 10)
            except SampleTimeout:
                done.failed += 1
            else:
                done.took["samples"].append(time.monotonic() - now)

    with ThreadPoolExecutor(clients) as pool:
        list(pool.map(ask, range(clients)))
    return done
