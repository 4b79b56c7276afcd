"""The suite, held to a test: modules with one thing changed in them, and how many of the changes it lets live.

    python -m benchmarks.mutants                                # every module of benchmarks/mutants/modules.py
    python -m benchmarks.mutants --only sfd_core.training.step  # some of them
    python -m benchmarks.mutants --every 5                      # every fifth mutant

A mutant is killed by a test that fails with it. Those that live are listed with the line before and after, and with
what ``benchmarks/mutants/looked_at.py`` says of those that do what the module does.
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
from benchmarks.mutants.looked_at import EQUIVALENT
from benchmarks.mutants.modules import TESTS
from benchmarks.mutants.operators import Mutant, mutants
from benchmarks.shared.command import OUT, Command, Option
from benchmarks.shared.instead import source_of
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
    def equivalent(self) -> dict[Mutant, str]:
        """Of those that live, the ones that no test could tell from the module, each with the reason."""
        known = {mutant: EQUIVALENT.get((self.module, mutant.change)) for mutant in self.living}
        return {mutant: why for mutant, why in known.items() if why is not None}

    @property
    def missed(self) -> float:
        """Of the mutants that a test could tell from the module, those that live."""
        return (len(self.living) - len(self.equivalent)) / max(1, self.mutants - len(self.equivalent))


def run(arguments: argparse.Namespace) -> str:
    """Try the mutants. Exits with 1 if more than 5 % of a module's live that do not do what the module does."""
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
    if any(result.missed > MOST for result in results):
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
    some = mutants(source_of(module))[::every]
    living = []
    for mutant in some:
        if runner.survives(mutant, module, tests, seconds, servers):
            living.append(mutant)
            print(f"{module}:{mutant.line}: {mutant.before}  ->  {mutant.after}", flush=True)
    print(f"{module}: {len(living)} of {len(some)} live", flush=True)
    return Tried(module, len(some), living, time.monotonic() - began)


def said(results: Sequence[Tried]) -> str:
    """Write the page."""
    rows = [(f"`{each.module}`", *_figures([each])) for each in results]
    return page(
        "What the suite lets live",
        "One thing is changed in a module (`benchmarks/mutants/operators.py` says what) and the tests that belong to "
        "the module (`benchmarks/mutants/modules.py`) are run. A mutant that no test fails with lives. Some do what "
        "the module does, so that none could: they are counted apart, and each is listed with why.",
        table(
            ("module", "mutants", "killed", "live", "of these equivalent", "live of all", "of the others", "seconds"),
            [*rows, ("all", *_figures(results))],
        ),
        "## Those that live",
        *(_living(result) for result in results if result.living),
    )


def _figures(results: Sequence[Tried]) -> tuple[object, ...]:
    tried, living = sum(r.mutants for r in results), sum(len(r.living) for r in results)
    equivalent = sum(len(r.equivalent) for r in results)
    shares = (living / max(1, tried), (living - equivalent) / max(1, tried - equivalent))
    seconds = sum(r.seconds for r in results)
    return tried, tried - living, living, equivalent, *(f"{share:.1%}" for share in shares), f"{seconds:.0f}"


def _living(result: Tried) -> str:
    rows = [
        (mutant.line, _code(mutant.before), _code(mutant.after), result.equivalent.get(mutant, "**no test**"))
        for mutant in result.living
    ]
    return f"`{result.module}`\n\n" + table(("line", "before", "after", "why"), rows)


def _code(text: str) -> str:
    return f"`` {text.replace('|', chr(92) + '|')} ``"


if __name__ == "__main__":
    COMMAND.main(run)
