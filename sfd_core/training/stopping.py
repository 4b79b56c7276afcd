"""When a run is over."""

from __future__ import annotations

from sfd_core.request.concepts import Budget
from sfd_core.training.state import TrainingState

GOOD_IN_A_ROW = 2
"""Quick evaluations that must be good, one after the other, before a run stops early: one alone may be luck."""


def spent(state: TrainingState, budget: Budget) -> bool:
    """Return whether the images or the seconds of the budget are used up."""
    return state.images >= budget.images or (budget.seconds is not None and state.seconds >= budget.seconds)


def is_finished(state: TrainingState, budget: Budget) -> bool:
    """Return whether a run that has taken a step has nothing left to train: its budget is spent, or it is to stop when
    it has unlearned and its last quick evaluations were all good."""
    latest = state.curve[-GOOD_IN_A_ROW:]
    unlearned = budget.stop_when_unlearned and len(latest) == GOOD_IN_A_ROW and all(quick.good for quick in latest)
    return state.step > 0 and (spent(state, budget) or unlearned)
