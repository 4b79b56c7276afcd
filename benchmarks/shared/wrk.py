"""wrk as the generator of load: a process of its own, in C, that takes little of the cores that it measures."""

from __future__ import annotations

import json
import shutil
import statistics
import subprocess
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

_SCRIPT = """
wrk.method = {method}
wrk.body = {body}
wrk.headers["Content-Type"] = "application/json"
done = function(summary, latency, requests)
  local errors = summary.errors
  local failed = errors.connect + errors.read + errors.write + errors.status + errors.timeout
  io.write(string.format("figures [%d, %d, %d, %.0f, %.0f, %.0f]\\n", summary.requests, failed, summary.duration,
    latency:percentile(50), latency:percentile(95), latency:percentile(99)))
end
"""


@dataclass(frozen=True)
class Request:
    """A request, made over and over: a path, and a JSON body where it is a POST."""

    path: str
    body: Any = None

    @property
    def method(self) -> str:
        """``POST`` where there is a body."""
        return "GET" if self.body is None else "POST"


@dataclass(frozen=True)
class Load:
    """The load that was made. ``failed``: no answer, or one of 400 and above. Times are in milliseconds."""

    requests: int
    failed: int
    per_second: float
    p50: float
    p95: float
    p99: float

    @classmethod
    def over(cls, rounds: Sequence[Load]) -> Load:
        """Put rounds together: counts are added, everything else is the median of the rounds."""

        def middle(name: str) -> float:
            return float(statistics.median(getattr(each, name) for each in rounds))

        counted = sum(each.requests for each in rounds), sum(each.failed for each in rounds)
        return cls(*counted, *map(middle, ("per_second", "p50", "p95", "p99")))


def check_wrk() -> None:
    """Check that wrk is there: exit with what to do where wrk is not installed."""
    if shutil.which("wrk") is None:
        raise SystemExit("wrk makes the load and is not installed: apt-get install wrk")


def load(url: str, request: Request, connections: int, seconds: float) -> Load:
    """Ask for ``request`` from so many connections at once, each again as soon as it is answered."""
    body = "nil" if request.body is None else json.dumps(json.dumps(request.body))
    with tempfile.NamedTemporaryFile("w", suffix=".lua") as script:
        script.write(_SCRIPT.format(method=json.dumps(request.method), body=body))
        script.flush()
        asked = ["-t1", f"-c{connections}", f"-d{max(1, round(seconds))}s", "--timeout", "60s", "-s", script.name]
        done = subprocess.run(["wrk", *asked, url + request.path], capture_output=True, text=True, check=False)
    lines = [line for line in done.stdout.splitlines() if line.startswith("figures ")]
    if done.returncode or not lines:
        raise SystemExit(f"wrk ended with {done.returncode}: {done.stderr or done.stdout}")
    return read_figures(lines[-1])


def read_figures(line: str) -> Load:
    """Read the line that the script prints: counts, then microseconds."""
    requests, failed, duration, *percentiles = json.loads(line.removeprefix("figures "))
    p50, p95, p99 = (each / 1000 for each in percentiles)
    return Load(requests, failed, requests * 1e6 / duration, p50, p95, p99)
