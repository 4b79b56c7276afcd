"""What the table of wrong verdicts counts, and what its generators were asked for."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest

from benchmarks.controls import GENERATORS, Counts, counted, held_to
from benchmarks.shared.deceivers import shown
from benchmarks.shared.distil import demonstration
from benchmarks.shared.verdict_controls import Control
from sfd_core.evaluation.verdict import Criterion, Verdict


def test_a_row_says_what_a_control_is_about_and_what_it_failed_on(tmp_path: Path) -> None:
    table = (
        Control("shown", "unlearning_accuracy", shown(0.5)),
        Control("kept out", "unlearning_accuracy", shown(0.5), models=("fashion",)),
    )
    rows, every = held_to(table, ("emoji",), 2, Counts(tmp_path, []))
    assert rows == [("emoji", "shown", "unlearning_accuracy", 0, 2, 0, "unlearning_accuracy 2")]
    assert every == Counter(fail=2)


def test_verdicts_and_failed_criteria_are_counted() -> None:
    def criteria(i: int) -> list[Criterion]:
        decided: tuple[Verdict, Verdict] = ("pass", "fail") if i else ("pass", "inconclusive")
        return [Criterion(name, one, 0.1, None, "") for name, one in zip("ab", decided, strict=True)]

    assert counted(criteria, range(3)) == (Counter(fail=2, inconclusive=1), Counter(b=2))


def test_counts_are_kept_and_made_anew_for_another_number(tmp_path: Path) -> None:
    asked: list[int] = []

    def criteria(i: int) -> list[Criterion]:
        asked.append(i)
        return [Criterion("a", "fail", 0.1, None, "")]

    first = Counts(tmp_path, []).of("half lost, 5 %", criteria, 2)
    again = Counts(tmp_path, [])
    assert again.of("half lost, 5 %", criteria, 2) == first == (Counter(fail=2), Counter(a=2))
    assert asked == [0, 1]
    assert Counts(tmp_path, []).of("half lost, 5 %", criteria, 3)[0] == Counter(fail=3)
    with pytest.raises(ValueError, match="two rows"):
        again.of("half lost 5", criteria, 2)


def test_one_generator_forgets_in_its_one_step_alone() -> None:
    request = demonstration(64).request
    asked = {name: make(request) for name, make in GENERATORS.items()}
    deep = {name: (bool(one.forget), one.recipe.deep_weight > 0) for name, one in asked.items()}
    assert deep == {
        "distilled-generator": (False, True),
        "sfd-generator": (True, True),
        "first-step-generator": (True, False),
    }
