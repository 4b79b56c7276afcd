"""When a run checks itself, and when it is over.

Both follow from the state alone, in images and steps and never by the clock: a run that was interrupted, also in the
middle of a check, checks and ends where an uninterrupted one does.
"""

from __future__ import annotations

from sfd_core.request.concepts import Budget
from sfd_core.training.state import TrainingState

GOOD_IN_A_ROW = 2
"""Quick evaluations that must be good, one after the other, before a run checks itself: one alone may be luck."""
CHECK_SHARE = 0.2
"""All checks together may take this share of the time of training."""


def spent(state: TrainingState, budget: Budget) -> bool:
    """Return whether the images or the seconds of the budget are used up."""
    return state.images >= budget.images or (budget.seconds is not None and state.seconds >= budget.seconds)


def is_finished(state: TrainingState, budget: Budget) -> bool:
    """Return whether a run that has taken a step has nothing left to train: its budget is spent, or it is to end when
    it passes and its last check did."""
    passed = budget.until == "pass" and bool(state.checks) and state.checks[-1].passed
    return state.step > 0 and (spent(state, budget) or passed)


def check_due(state: TrainingState, budget: Budget, worth: float) -> bool:
    """Return whether the run has a check to make before its next step. ``worth``: the images that are trained on in the
    time of one check.

    It has where it is to end when it passes, the last quick evaluations were all good, the last of them at this very
    step, and the checks so far with this one are within their share of what was trained.
    """
    latest = state.curve[-GOOD_IN_A_ROW:]
    if budget.until != "pass" or spent(state, budget) or len(latest) < GOOD_IN_A_ROW:
        return False
    checked = bool(state.checks) and state.checks[-1].step == state.step
    if checked or latest[-1].step != state.step or not all(quick.good for quick in latest):
        return False
    return (len(state.checks) + 1) * worth <= CHECK_SHARE * state.images
