"""Runs the tests of a scenario in a process of its own, with or without the mechanism that they test, and reads what
they measured."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from xml.etree import ElementTree

from benchmarks.faults.scenario import Switch
from benchmarks.shared.instead import ROOT

FIGURE = "figure"
"""The property by which a test says what it measured."""
TIMEOUT = 1800.0
"""Seconds for all tests of a scenario, in their full form too."""
MISSED = 180.0
"""Seconds for each test without a mechanism: one that then waits for ever has missed it."""
SWITCHED = Path(__file__).parent / "switched"


@dataclass(frozen=True)
class Ran:
    """The outcome of tests: how many passed, how many failed by what they hold, how many could not be made up
    (``broken``: their arrangement failed) or were skipped; what they measured, and all that was printed."""

    passed: int = 0
    failed: int = 0
    broken: int = 0
    skipped: int = 0
    figures: tuple[str, ...] = ()
    seconds: float = 0.0
    output: str = ""

    @property
    def held(self) -> bool:
        """All of it was tried, and held."""
        return self.passed > 0 and not (self.failed or self.broken or self.skipped)

    @property
    def red(self) -> bool:
        """A test failed, by what it holds and not by its arrangement."""
        return self.failed > 0


def run(tests: Sequence[str], *, full: bool = False, switch: Switch | None = None) -> Ran:
    """Run ``tests`` in their quick or their ``full`` form; with ``switch``, without its mechanism, until one fails."""
    environment = dict(os.environ, OMP_NUM_THREADS="1", GOMP_SPINCOUNT="0")
    paths = [str(ROOT), *filter(None, [os.environ.get("PYTHONPATH")])]
    if switch is not None:
        environment["SWITCHED"] = json.dumps([switch.module, switch.source()])
        paths.insert(0, str(SWITCHED))
    environment["PYTHONPATH"] = os.pathsep.join(paths)
    with tempfile.TemporaryDirectory(prefix="lethe-faults-") as folder:
        report = Path(folder, "report.xml")
        limit = MISSED if switch else TIMEOUT
        options = ["-q", "-p", "no:cacheprovider", f"--junitxml={report}", f"--timeout={limit:.0f}"]
        options += ["-x", "-m", "not slow"] if switch else ["--full"] if full else []
        command = [sys.executable, "-m", "pytest", *options, *tests]
        began = time.monotonic()
        try:
            done = subprocess.run(
                command,
                cwd=ROOT,
                env=environment,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
                timeout=TIMEOUT,
            )
        except subprocess.TimeoutExpired:
            return Ran(0, 0, 1, 0, (), TIMEOUT, f"not finished after {TIMEOUT:.0f} s")
        seconds = time.monotonic() - began
        if not report.is_file():
            return Ran(0, 0, 1, 0, (), seconds, done.stdout)
        return read(report.read_text(), seconds, done.stdout)


def read(report: str, seconds: float, output: str) -> Ran:
    """Read the report of a run of pytest, in JUnit's XML."""
    cases = list(ElementTree.fromstring(report).iter("testcase"))
    failed, broken, skipped = (
        sum(case.find(kind) is not None for case in cases) for kind in ("failure", "error", "skipped")
    )
    passed = sum(not any(case.find(kind) is not None for kind in ("failure", "error", "skipped")) for case in cases)
    said = [p.get("value", "") for case in cases for p in case.iter("property") if p.get("name") == FIGURE]
    return Ran(passed, failed, broken, skipped, tuple(dict.fromkeys(said)), seconds, output)
