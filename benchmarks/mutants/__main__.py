"""The suite, held to a test: modules with one thing changed in them, and how many of the changes it lets live.

    python -m benchmarks.mutants                                # every module of benchmarks/mutants/modules.py
    python -m benchmarks.mutants --only sfd_core.training.step  # some of them
    python -m benchmarks.mutants --every 5                      # every fifth mutant

A mutant is killed by a test that fails with it. Those that live are listed with the line before and after; what
``benchmarks/mutants/looked_at.py`` says of one is printed beside it.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmarks.mutants import runner
from benchmarks.mutants.looked_at import LOOKED_AT
from benchmarks.mutants.modules import TESTS
from benchmarks.mutants.operators import Mutant, mutants
from benchmarks.shared.command import OUT, Command, Option
from benchmarks.shared.page import page, table, write

MOST = 0.05
"""The largest share of a module's mutants that may live."""
COMMAND = Command(
    "mutants",
    __doc__,
    Option("--only", tuple(TESTS), "the modules", quick=("sfd_core.training.stopping",), choices=tuple(TESTS)),
    Option("--every", 1, "of the mutants of a module: 2 leaves out every second", quick=12),
    OUT,
)


@dataclass(frozen=True)
class Tried:
    """A module, how many mutants of it were tried, those that live, and how long all took."""

    module: str
    mutants: int
    living: Sequence[Mutant]
    seconds: float

    @property
    def share(self) -> float:
        """Of the mutants, those that live."""
        return len(self.living) / max(1, self.mutants)


def run(arguments: argparse.Namespace) -> str:
    """Try the mutants. Exits with 1 if more than 5 % of a module's live."""
    os.environ["PYTEST_DISABLE_PLUGIN_AUTOLOAD"] = "1"
    tests = dict.fromkeys(path for module in arguments.only for path in TESTS[module])
    runner.warm_up(list(tests))
    with contextlib.ExitStack() as stack:
        servers = None
        if any(path.startswith("tests/store/") for path in tests):
            root = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="lethe-mutants-", dir="/tmp")))
            root.chmod(0o711)  # Postgres runs as another user where this is root's
            servers = stack.enter_context(runner.servers(root))
        results = [tried(module, arguments.every, servers) for module in arguments.only]
    write(arguments.out, "mutants.md", said(results))
    if any(result.share > MOST for result in results):
        raise SystemExit(1)
    total = sum(result.mutants for result in results)
    return f"{total - sum(len(result.living) for result in results)} of {total} mutants killed"


def tried(module: str, every: int, servers: runner.Servers | None) -> Tried:
    """Run the tests of ``module`` against its mutants. Exits if they are not green without one."""
    began = time.monotonic()
    tests = TESTS[module]
    seconds = runner.green(module, tests, servers)
    if seconds is None:
        raise SystemExit(f"not green without a mutant: {' '.join(tests)}")
    some = mutants(runner.source_of(module))[::every]
    living = []
    for mutant in some:
        if servers is not None:
            servers.clear()
        if runner.survives(mutant, module, tests, seconds, servers):
            living.append(mutant)
            print(f"{module}:{mutant.line}: {mutant.before}  ->  {mutant.after}", flush=True)
    print(f"{module}: {len(living)} of {len(some)} live", flush=True)
    return Tried(module, len(some), living, time.monotonic() - began)


def said(results: Sequence[Tried]) -> str:
    """The page."""
    rows = [
        (f"`{r.module}`", r.mutants, r.mutants - len(r.living), len(r.living), f"{r.share:.1%}", f"{r.seconds:.0f}")
        for r in results
    ]
    total, living = sum(r.mutants for r in results), sum(len(r.living) for r in results)
    rows.append(
        (
            "all",
            total,
            total - living,
            living,
            f"{living / max(1, total):.1%}",
            f"{sum(r.seconds for r in results):.0f}",
        )
    )
    return page(
        "What the suite lets live",
        "One thing is changed in a module (`benchmarks/mutants/operators.py`) and the tests that belong to the module "
        "(`benchmarks/mutants/modules.py`) are run. A mutant that no test fails with lives.",
        table(("module", "mutants", "killed", "live", "share", "seconds"), rows),
        "## Those that live",
        *(_living(result) for result in results if result.living),
    )


def _living(result: Tried) -> str:
    rows = [
        (mutant.line, _code(mutant.before), _code(mutant.after), LOOKED_AT.get((result.module, mutant.after), ""))
        for mutant in result.living
    ]
    return f"`{result.module}`\n\n" + table(("line", "before", "after", "why"), rows)


def _code(text: str) -> str:
    return f"`` {text.replace('|', chr(92) + '|')} ``"


if __name__ == "__main__":
    COMMAND.main(run)
