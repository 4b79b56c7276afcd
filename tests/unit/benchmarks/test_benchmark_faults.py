"""Scenarios of faults: every one names tests that are there, and switches that take something away; what became of the
tests is read as it was, and said."""

from __future__ import annotations

import ast
import dataclasses
from pathlib import Path
from typing import Any

import pytest

import benchmarks.faults.__main__ as module
from benchmarks.faults.runner import Ran, read, run
from benchmarks.faults.scenario import Scenario, Switch, all_scenarios
from benchmarks.shared.instead import ROOT

SCENARIOS = all_scenarios()


def test_every_row_has_its_scenario() -> None:
    assert [scenario.number for scenario in SCENARIOS.values()] == list(range(1, len(SCENARIOS) + 1))
    assert len(SCENARIOS) >= 38


@pytest.mark.parametrize("name", SCENARIOS)
def test_its_tests_are_there(name: str) -> None:
    scenario = SCENARIOS[name]
    assert scenario.tests
    for node in [*scenario.tests, *(test for switch in scenario.switches for test in switch.tests)]:
        path, _, function = node.partition("::")
        tree = ast.parse((ROOT / path).read_text())
        assert not function or function in {each.name for each in tree.body if isinstance(each, ast.FunctionDef)}, node


@pytest.mark.parametrize("name", [name for name, scenario in SCENARIOS.items() if scenario.switches])
def test_its_switches_take_something_away(name: str) -> None:
    for switch in SCENARIOS[name].switches:
        assert switch.source() != (ROOT / (switch.module.replace(".", "/") + ".py")).read_text()


@pytest.mark.parametrize(("there", "times"), [("no such line", 0), ("import", 2)])
def test_a_switch_that_takes_nothing_away_is_refused(there: str, times: int) -> None:
    switch = Switch("fence", "jobs.watching", there, "", ())
    with pytest.raises(ValueError, match=r"jobs\.watching: what holds the fence stands there \d+ times, not once"):
        switch.source()


REPORT = """<testsuites><testsuite>
<testcase name="a"><properties><property name="figure" value="5 of 5"/></properties></testcase>
<testcase name="b"><failure message="no"/></testcase>
<testcase name="c"><error message="no server"/></testcase>
<testcase name="d"><skipped message="no root"/></testcase>
</testsuite></testsuites>"""


def test_what_became_of_tests_is_read() -> None:
    ran = read(REPORT, 1.5, "said")
    assert ran == Ran(1, 1, 1, 1, ("5 of 5",), 1.5, "said")
    assert (ran.held, ran.red) == (False, True)


@pytest.mark.parametrize(
    ("counts", "held", "red"),
    [
        ((2, 0, 0, 0), True, False),
        ((0, 0, 0, 0), False, False),
        ((2, 0, 1, 0), False, False),
        ((2, 0, 0, 1), False, False),
    ],
)
def test_only_what_ran_and_passed_has_held(counts: tuple[int, int, int, int], held: bool, red: bool) -> None:
    ran = Ran(*counts, (), 1.0, "")
    assert (ran.held, ran.red) == (held, red)


PROBE = """
import subprocess
import sys


def test_here_and_in_what_it_starts(record_property):
    from jobs.states import HELD

    there = subprocess.run([sys.executable, "-P", "-c", "from jobs.states import HELD; print(len(HELD))"],
                           capture_output=True, text=True).stdout
    record_property("figure", f"{len(HELD)} here, {there.strip()} there")
    assert len(HELD) == 2
    assert int(there) == 2
"""


def test_a_switch_is_taken_by_the_tests_and_by_what_they_start(tmp_path: Path) -> None:
    probe = tmp_path / "test_probe.py"
    probe.write_text(PROBE)
    whole = run([str(probe)])
    assert whole.held, whole.output
    assert whole.figures == ("2 here, 2 there",)
    switch = Switch(
        "state", "jobs.states", "frozenset({Status.RUNNING, Status.CANCELLING})", "frozenset()", [str(probe)]
    )
    without = run(switch.tests, switch=switch)
    assert without.red, without.output
    assert without.figures == ("0 here, 0 there",)


def test_tests_that_cannot_be_collected_have_not_failed(tmp_path: Path) -> None:
    """A switch is not missed for a module that can no longer be imported."""
    probe = tmp_path / "test_probe.py"
    probe.write_text("import nothing_like_it\n")
    ran = run([str(probe)])
    assert (ran.held, ran.red) == (False, False)


def result(without: Ran | None = None, **changes: object) -> module.Tried:
    switch = Switch("fence", "jobs.fence", "a", "b", ("t",))
    scenario = Scenario(3, "a zombie", "0 writes", ("t",), (switch,), **changes)  # type: ignore[arg-type]
    return module.Tried(scenario, True, Ran(2, 0, 0, 0, ("5 of 5",), 7.6, ""), [(switch, without)] if without else [])


def test_the_page() -> None:
    text = module.said([result(Ran(0, 1, 0, 0, (), 3.2, ""), left="no webhooks"), result(Ran(1, 0, 0, 0, (), 1, ""))])
    assert "| 3 | a zombie | 0 writes | yes | 2 | 5 of 5; no webhooks | full | 8 |" in text
    assert "| 3 | fence | `jobs.fence` | red | 3 |" in text
    assert "| 3 | fence | `jobs.fence` | **not red** | 1 |" in text


def test_what_was_kept_is_not_run_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    said = result(Ran(0, 1, 0, 0, (), 3.2, "much"))
    monkeypatch.setitem(module.SCENARIOS, "zombie", said.scenario)
    said.keep(tmp_path / "zombie")
    again = module.tried("zombie", 60, tmp_path / "zombie")
    assert (again.full, again.ran, again.ok) == (True, said.ran, True)
    assert again.without[0][1].output == ""
    asked: list[bool] = []

    def ran(tests: object, *, full: bool = False, switch: Switch | None = None) -> Ran:
        asked.append(full)
        return Ran(0, 1, 0, 0, (), 1, "")

    monkeypatch.setattr(module.runner, "run", ran)
    assert not module.tried("zombie", 60, tmp_path / "elsewhere").ok
    assert not (tmp_path / "elsewhere").exists(), "what did not hold is kept"
    assert asked == [True, False], "a switch is tried in the quick form"


@pytest.mark.parametrize("other", [{"instead": "another"}, {"module": "jobs.rows"}, {"tests": ("tests/x.py",)}])
def test_what_was_kept_of_another_scenario_counts_for_nothing(tmp_path: Path, other: dict[str, Any]) -> None:
    said = result(Ran(0, 1, 0, 0, (), 3.2, ""))
    said.keep(tmp_path / "zombie")
    assert module.Tried.kept(said.scenario, tmp_path / "zombie") is not None
    (switch,) = said.scenario.switches
    changed = dataclasses.replace(said.scenario, switches=(dataclasses.replace(switch, **other),))
    assert module.Tried.kept(changed, tmp_path / "zombie") is None
    assert module.Tried.kept(dataclasses.replace(said.scenario, tests=("tests/x.py",)), tmp_path / "zombie") is None


def test_a_page_of_what_is_kept_runs_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    said = result(Ran(0, 1, 0, 0, (), 3.2, ""))
    monkeypatch.setitem(module.SCENARIOS, "zombie", said.scenario)
    monkeypatch.setattr(module.runner, "run", None)
    said.keep(tmp_path / "work" / "zombie")
    asked = ["--kept", "--only", "zombie", "keys", "--work", str(tmp_path / "work"), "--out", str(tmp_path)]
    with pytest.raises(SystemExit):
        module.run(module.COMMAND.parse(asked))
    text = (tmp_path / "faults.md").read_text()
    assert "| 3 | a zombie | 0 writes | yes |" in text
    assert "| **not run** | 0 |" in text


def test_it_is_not_ok_where_a_switch_is_not_missed() -> None:
    assert result().ok
    assert result(Ran(0, 1, 0, 0, (), 1, "")).ok
    assert not result(Ran(1, 0, 0, 0, (), 1, "")).ok
    assert not result(Ran(0, 0, 1, 0, (), 1, "")).ok
