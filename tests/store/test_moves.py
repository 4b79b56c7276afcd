"""Every command in every state: what it leads to, what it refuses, and that events tell exactly of the moves."""

from __future__ import annotations

from collections.abc import Callable
from itertools import product

import pytest
from sqlalchemy import Engine

from jobs.errors import JobConflict, LeaseLost
from jobs.states import HELD, MOVES, TERMINAL, EventType, IllegalMove, Phase, Status, check_move
from jobs.store import Job, JobStore
from tests.store.making import CRASH, DIVERGED, LEASE, claimed, created, expire, in_state, publication, unsent

Q, R, C = Status.QUEUED, Status.RUNNING, Status.CANCELLING
S, F, X = Status.SUCCEEDED, Status.FAILED, Status.CANCELLED
Outcome = Status | type[Exception]

COMMANDS: dict[str, Callable[[JobStore, Job], object]] = {
    "claim": lambda store, job: store.claim(job.id, "worker-2", LEASE),
    "cancel": lambda store, job: store.request_cancel(job.id),
    "retry": lambda store, job: store.retry(job.id),
    "release": lambda store, job: store.release(job.id, job.attempt),
    "give up": lambda store, job: store.give_up(job.id, job.attempt, CRASH, 3),
    "give up for good": lambda store, job: store.give_up(job.id, job.attempt, DIVERGED, 3),
    "stop": lambda store, job: store.cancelled(job.id, job.attempt),
    "publish": lambda store, job: store.publish(job.id, job.attempt, publication()),
    "reap": lambda store, job: store.expire_leases(max_failures=3),
    "phase": lambda store, job: store.enter_phase(job.id, job.attempt, Phase.TRAINING),
    "progress": lambda store, job: store.progress(job.id, job.attempt, {"images": 1}),
    "renew": lambda store, job: store.renew(job.id, job.attempt, LEASE),
}

# Written from the design, not from MOVES: a row a state, a column a command, in the order above.
LEADS_TO: dict[Status, tuple[Outcome, ...]] = {
    Q: (R, X, JobConflict, *[LeaseLost] * 5, Q, *[LeaseLost] * 3),
    R: (R, C, JobConflict, Q, Q, F, IllegalMove, S, R, R, R, R),
    C: (C, C, JobConflict, X, X, X, X, X, C, C, C, C),
    S: (S, S, JobConflict, *[LeaseLost] * 4, S, S, *[LeaseLost] * 3),
    F: (F, F, Q, *[LeaseLost] * 5, F, *[LeaseLost] * 3),
    X: (X, X, Q, *[LeaseLost] * 5, X, *[LeaseLost] * 3),
}
CASES = [
    (before, command, after) for before, row in LEADS_TO.items() for command, after in zip(COMMANDS, row, strict=True)
]


@pytest.mark.parametrize(("before", "command", "after"), CASES, ids=lambda v: getattr(v, "__name__", str(v)))
def test_command(store: JobStore, before: Status, command: str, after: Outcome) -> None:
    job = in_state(store, before)
    if isinstance(after, Status):
        COMMANDS[command](store, job)
    else:
        with pytest.raises(after):
            COMMANDS[command](store, job)
        assert store.get(job.id) == job
        return
    now = store.get(job.id)
    new = store.events(job.id, after_seq=job.last_seq)
    assert now.status is after
    if after is not before:
        assert [event.type in MOVES[before, after] for event in new] == [True]
        assert now.version == job.version + 1
    elif command == "phase":
        assert [(event.type, event.data) for event in new] == [(EventType.PHASE, {"phase": "training"})]
        assert now.phase is Phase.TRAINING
    else:
        assert new == ()
    assert now.last_seq == job.last_seq + len(new)


@pytest.mark.parametrize(("before", "after"), product(Status, Status))
def test_check_move(before: Status, after: Status) -> None:
    legal = {(Q, R), (Q, X), (R, Q), (R, C), (R, S), (R, F), (C, X), (F, Q), (X, Q)}
    if (before, after) in legal:
        check_move(before, after)
        for event in EventType:
            if event not in MOVES[before, after]:
                with pytest.raises(IllegalMove):
                    check_move(before, after, event)
    else:
        with pytest.raises(IllegalMove, match=f"{before} to {after}"):
            check_move(before, after)


def test_every_state_is_held_ended_or_queued() -> None:
    assert set(Status) == HELD | TERMINAL | {Q}
    assert not HELD & TERMINAL


def test_a_claim_starts_an_attempt(store: JobStore) -> None:
    job = created(store)
    claim = store.claim(job.id, "worker-1", LEASE)
    assert claim is not None
    assert (claim.attempt, claim.job.phase, claim.job.worker) == (1, Phase.PREPARING, "worker-1")
    assert claim.job.started_at is not None
    assert claim.job.lease_until is not None
    assert (claim.job.lease_until - claim.job.started_at).total_seconds() == LEASE
    store.release(job.id, 1)
    again = store.claim(job.id, "worker-2", LEASE)
    assert again is not None
    assert (again.attempt, again.job.started_at) == (2, claim.job.started_at)


@pytest.mark.parametrize("job_id", ["job_" + "0" * 32, "job_\x00", "", "gen_" + "0" * 32])
def test_nothing_to_claim(store: JobStore, job_id: str) -> None:
    assert store.claim(job_id, "worker-1", LEASE) is None


def test_a_released_job_keeps_its_budget_of_failures(store: JobStore, engine: Engine) -> None:
    job = created(store)
    for attempt in range(1, 6):
        assert claimed(store, job).attempt == attempt
        released = store.release(job.id, attempt)
        assert (released.status, released.failures) == (Q, 0)
        assert (released.phase, released.worker, released.lease_until) == (None, None, None)
    assert unsent(engine) == [job.id] * 6


def test_the_third_failure_is_the_last(store: JobStore, engine: Engine) -> None:
    job = created(store)
    for failures in (1, 2):
        after = store.give_up(job.id, claimed(store, job).attempt, CRASH, 3)
        assert (after.status, after.failures, after.error) == (Q, failures, None)
        (told,) = store.events(job.id, after_seq=after.last_seq - 1)
        assert (told.type, told.data["error"]["code"]) == (EventType.LOST, "training_crashed")
    failed = store.give_up(job.id, claimed(store, job).attempt, CRASH, 3)
    assert (failed.status, failed.failures, failed.error) == (F, 3, CRASH)
    assert failed.finished_at is not None
    assert unsent(engine) == [job.id] * 3


def test_a_retry_starts_afresh(store: JobStore, engine: Engine) -> None:
    job = in_state(store, F)
    retried = store.retry(job.id, "acme")
    assert (retried.status, retried.failures, retried.error, retried.finished_at) == (Q, 0, None, None)
    assert retried.attempt == job.attempt, "the fence only grows"
    assert unsent(engine) == [job.id] * 2
    assert claimed(store, job).attempt == job.attempt + 1


def test_a_cancelled_job_can_be_retried_and_run(store: JobStore) -> None:
    job = in_state(store, X)
    assert store.retry(job.id).cancel_requested_at is None
    claim = claimed(store, job)
    assert store.renew(job.id, claim.attempt, LEASE).cancel_requested is False
    assert store.publish(job.id, claim.attempt, publication()).status is S


@pytest.mark.parametrize("status", list(Status))
def test_cancelling_twice_gives_the_same_answer(store: JobStore, status: Status) -> None:
    job = in_state(store, status)
    first = store.request_cancel(job.id, "acme")
    assert store.request_cancel(job.id, "acme") == first
    assert first.status is {Q: X, R: C}.get(status, status)


def test_a_cancelled_job_is_never_claimed(store: JobStore) -> None:
    job = in_state(store, X)
    assert store.claim(job.id, "worker-1", LEASE) is None


def test_every_write_of_a_worker_tells_it_of_a_cancel(store: JobStore) -> None:
    job = in_state(store, C)
    assert store.renew(job.id, 1, LEASE).cancel_requested
    assert store.progress(job.id, 1, {}).cancel_requested
    assert store.enter_phase(job.id, 1, Phase.EVALUATING).cancel_requested


def test_progress_reports_only_progress(store: JobStore) -> None:
    job = claimed(store).job
    store.progress(job.id, 1, {"images": 2}, [("job.metrics", {"step": 1}), ("job.checkpoint", {"images": 2})])
    assert store.get(job.id).progress == {"images": 2}
    assert [e.type for e in store.events(job.id)][2:] == [EventType.METRICS, EventType.CHECKPOINT]
    with pytest.raises(ValueError, match=r"job\.succeeded"):
        store.progress(job.id, 1, {}, [("job.succeeded", {})])


def test_a_lease_that_ran_out_costs_a_failure(store: JobStore, engine: Engine) -> None:
    lost, kept = claimed(store).job, claimed(store).job
    for outcome in (Q, Q, F):
        expire(engine, lost.id)
        assert [(e.job_id, e.outcome) for e in store.expire_leases(max_failures=3)] == [(lost.id, outcome)]
        assert store.expire_leases(max_failures=3) == ()
        if outcome is Q:
            claimed(store, lost)
    failed = store.get(lost.id)
    assert failed.error is not None
    assert (failed.error.code, failed.failures) == ("worker_lost", 3)
    assert store.get(kept.id) == kept


def test_a_lease_that_ran_out_while_cancelling_ends_the_job(store: JobStore, engine: Engine) -> None:
    job = in_state(store, C)
    expire(engine, job.id)
    (expired,) = store.expire_leases(max_failures=3)
    assert (expired.outcome, store.get(job.id).failures) == (X, 0)


def test_leases_are_taken_oldest_first_up_to_a_limit(store: JobStore, engine: Engine) -> None:
    held = [claimed(store).job for _ in range(3)]
    for job in held:
        expire(engine, job.id)
    taken = [e.job_id for _ in range(3) for e in store.expire_leases(max_failures=3, limit=1)]
    assert taken == [job.id for job in held]
