"""Many readers of one event stream, in a process of their own.

``python -m benchmarks.shared.listeners URL READERS SECONDS`` prints ``listening`` once all have an answer, and at the
end JSON: how many events each reader got, how many streams broke, and how long after ``sent`` (the machine's monotonic
clock, in every event's data) they came, in milliseconds.
"""

from __future__ import annotations

import asyncio
import json
import re
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from urllib.parse import urlsplit

from benchmarks.shared.page import ROOT

ARRIVING = 32
"""Readers that connect at the same time: a service bounds the half-sent requests of one address."""
_SENT = re.compile(rb'"sent": ?([0-9.]+)')


@dataclass(frozen=True)
class Heard:
    """The events that readers got. ``fewest``: the events of the reader that got the fewest. Times in ms."""

    events: int
    fewest: int
    broken: int
    p50: float
    p95: float
    p99: float


def percentiles(values: list[float]) -> tuple[float, float, float]:
    """Return the 50th, 95th and 99th percentile."""
    ordered = sorted(values) or [float("nan")]
    p50, p95, p99 = (ordered[min(len(ordered) - 1, int(len(ordered) * share))] for share in (0.5, 0.95, 0.99))
    return p50, p95, p99


def listen(url: str, readers: int, seconds: float, tell: Callable[[], None] = lambda: None) -> Heard:
    """Read from a process of its own for so many seconds; ``tell`` runs meanwhile, once all readers are there."""
    command = [sys.executable, "-m", "benchmarks.shared.listeners", url, str(readers), str(seconds)]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        if process.stdout.readline().strip() != "listening":
            raise SystemExit(f"the readers of {url} did not start")
        tell()
        return Heard(**json.loads(process.stdout.readline()))


async def _read(url: str, heard: list[float], there: asyncio.Semaphore, arriving: asyncio.Semaphore) -> None:
    parts = urlsplit(url)
    async with arriving:
        reader, writer = await asyncio.open_connection(parts.hostname, parts.port)
        head = f"GET {parts.path} HTTP/1.1\r\nHost: {parts.netloc}\r\nAccept: text/event-stream\r\n\r\n"
        writer.write(head.encode())
        status = await reader.readline()
    if b" 200 " not in status:
        raise ConnectionError(status.decode(errors="replace"))
    there.release()
    async for line in reader:
        if sent := _SENT.search(line):
            heard.append((time.monotonic() - float(sent[1])) * 1000)


async def _all(url: str, readers: int, seconds: float) -> Heard:
    heard: list[list[float]] = [[] for _ in range(readers)]
    there, arriving = asyncio.Semaphore(0), asyncio.Semaphore(ARRIVING)
    tasks = [asyncio.create_task(_read(url, own, there, arriving)) for own in heard]
    for _ in tasks:
        await asyncio.wait_for(there.acquire(), 30)
    for own in heard:
        own.clear()
    print("listening", flush=True)
    await asyncio.sleep(seconds)
    broken = sum(task.done() for task in tasks)
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    delays = [delay for own in heard for delay in own]
    return Heard(len(delays), min(map(len, heard)), broken, *percentiles(delays))


if __name__ == "__main__":
    print(json.dumps(asdict(asyncio.run(_all(sys.argv[1], int(sys.argv[2]), float(sys.argv[3]))))))
