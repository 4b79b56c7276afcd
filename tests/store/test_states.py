"""The names that clients, dashboards and rows know, and every move between states: written from the design."""

from __future__ import annotations

import pytest

from jobs.states import HELD, MOVES, REPORTS, TERMINAL, EventType, IllegalMove, Phase, Status, check_move

EVENTS_OF = {
    ("queued", "running"): {"job.started"},
    ("queued", "cancelled"): {"job.cancelled"},
    ("running", "queued"): {"job.released", "job.lost"},
    ("running", "cancelling"): {"job.cancelling"},
    ("running", "succeeded"): {"job.succeeded"},
    ("running", "failed"): {"job.failed"},
    ("cancelling", "cancelled"): {"job.cancelled"},
    ("failed", "queued"): {"job.retried"},
    ("cancelled", "queued"): {"job.retried"},
}


def test_states_and_phases_by_name() -> None:
    assert {s.name.lower(): str(s) for s in Status} == {str(s): str(s) for s in Status}
    assert set(Status) == {"queued", "running", "cancelling", "succeeded", "failed", "cancelled"}
    assert list(Phase) == ["preparing", "training", "evaluating", "publishing"]
    assert [p.name.lower() for p in Phase] == list(Phase)


def test_events_by_name() -> None:
    moves = {"queued", "started", "released", "lost", "retried", "cancelling", "cancelled", "failed", "succeeded"}
    others = moves | {"phase", "progress", "metrics", "checkpoint", "corrected"}
    assert set(EventType) == {f"job.{name}" for name in others}
    assert all(event == f"job.{event.name.lower()}" for event in EventType)


def test_every_move_and_what_tells_of_it() -> None:
    assert {(str(before), str(after)): set(events) for (before, after), events in MOVES.items()} == EVENTS_OF


def test_what_is_held_what_has_ended_and_what_a_worker_reports() -> None:
    assert {*HELD} == {"running", "cancelling"}
    assert {*TERMINAL} == {"succeeded", "failed", "cancelled"}
    assert {*REPORTS} == {"job.progress", "job.metrics", "job.checkpoint"}


@pytest.mark.parametrize("before", Status)
@pytest.mark.parametrize("after", Status)
def test_a_move_goes_by_its_own_events_alone(before: Status, after: Status) -> None:
    told = EVENTS_OF.get((before, after))
    if told is None:
        with pytest.raises(IllegalMove, match=f"^a job cannot move from {before} to {after}$"):
            check_move(before, after)
        return
    check_move(before, after)
    for event in EventType:
        if event in told:
            check_move(before, after, event)
        else:
            with pytest.raises(IllegalMove, match=f"^{event} does not tell of a move from {before} to {after}$"):
                check_move(before, after, event)
