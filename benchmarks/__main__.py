"""All benchmarks: what each measures, or all of them in their quick form.

    python -m benchmarks                      # the list
    python -m benchmarks --quick              # all, in under five minutes on two cores; `make bench`
    python -m benchmarks --quick step recipe  # some

Exits with 1 if one failed. Each runs in a process of its own with one thread, as many at a time as there are cores:
what a quick form measures means nothing, only that it runs.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from benchmarks.shared.command import FIGURE
from benchmarks.shared.discovery import command_of, names
from benchmarks.shared.page import ROOT, table

TIMEOUT = 900.0
"""Seconds for one of them: on an idle machine none takes more than two minutes."""
TAIL = 30
"""Lines of output that are shown of a benchmark that failed."""


@dataclass(frozen=True)
class Result:
    """The result of one benchmark. ``output``: all that it printed."""

    name: str
    seconds: float
    ok: bool
    output: str

    @property
    def figure(self) -> str:
        """Its main figure."""
        lines = self.output.splitlines()
        return lines[-1].removeprefix(FIGURE) if self.ok and lines and lines[-1].startswith(FIGURE) else ""


def quick(name: str) -> Result:
    """Run the quick form of a benchmark in a process of its own."""
    threads = {"OMP_NUM_THREADS": "1", "GOMP_SPINCOUNT": "0"}
    command = [sys.executable, "-m", f"benchmarks.{name}", "--quick"]
    began = time.monotonic()
    try:
        done = subprocess.run(
            command,
            cwd=ROOT,
            env={**os.environ, **threads},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=TIMEOUT,
        )
    except subprocess.TimeoutExpired as expired:
        output = expired.stdout.decode(errors="replace") if isinstance(expired.stdout, bytes) else ""
        return Result(name, time.monotonic() - began, False, f"{output}\nnot finished after {TIMEOUT:.0f} s")
    return Result(name, time.monotonic() - began, done.returncode == 0, done.stdout)


def run_all(chosen: Sequence[str], run: Callable[[str], Result], at_once: int) -> int:
    """Run the benchmarks, print the table and the end of what failed. Returns the exit status."""
    began = time.monotonic()
    with ThreadPoolExecutor(at_once) as pool:
        results = [_said(result) for result in pool.map(run, chosen)]
    failed = [result for result in results if not result.ok]
    for result in failed:
        print(f"\n{result.name}:", *result.output.splitlines()[-TAIL:], sep="\n")
    print("\n" + summary(results))
    print(f"\n{len(results) - len(failed)} of {len(results)} ran, in {time.monotonic() - began:.0f} s")
    return 1 if failed else 0


def _said(result: Result) -> Result:
    print(f"{result.name}: {'ok' if result.ok else 'FAILED'}, {result.seconds:.0f} s", flush=True)
    return result


def summary(results: Iterable[Result]) -> str:
    """Write a row a benchmark."""
    rows = [(r.name, f"{r.seconds:.0f}", "ok" if r.ok else "FAILED", r.figure) for r in results]
    return table(("benchmark", "seconds", "result", "main figure"), rows)


def main(arguments: Sequence[str]) -> int:
    """Read ``arguments`` and do it. Returns the exit status."""
    known = names()
    parser = argparse.ArgumentParser(
        "python -m benchmarks", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--quick", action="store_true", help="run them in their quick form")
    parser.add_argument("--at-once", type=int, default=os.cpu_count() or 1, help="how many run at a time")
    parser.add_argument("names", nargs="*", default=known, metavar="NAME", help=f"some of {', '.join(known)}")
    asked = parser.parse_args(arguments)
    if unknown := sorted({*asked.names} - {*known}):
        parser.error(f"no such benchmark: {', '.join(unknown)}; there are {', '.join(known)}")
    if asked.quick:
        return run_all(asked.names, quick, asked.at_once)
    for name in asked.names:
        print(f"python -m benchmarks.{name:12} {command_of(name).summary}")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
