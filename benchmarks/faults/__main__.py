"""The promise under faults: each is injected at its full figure, then what holds it is taken away, and must be missed.

    python -m benchmarks.faults                         # every scenario of benchmarks/faults/scenarios; `make faults`
    python -m benchmarks.faults --only zombie keys      # some of them
    python -m benchmarks.faults --longest 5             # those that take longer than 5 minutes in their quick form

A scenario names the tests that inject its fault, which have a quick form, that `make test` runs, and a full one; and
switches: a place of the code that holds it, as it reads without it. With a switch its tests must fail. What was as it
must be is kept in `--work` and not run again.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmarks.faults import runner
from benchmarks.faults.runner import Ran
from benchmarks.faults.scenario import Scenario, Switch, all_scenarios
from benchmarks.shared.command import OUT, Command, Folder, Option
from benchmarks.shared.page import keep_commit, kept_commits, page, table, write

SCENARIOS = all_scenarios()
NAMES = tuple(SCENARIOS)
_KEPT = "result.json"
_NOT_RUN = Ran()
TAIL = 4000
"""Characters of the output of a scenario that did not hold."""
COMMAND = Command(
    "faults",
    __doc__,
    Option("--only", NAMES, "the scenarios", quick=("idempotency",), choices=NAMES),
    Option("--longest", 60.0, "minutes that a full form may take; of longer ones the quick form is run", quick=0.0),
    Option("--kept", False, "run nothing: write the page of what is kept"),
    Folder("--work", Path("build/faults"), "where what was as it must be is kept"),
    OUT,
)


@dataclass(frozen=True)
class Tried:
    """A scenario, what became of its tests, in their ``full`` form or not, and what became of them without each of the
    mechanisms that hold it."""

    scenario: Scenario
    full: bool = False
    ran: Ran = _NOT_RUN
    without: Sequence[tuple[Switch, Ran]] = ()

    @property
    def ok(self) -> bool:
        """It held, and each was missed where it was taken away."""
        return self.ran.held and all(without.red for _, without in self.without)

    def keep(self, folder: Path) -> None:
        """Write what became of it, and at which commit, into ``folder``."""
        keep_commit(folder)
        ran, *without = (
            dataclasses.asdict(each) | {"output": ""} for each in (self.ran, *(r for _, r in self.without))
        )
        kept = {"scenario": _said(self.scenario), "full": self.full, "ran": ran, "without": without}
        (folder / _KEPT).write_text(json.dumps(kept))

    @classmethod
    def kept(cls, scenario: Scenario, folder: Path) -> Tried | None:
        """Read what :meth:`keep` wrote; None where there is nothing, or the scenario was another."""
        if not (folder / _KEPT).is_file():
            return None
        found = json.loads((folder / _KEPT).read_text())
        ran, *without = (
            Ran(**each | {"figures": tuple(each["figures"])}) for each in (found["ran"], *found["without"])
        )
        if found.get("scenario") != _said(scenario):
            return None
        return cls(scenario, found["full"], ran, list(zip(scenario.switches, without, strict=True)))


def _said(scenario: Scenario) -> object:
    """What a scenario runs: its tests, and its switches with theirs. As JSON has it."""
    switches = [dataclasses.asdict(switch) | {"mechanism": "", "quick": False} for switch in scenario.switches]
    return json.loads(json.dumps({"tests": scenario.tests, "switches": switches}))


def tried(name: str, longest: float, folder: Path) -> Tried:
    """Run a scenario and its switches, if ``folder`` does not say what became of them; tell on standard output what is
    not as it must be."""
    scenario = SCENARIOS[name]
    full = scenario.minutes <= longest
    before = Tried.kept(scenario, folder)
    if before is not None and before.full >= full:
        return before
    ran = runner.run(scenario.tests, full=full)
    print(f"{scenario.number:2} {name}: {_held(ran)}, {ran.seconds:.0f} s", flush=True)
    without = [(switch, runner.run(switch.tests, switch=switch)) for switch in scenario.switches]
    for switch, missed in without:
        print(f"   without the {switch.mechanism}: {_red(missed)}, {missed.seconds:.0f} s", flush=True)
    for wrong in [*([] if ran.held else [ran]), *(missed for _, missed in without if not missed.red)]:
        print(wrong.output[-TAIL:], flush=True)
    result = Tried(scenario, full, ran, without)
    if result.ok:
        result.keep(folder)
    return result


def run(arguments: argparse.Namespace) -> str:
    """Run the scenarios asked for and write the page. Exits with 1 if one did not hold or its switch was not missed."""
    folders = {name: arguments.work / name for name in NAMES if name in arguments.only}
    if arguments.kept:
        results = [Tried.kept(SCENARIOS[name], folder) or Tried(SCENARIOS[name]) for name, folder in folders.items()]
    else:
        results = [tried(name, arguments.longest, folder) for name, folder in folders.items()]
    commits = kept_commits(folder for folder in folders.values() if folder.exists())
    write(arguments.out, "faults.md", said(results, commits))
    if not all(result.ok for result in results):
        raise SystemExit(1)
    held, missed = len(results), sum(len(result.without) for result in results)
    return f"{held} of {held} faults held; {missed} of {missed} mechanisms missed where they were taken away"


def said(results: Sequence[Tried], commits: Sequence[str] = ()) -> str:
    """Write the page. ``commits``: at which what was kept was run."""
    return page(
        "Faults",
        "Each fault is injected into real processes, databases and brokers by the tests that its file in "
        "`benchmarks/faults/scenarios` names. *Tests*: how many passed. *Form*: `full`, or `quick` for what was not "
        "run at the figure of the first column. Seconds are those of a machine that did other work as well.",
        table(
            ("#", "injected", "must hold", "held", "tests", "figure", "form", "seconds"),
            [_row(result) for result in results],
        ),
        "## Without what holds it",
        "The one place that holds it is replaced in the module's text, in the tests and in every process that they "
        "start (`benchmarks/faults/switched`). Red: a test fails, as it must.",
        table(
            ("#", "taken away", "from", "then", "seconds"),
            [
                (result.scenario.number, switch.mechanism, f"`{switch.module}`", _red(missed), f"{missed.seconds:.0f}")
                for result in results
                for switch, missed in result.without
            ],
        ),
        commits=commits,
    )


def _row(result: Tried) -> Sequence[object]:
    scenario, ran = result.scenario, result.ran
    form = "full" if result.full else f"{'quick: ' if ran.passed else ''}not run at this figure"
    figures = "; ".join([*ran.figures, *([scenario.left] if scenario.left else [])])
    return (
        *(scenario.number, scenario.inject, scenario.holds, _held(ran)),
        *(f"{ran.passed}", figures, form, f"{ran.seconds:.0f}"),
    )


def _held(ran: Ran) -> str:
    if ran.held:
        return "yes"
    if not (ran.passed or ran.failed or ran.broken or ran.skipped):
        return "**not run**"
    missing = {"failed": ran.failed, "broken": ran.broken, "skipped": ran.skipped}
    return "**no**: " + ", ".join(f"{n} {what}" for what, n in missing.items() if n)


def _red(missed: Ran) -> str:
    return "red" if missed.red else "**not red**"


if __name__ == "__main__":
    COMMAND.main(run)
