"""Random commands on one job, against a model of ten lines: the same states, and events that retell them."""

from __future__ import annotations

from typing import Any

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule, run_state_machine_as_test
from sqlalchemy import Engine

from jobs.errors import JobConflict, LeaseLost
from jobs.states import EventType, IllegalMove, Phase, Status
from jobs.store import JobError, JobStore
from tests.store.making import CRASH, DIVERGED, LEASE, created, expire, publication

MAX_FAILURES = 3
TOLD = {
    EventType.QUEUED: Status.QUEUED,
    EventType.STARTED: Status.RUNNING,
    EventType.RELEASED: Status.QUEUED,
    EventType.LOST: Status.QUEUED,
    EventType.RETRIED: Status.QUEUED,
    EventType.CANCELLING: Status.CANCELLING,
    EventType.CANCELLED: Status.CANCELLED,
    EventType.FAILED: Status.FAILED,
    EventType.SUCCEEDED: Status.SUCCEEDED,
}


class JobMachine(RuleBasedStateMachine):
    """The model is ``status``, ``attempt``, ``failures`` and whether the lease still runs."""

    def __init__(self, store: JobStore, engine: Engine) -> None:
        super().__init__()
        self.store, self.engine = store, engine

    @initialize()
    def submit(self) -> None:
        self.job = created(self.store)
        self.status, self.attempt, self.failures, self.alive = Status.QUEUED, 0, 0, False
        self.history = [Status.QUEUED]

    def moved(self, to: Status) -> None:
        self.history.append(to)
        self.status = to
        self.alive = self.alive and to in (Status.RUNNING, Status.CANCELLING)

    def fails(self, error: JobError) -> None:
        if self.status is Status.CANCELLING:
            self.moved(Status.CANCELLED)
            return
        self.failures += 1
        self.moved(Status.QUEUED if error.retryable and self.failures < MAX_FAILURES else Status.FAILED)

    def fenced(self, attempt: int, write: Any) -> bool:
        """Whether the store let ``write(job_id, attempt)`` pass; the model must think the same of it."""
        try:
            write(self.job.id, attempt)
            passed = True
        except LeaseLost:
            passed = False
        assert passed == (self.alive and attempt == self.attempt), (self.status, self.alive, attempt, self.attempt)
        return passed

    @rule()
    def claim(self) -> None:
        claim = self.store.claim(self.job.id, "w", LEASE)
        assert (claim is not None) == (self.status is Status.QUEUED)
        if claim is not None:
            self.attempt += 1
            assert claim.attempt == self.attempt
            self.alive = True
            self.moved(Status.RUNNING)

    @rule(older=st.integers(0, 2))
    def renew(self, older: int) -> None:
        self.fenced(self.attempt - older, lambda i, a: self.store.renew(i, a, LEASE))

    @rule(older=st.integers(0, 1), phase=st.sampled_from(list(Phase)))
    def enter_phase(self, older: int, phase: Phase) -> None:
        self.fenced(self.attempt - older, lambda i, a: self.store.enter_phase(i, a, phase))

    @rule(older=st.integers(0, 1))
    def release(self, older: int) -> None:
        if self.fenced(self.attempt - older, self.store.release):
            self.moved(Status.CANCELLED if self.status is Status.CANCELLING else Status.QUEUED)

    @rule(older=st.integers(0, 1), error=st.sampled_from([CRASH, DIVERGED]))
    def give_up(self, older: int, error: JobError) -> None:
        if self.fenced(self.attempt - older, lambda i, a: self.store.give_up(i, a, error, MAX_FAILURES)):
            self.fails(error)

    @rule(older=st.integers(0, 1))
    def stop(self, older: int) -> None:
        try:
            if self.fenced(self.attempt - older, self.store.cancelled):
                self.moved(Status.CANCELLED)
        except IllegalMove:
            assert self.status is Status.RUNNING

    @rule(older=st.integers(0, 1))
    def publish(self, older: int) -> None:
        attempt = self.attempt - older
        if self.status is Status.SUCCEEDED and attempt == self.attempt:
            assert self.store.publish(self.job.id, attempt, publication()).status is Status.SUCCEEDED
        elif self.fenced(attempt, lambda i, a: self.store.publish(i, a, publication())):
            self.moved(Status.CANCELLED if self.status is Status.CANCELLING else Status.SUCCEEDED)

    @rule()
    def cancel(self) -> None:
        self.store.request_cancel(self.job.id)
        if self.status in (Status.QUEUED, Status.RUNNING):
            self.moved(Status.CANCELLED if self.status is Status.QUEUED else Status.CANCELLING)

    @rule()
    def retry(self) -> None:
        try:
            self.store.retry(self.job.id)
        except JobConflict:
            assert self.status not in (Status.FAILED, Status.CANCELLED)
        else:
            assert self.status in (Status.FAILED, Status.CANCELLED)
            self.failures = 0
            self.moved(Status.QUEUED)

    @rule()
    def silence(self) -> None:
        if self.alive:
            expire(self.engine, self.job.id)
            self.alive = False

    @rule()
    def reap(self) -> None:
        due = self.status in (Status.RUNNING, Status.CANCELLING) and not self.alive
        assert len(self.store.expire_leases(max_failures=MAX_FAILURES)) == due
        if due:
            self.fails(CRASH)

    @invariant()
    def store_and_model_agree(self) -> None:
        job = self.store.get(self.job.id)
        assert (job.status, job.attempt, job.failures) == (self.status, self.attempt, self.failures)
        events = self.store.events(self.job.id, limit=1000)
        assert [event.seq for event in events] == list(range(1, job.last_seq + 1))
        assert [TOLD[event.type] for event in events if event.type in TOLD] == self.history
        attempts = [event.attempt for event in events]
        assert attempts == sorted(attempts)

    def teardown(self) -> None:
        # The next example must not find this job's lease.
        if self.status is Status.RUNNING:
            self.store.request_cancel(self.job.id)
        if self.status in (Status.RUNNING, Status.CANCELLING):
            expire(self.engine, self.job.id)
            self.store.expire_leases(max_failures=MAX_FAILURES)


def test_commands_in_any_order(store: JobStore, engine: Engine) -> None:
    run_state_machine_as_test(
        lambda: JobMachine(store, engine),  # type: ignore[arg-type] # any callable that makes one will do
        settings=settings(
            max_examples=30,
            stateful_step_count=20,
            deadline=None,
            database=None,
            suppress_health_check=list(HealthCheck),
        ),
    )
