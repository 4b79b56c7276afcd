"""When a run checks itself and when it ends, with drawn figures in place of networks."""

from __future__ import annotations

from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest

from sfd_core.request.concepts import Budget
from sfd_core.training.check import Check
from sfd_core.training.quick import QuickFigures
from sfd_core.training.stopping import CHECK_SHARE, check_due, is_finished

BATCH, A_CHECK = 100, 200.0
"""Images a step, and those that train in the time of a check: one may be made in every 1000."""


def quick(state: Any, good: bool) -> QuickFigures:
    return QuickFigures(state.step, state.images, 1.0, 1.0, 1.0, good)


def fresh() -> Any:
    return SimpleNamespace(step=0, images=0, seconds=0.0, curve=[], checks=[])


def step(state: Any, good: Callable[[int], bool]) -> None:
    """A step of training with its quick evaluation."""
    state.step, state.images = state.step + 1, state.images + BATCH
    state.curve.append(quick(state, good(state.images)))


def check(state: Any, passes: Callable[[int], bool]) -> None:
    missing = () if passes(state.images) else ("something",)
    state.checks.append(Check(state.step, state.images, 1.0, 1400, missing))


def run(budget: Budget, good: Callable[[int], bool], passes: Callable[[int], bool], state: Any = None) -> Any:
    """What ``sfd_core.run`` does between two steps."""
    state = state or fresh()
    while True:
        if check_due(state, budget, A_CHECK):
            check(state, passes)
        if is_finished(state, budget):
            return state
        step(state, good)


def always(images: int) -> bool:
    return True


def never(images: int) -> bool:
    return False


def test_the_arithmetic_of_these_tests() -> None:
    assert pytest.approx(1000) == A_CHECK / CHECK_SHARE


def test_a_run_that_would_never_pass_uses_its_whole_budget() -> None:
    assert run(Budget(9000), always, never).images == 9000
    without_a_look = run(Budget(9000), never, always)
    assert (without_a_look.images, without_a_look.checks) == (9000, [])


@pytest.mark.parametrize("k", [1000, 3000, 7000])
def test_one_that_passes_at_k_images_ends_there(k: int) -> None:
    state = run(Budget(9000), always, lambda images: images >= k)
    assert state.images == k
    assert [each.passed for each in state.checks] == [False] * (k // 1000 - 1) + [True]


def test_one_that_is_good_late_is_checked_after_two_in_a_row() -> None:
    state = run(Budget(9000), lambda images: images in (2000, 2200) or images >= 3000, always)
    assert state.images == 3100


def test_with_all_of_the_budget_nothing_is_checked() -> None:
    state = run(Budget(3000, until="budget"), always, always)
    assert (state.images, state.checks) == (3000, [])
    state.images, state.checks = 100, [Check(1, 100, 1.0, 1, ())]
    assert not is_finished(state, Budget(3000, until="budget"))


def test_a_spent_budget_is_not_checked_any_more() -> None:
    state = run(Budget(1000), always, never)
    assert state.checks == []


def test_checks_take_their_share_of_the_training_and_no_more() -> None:
    state = run(Budget(50_000), always, never)
    for k, each in enumerate(state.checks, start=1):
        assert k * A_CHECK <= CHECK_SHARE * each.images
    assert len(state.checks) * A_CHECK > 0.95 * CHECK_SHARE * 50_000


def test_a_larger_budget_changes_nothing_before_the_smaller_ones_end() -> None:
    small, large = (run(Budget(images), lambda i: i % 700 != 0, never) for images in (5000, 20_000))
    before = [each for each in large.checks if each.images < 5000]
    assert small.checks == before != []


@pytest.mark.parametrize("at", range(100, 3000, 100))
def test_a_run_that_is_interrupted_anywhere_checks_and_ends_where_another_does(at: int) -> None:
    """Also in the middle of a check: what it says is not there yet, and it is made again."""
    whole = run(Budget(9000), lambda i: i % 500 != 0, lambda images: images >= 2500)
    state = run(Budget(at, until="budget"), lambda i: i % 500 != 0, never)
    state.checks = [each for each in whole.checks if each.images < at]
    if at <= whole.images:
        resumed = run(Budget(9000), lambda i: i % 500 != 0, lambda images: images >= 2500, state)
        assert (resumed.images, resumed.checks) == (whole.images, whole.checks)


def test_a_run_that_has_taken_no_step_is_not_over() -> None:
    state = fresh()
    state.images, state.checks = 100, [Check(0, 100, 1.0, 1, ())]
    assert not is_finished(state, Budget(100))
    state.step = 1
    assert is_finished(state, Budget(100))
