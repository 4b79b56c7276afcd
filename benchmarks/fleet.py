"""How large a fleet one Postgres and one Valkey bear: simulated workers and samplers, all of `jobs/`, no training.

    python -m benchmarks.fleet

Fleets of growing size claim, tell of progress, renew and publish as often as real workers do. One bends where less than
95 % of that is done in time. Postgres, Valkey and the fleet share this machine, so that the figures are the least that
servers of their own would bear.
"""

from __future__ import annotations

import argparse
import contextlib
import multiprocessing
import os
import statistics
import tempfile
import time
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from pathlib import Path

import psutil
from sqlalchemy import text

from benchmarks.shared.command import OUT, Command, Option
from benchmarks.shared.listeners import percentiles
from benchmarks.shared.page import page, table, write
from benchmarks.shared.simulated import (
    EVENT_SECONDS,
    RENEWAL_SECONDS,
    THREADS,
    Done,
    answer_samples,
    ask_samples,
    work,
)
from jobs.broker import redis_client
from jobs.database import make_engine, migrate
from jobs.job import NewJob
from jobs.store import JobStore
from local.services import Services, services

PROCESSES = 4
IN_TIME = 0.95
KINDS = ("claims", "events", "renewals", "publications")
HEADS = ("workers", *(f"{kind} a second" for kind in KINDS), "p95 ms of one", "p95 s late", "of what was due", "failed")
COMMAND = Command(
    "fleet",
    __doc__,
    Option("--workers", (50, 100, 250, 500, 1000, 2000), "sizes of the fleet", quick=(8, 16)),
    Option("--samplers", 100, "that answer at once", quick=4),
    Option("--clients", 32, "that ask for samples at once", quick=2),
    Option("--seconds", 15.0, "for each size", quick=3.0),
    Option("--job-seconds", 6.0, "that a simulated job runs", quick=1.0),
    OUT,
)


def run(arguments: argparse.Namespace) -> str:
    """Start the servers, measure, stop them."""
    others = os.getloadavg()[0]
    with tempfile.TemporaryDirectory(prefix="lethe-bench-", dir="/tmp") as root:
        Path(root).chmod(0o711)  # as root, Postgres runs as another user, who must be let through
        with services(Path(root) / "data") as servers:
            migrate(servers.postgres.url)
            before, began = _memory(servers), time.monotonic()
            fleets = {size: _fleet(servers, size, arguments) for size in arguments.workers}
            samples = _samples(servers, arguments)
            after = _memory(servers)
    shares = {size: done_share(done, size, arguments.seconds) for size, done in fleets.items()}
    bent = next((size for size, share in shares.items() if share < IN_TIME), None)
    rows = [_row(size, done, shares[size], arguments.seconds) for size, done in fleets.items()]
    p50, p95, p99 = (each * 1000 for each in percentiles(samples.took["samples"]))
    per_second = len(samples.took["samples"]) / arguments.seconds
    verdict = f"It bends first at {bent} workers." if bent else "None of these sizes bends it."
    written = page(
        "A fleet on one Postgres and one Valkey",
        f"{os.cpu_count()} CPU cores for the servers and the fleet; the load average before was {others:.1f}, from "
        f"what else the machine did. {PROCESSES} processes of {THREADS} connections each act for all workers: progress "
        f"every {EVENT_SECONDS:g} s, a renewal every {RENEWAL_SECONDS:g} s, jobs of {arguments.job_seconds:g} s.",
        table(HEADS, rows),
        verdict,
        f"{arguments.samplers} samplers that draw nothing answer {per_second:.0f} requests a second of "
        f"{arguments.clients} clients: p50 {p50:.1f} ms, p95 {p95:.1f} ms, p99 {p99:.1f} ms, {samples.failed} without "
        "an answer.",
        table(
            ("memory, MB", f"before, {time.monotonic() - began:.0f} s earlier", "after"),
            [(name, f"{before[name]:.1f}", f"{after[name]:.1f}") for name in before],
        ),
    )
    write(arguments.out, "fleet.md", written)
    return f"{verdict} {per_second:.0f} samples a second."


def done_share(done: Done, size: int, seconds: float) -> float:
    """Return the share of what was due that was done: each worker acts every ``EVENT_SECONDS``."""
    return min(1.0, len(done.late) / (size * seconds / EVENT_SECONDS))


def _fleet(servers: Services, size: int, arguments: argparse.Namespace) -> Done:
    store = JobStore(make_engine(servers.postgres.url))
    each = 1 + int(arguments.seconds / arguments.job_seconds)
    new = NewJob("default", {}, "simulated", "sha256:" + "0" * 64)
    with ThreadPoolExecutor(THREADS) as threads:
        jobs = list(threads.map(lambda _: [store.create(new)[0].id for _ in range(each)], range(size)))
    done = Done()
    with ProcessPoolExecutor(PROCESSES, multiprocessing.get_context("spawn")) as pool:
        parts = [
            pool.submit(work, servers.postgres.url, own, arguments.job_seconds, arguments.seconds, f"{size}-{i}")
            for i in range(PROCESSES)
            if (own := jobs[i::PROCESSES])
        ]
        for part in parts:
            done.add(part.result())
    return done


def _samples(servers: Services, arguments: argparse.Namespace) -> Done:
    url = servers.valkey.url
    with ProcessPoolExecutor(2, multiprocessing.get_context("spawn")) as pool:
        answering = pool.submit(answer_samples, url, arguments.samplers, arguments.seconds + 10)
        asking = pool.submit(ask_samples, url, arguments.clients, arguments.seconds)
        answering.result()
        return asking.result()


def _row(size: int, done: Done, share: float, seconds: float) -> list[str]:
    rates = [f"{len(done.took[kind]) / seconds:.1f}" for kind in KINDS]
    took = [each for times in done.took.values() for each in times]
    late = percentiles(done.late)[1]
    return [str(size), *rates, f"{percentiles(took)[1] * 1000:.1f}", f"{late:.2f}", f"{share:.0%}", str(done.failed)]


def _memory(servers: Services) -> dict[str, float]:
    """Return what Valkey holds and what the processes of Postgres have for themselves, in MB."""
    held = redis_client(servers.valkey.url).info("memory")["used_memory"]
    with make_engine(servers.postgres.url).connect() as connection:
        pids = (
            connection.execute(text("SELECT pid FROM pg_stat_activity WHERE pid <> pg_backend_pid()")).scalars().all()
        )
    own = []
    for pid in pids:
        with contextlib.suppress(psutil.NoSuchProcess):
            own.append(psutil.Process(pid).memory_full_info().uss)
    return {"Valkey": held / 1e6, "Postgres, each process on average": statistics.mean(own or [0]) / 1e6}


if __name__ == "__main__":
    COMMAND.main(run)
