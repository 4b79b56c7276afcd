"""One worker at a time: many claims at once, old attempts that come back, leases that ran out, publishing once."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from sqlalchemy import Engine, insert
from sqlalchemy.exc import IntegrityError

from jobs import schema
from jobs.errors import LeaseLost
from jobs.generators import GeneratorStore
from jobs.job import JsonObject
from jobs.states import EventType, Phase, Status
from jobs.store import Job, JobStore
from tests.store.making import (
    CRASH,
    DIVERGED,
    LEASE,
    at_once,
    claimed,
    count,
    created,
    expire,
    in_state,
    publication,
)

WRITES: dict[str, Callable[[JobStore, str, int], object]] = {
    "renew": lambda store, job_id, attempt: store.renew(job_id, attempt, LEASE),
    "progress": lambda store, job_id, attempt: store.progress(job_id, attempt, {"images": 9}, [("job.progress", {})]),
    "phase": lambda store, job_id, attempt: store.enter_phase(job_id, attempt, Phase.TRAINING),
    "release": lambda store, job_id, attempt: store.release(job_id, attempt),
    "give up": lambda store, job_id, attempt: store.give_up(job_id, attempt, CRASH, 3),
    "stop": lambda store, job_id, attempt: store.cancelled(job_id, attempt),
    "publish": lambda store, job_id, attempt: store.publish(job_id, attempt, publication()),
}


@pytest.mark.parametrize("n", [10, 100])
def test_of_claims_at_once_one_wins(store: JobStore, n: int) -> None:
    job = created(store)
    claims = at_once(n, lambda i: store.claim(job.id, f"worker-{i}", LEASE))
    (won,) = [claim for claim in claims if claim is not None]
    now = store.get(job.id)
    assert (won.attempt, now.attempt, now.worker) == (1, 1, won.job.worker)
    assert [event.type for event in store.events(job.id)] == [EventType.QUEUED, EventType.STARTED]


@pytest.mark.parametrize("write", list(WRITES))
def test_an_old_attempt_writes_nothing(store: JobStore, engine: Engine, write: str) -> None:
    job = created(store)
    old = claimed(store, job).attempt
    expire(engine, job.id)
    store.expire_leases(max_failures=3)
    claimed(store, job)
    before = store.get(job.id)
    with pytest.raises(LeaseLost, match=f"attempt {old} of {job.id}"):
        WRITES[write](store, job.id, old)
    assert store.get(job.id) == before
    assert count(engine, "generators") == count(engine, "reports") == 0


@pytest.mark.parametrize("write", list(WRITES))
def test_a_lease_that_ran_out_writes_nothing(store: JobStore, engine: Engine, write: str) -> None:
    job = in_state(store, Status.CANCELLING if write == "stop" else Status.RUNNING)
    expire(engine, job.id)
    before = store.get(job.id)
    with pytest.raises(LeaseLost):
        WRITES[write](store, job.id, job.attempt)
    assert store.get(job.id) == before
    assert count(engine, "generators") == 0


@pytest.mark.parametrize("write", list(WRITES))
def test_a_future_attempt_writes_nothing(store: JobStore, write: str) -> None:
    job = in_state(store, Status.CANCELLING)
    with pytest.raises(LeaseLost):
        WRITES[write](store, job.id, job.attempt + 1)
    assert store.get(job.id) == job


def test_a_renewal_extends_the_lease_and_is_no_change(store: JobStore) -> None:
    job = claimed(store).job
    store.renew(job.id, 1, 600)
    renewed = store.get(job.id)
    assert job.lease_until is not None
    assert renewed.lease_until is not None
    assert (renewed.lease_until - job.lease_until).total_seconds() > 500
    assert (renewed.version, renewed.updated_at, renewed.last_seq) == (job.version, job.updated_at, job.last_seq)


@pytest.mark.parametrize(
    ("verdict", "status"), [("pass", "published"), ("fail", "withheld"), ("inconclusive", "withheld")]
)
def test_publishing(store: JobStore, generators: GeneratorStore, verdict: str, status: str) -> None:
    job = claimed(store).job
    new = publication(verdict)
    done = store.publish(job.id, 1, new)
    assert (done.status, done.verdict, done.generator_id) == (Status.SUCCEEDED, verdict, new.generator.id)
    assert done.finished_at is not None
    generator = generators.get(new.generator.id, "acme")
    assert (generator.status, generator.verdict, generator.job_id, generator.attempt) == (status, verdict, job.id, 1)
    assert (generator.files, generator.prefix) == (new.generator.files, f"attempts/{job.id}/1")
    report = generators.report(job.id, "acme")
    assert (report.report, report.files) == (new.report, new.report_files)
    (told,) = store.events(job.id, after_seq=done.last_seq - 1)
    assert told.data == {"verdict": verdict, "generator": new.generator.id}


def test_publishing_again_after_a_lost_answer_changes_nothing(store: JobStore, engine: Engine) -> None:
    job = claimed(store).job
    done = store.publish(job.id, 1, publication())
    assert store.publish(job.id, 1, publication()) == done
    assert count(engine, "generators") == count(engine, "reports") == 1


def test_the_database_itself_refuses_a_second_generator(store: JobStore, engine: Engine) -> None:
    job = in_state(store, Status.SUCCEEDED)
    with engine.connect() as connection:
        first = connection.execute(schema.generators.select()).one()._asdict()
        with pytest.raises(IntegrityError, match="uq_generators_job_id"):
            connection.execute(insert(schema.generators).values(first | {"id": "gen_" + "0" * 32, "attempt": 2}))
    assert store.get(job.id) == job


def test_publishing_that_fails_halfway_leaves_nothing(store: JobStore, engine: Engine) -> None:
    job = claimed(store).job
    taken = in_state(store, Status.SUCCEEDED)
    new = publication()
    clash = publication()
    object.__setattr__(clash.generator, "id", taken.generator_id)
    with pytest.raises(IntegrityError):
        store.publish(job.id, 1, clash)
    assert store.get(job.id) == job
    assert count(engine, "generators") == count(engine, "reports") == 1
    assert store.publish(job.id, 1, new).status is Status.SUCCEEDED


def test_publishing_against_a_cancel_is_all_or_nothing(store: JobStore, generators: GeneratorStore) -> None:
    for _ in range(20):
        job = claimed(store).job
        commands: list[Callable[[], Job]] = [
            lambda job=job: store.publish(job.id, 1, publication()),  # type: ignore[misc]
            lambda job=job: store.request_cancel(job.id),  # type: ignore[misc]
        ]
        at_once(2, lambda i, commands=commands: commands[i]())  # type: ignore[misc]
        now = store.get(job.id)
        published = generators.for_job(job.id)
        assert now.status in (Status.SUCCEEDED, Status.CANCELLED)
        assert (published is not None) == (now.status is Status.SUCCEEDED) == (now.generator_id is not None)
        types = [event.type for event in store.events(job.id)]
        assert (EventType.SUCCEEDED in types) != (EventType.CANCELLED in types)


def test_reapers_at_once_take_each_lease_once(store: JobStore, engine: Engine) -> None:
    held = [claimed(store).job for _ in range(20)]
    for job in held:
        expire(engine, job.id)
    taken = at_once(4, lambda _: store.expire_leases(max_failures=3))
    assert sorted(expired.job_id for some in taken for expired in some) == [job.id for job in held]
    assert {store.get(job.id).failures for job in held} == {1}


def test_reaping_against_a_late_publication(store: JobStore, engine: Engine, generators: GeneratorStore) -> None:
    """Whoever comes first, the job is either published or queued again, never both."""
    for _ in range(10):
        job = claimed(store).job
        expire(engine, job.id)

        def publish(job: Job = job) -> None:
            with pytest.raises(LeaseLost):
                store.publish(job.id, 1, publication())

        at_once(2, lambda i, publish=publish: publish() if i else store.expire_leases(max_failures=3))  # type: ignore[misc]
        assert store.get(job.id).status is Status.QUEUED
        assert generators.for_job(job.id) is None


def test_a_claim_is_told_with_its_worker(store: JobStore) -> None:
    job = created(store)
    claim = claimed(store, job)
    (told,) = store.events(job.id, after_seq=job.last_seq)
    assert (told.type, told.data, told.attempt) == (EventType.STARTED, {"worker": "worker-1"}, claim.attempt)


def test_of_several_queued_jobs_a_claim_takes_the_one_it_names(store: JobStore) -> None:
    others = [created(store) for _ in range(3)]
    assert claimed(store, others[1]).job.id == others[1].id
    assert [store.get(job.id).status for job in others] == [Status.QUEUED, Status.RUNNING, Status.QUEUED]


@pytest.mark.parametrize("write", [name for name in WRITES if name != "stop"])
def test_a_write_changes_the_job_that_it_names_and_no_other_of_the_same_attempt(store: JobStore, write: str) -> None:
    jobs = [claimed(store).job for _ in range(3)]
    WRITES[write](store, jobs[1].id, 1)
    assert store.get(jobs[1].id) != jobs[1]
    assert store.get(jobs[0].id) == jobs[0]
    assert store.get(jobs[2].id) == jobs[2]


def test_a_failure_is_told_with_its_error_and_its_number(store: JobStore) -> None:
    job = claimed(store).job
    lost = store.give_up(job.id, 1, CRASH, 2)
    failed = store.give_up(job.id, claimed(store, job).attempt, CRASH, 2)
    told = {event.type: event.data for event in store.events(job.id)}
    assert told[EventType.LOST] == {"error": CRASH.to_json(), "failures": 1}
    assert told[EventType.FAILED] == {"error": CRASH.to_json(), "failures": 2}
    assert (lost.status, lost.failures, lost.error) == (Status.QUEUED, 1, None)
    assert (failed.status, failed.failures, failed.error) == (Status.FAILED, 2, CRASH)


def test_a_failure_that_would_only_repeat_itself_is_the_last(store: JobStore) -> None:
    failed = store.give_up(claimed(store).job.id, 1, DIVERGED, 3)
    assert (failed.status, failed.failures, failed.error) == (Status.FAILED, 1, DIVERGED)


def test_all_of_a_publication_is_kept(store: JobStore, generators: GeneratorStore) -> None:
    job = created(store, tenant="globex", base_model="emoji")
    store.release(job.id, claimed(store, job).attempt)
    claim, new = claimed(store, job), publication()
    assert claim.attempt == 2
    store.publish(job.id, 2, new)
    found = generators.get(new.generator.id, "globex")
    assert (found.job_id, found.attempt, found.tenant) == (job.id, 2, "globex")
    assert (found.base_model, found.base_model_digest) == ("emoji", job.base_model_digest)
    assert (found.forget, found.figures) == (new.generator.forget, new.generator.figures)
    assert (found.files, found.digest, found.record) == (
        new.generator.files,
        new.generator.digest,
        new.generator.record,
    )
    report = generators.report(job.id, "globex")
    assert (report.attempt, report.report, report.files) == (2, new.report, new.report_files)


def test_a_lost_lease_says_whose(store: JobStore) -> None:
    job = created(store)
    for write in WRITES.values():
        with pytest.raises(LeaseLost, match=f"^attempt 5 of {job.id} no longer holds the lease$"):
            write(store, job.id, 5)


def test_what_is_no_report_of_progress_is_named_and_nothing_is_written(store: JobStore) -> None:
    job = claimed(store).job
    strange: list[tuple[str, JsonObject]] = [("job.lost", {}), ("job.progress", {}), ("job.failed", {})]
    with pytest.raises(ValueError, match=r"^not a report of progress: job\.lost, job\.failed$"):
        store.progress(job.id, 1, {"images": 1}, strange)
    assert store.get(job.id) == job


def test_a_report_of_progress_is_kept_with_what_it_tells(store: JobStore) -> None:
    job = claimed(store).job
    store.progress(job.id, 1, {"images": 2}, [("job.metrics", {"step": 1}), ("job.progress", {"images": 2})])
    told = [(event.type, event.data) for event in store.events(job.id, after_seq=job.last_seq)]
    assert told == [(EventType.METRICS, {"step": 1}), (EventType.PROGRESS, {"images": 2})]
    assert store.renew(job.id, 1, LEASE).cancel_requested is False
    assert store.progress(job.id, 1, {}).cancel_requested is False
