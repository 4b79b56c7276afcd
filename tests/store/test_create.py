"""Submitting: one job a key however often it is sent, all of it or nothing, and nothing of another tenant's."""

from __future__ import annotations

import pytest
from sqlalchemy import Connection, Engine, event

from jobs.errors import IdempotencyConflict, JobNotFound, UnstorableRequest
from jobs.ids import is_id
from jobs.states import EventType, Status
from jobs.store import JobStore
from jobs.webhooks import WebhookStore
from tests.store.making import at_once, count, created, new_job, new_webhook, unsent


def test_a_new_job(store: JobStore, engine: Engine) -> None:
    job, new = store.create(new_job(metadata={"ticket": "T-123"}, webhook=new_webhook()))
    assert new
    assert is_id("job", job.id)
    assert (job.status, job.phase, job.attempt, job.version, job.last_seq) == (Status.QUEUED, None, 0, 1, 1)
    assert job.metadata == {"ticket": "T-123"}
    (hook,) = WebhookStore(engine).list("acme", job.id).data
    assert job.webhook == {"id": hook.id, "url": "https://example.org/hook", "events": list(hook.events)}
    assert job.created_at.utcoffset() is not None
    assert store.get(job.id, "acme") == job
    assert [(e.seq, e.type, e.attempt) for e in store.events(job.id)] == [(1, EventType.QUEUED, 0)]
    assert unsent(engine) == [job.id]


def test_fifty_creates_with_one_key_make_one_job(store: JobStore, engine: Engine) -> None:
    answers = at_once(50, lambda _: store.create(new_job(idempotency_key="k", body_sha256="a")))
    assert len({job.id for job, _ in answers}) == 1
    assert sum(new for _, new in answers) == 1
    assert count(engine, "jobs") == count(engine, "events") == count(engine, "outbox") == 1


def test_a_key_with_another_body_is_a_conflict(store: JobStore, engine: Engine) -> None:
    first, _ = store.create(new_job(idempotency_key="k", body_sha256="a"))
    with pytest.raises(IdempotencyConflict) as caught:
        store.create(new_job(idempotency_key="k", body_sha256="b"))
    assert caught.value.kind.status == 422
    assert store.create(new_job(idempotency_key="k", body_sha256="a")) == (first, False)
    assert count(engine, "jobs") == 1


def test_keys_of_two_tenants_are_apart(store: JobStore) -> None:
    ours, _ = store.create(new_job(idempotency_key="k", body_sha256="a"))
    theirs, new = store.create(new_job("other", idempotency_key="k", body_sha256="b"))
    assert new
    assert theirs.id != ours.id


def test_a_key_answers_with_the_job_as_it_is_now(store: JobStore) -> None:
    job, _ = store.create(new_job(idempotency_key="k", body_sha256="a"))
    store.request_cancel(job.id)
    again, new = store.create(new_job(idempotency_key="k", body_sha256="a"))
    assert (again.id, again.status, new) == (job.id, Status.CANCELLED, False)


def test_a_key_needs_a_body() -> None:
    with pytest.raises(ValueError, match="go together"):
        new_job(idempotency_key="k")


def test_a_commit_that_fails_leaves_nothing_and_says_so(store: JobStore, engine: Engine) -> None:
    def refuse(connection: Connection) -> None:
        raise ConnectionError("the line to the database was cut")

    event.listen(engine, "commit", refuse)
    for i in range(100):
        with pytest.raises(ConnectionError):
            store.create(new_job(idempotency_key=f"k{i}", body_sha256="a"))
    event.remove(engine, "commit", refuse)
    tables = ("jobs", "events", "outbox", "idempotency_keys")
    assert {table: count(engine, table) for table in tables} == dict.fromkeys(tables, 0)
    assert store.create(new_job(idempotency_key="k0", body_sha256="b"))[1], "the key is free again"


@pytest.mark.parametrize("text", ["a\0b", "\ud800"])
def test_what_postgres_cannot_store_is_refused(store: JobStore, engine: Engine, text: str) -> None:
    for new in (
        new_job(metadata={"note": text}),
        new_job(metadata={text: "note"}),
        new_job(webhook=new_webhook(text)),
        new_job(base_model=text),
        new_job(idempotency_key=text, body_sha256="a"),
    ):
        with pytest.raises(UnstorableRequest):
            store.create(new)
    assert count(engine, "jobs") == 0


def test_text_that_only_looks_unstorable_is_kept(store: JobStore) -> None:
    metadata = {"path": "C:\\u0000", "both": "\\\\u0000", "emoji": "\U0001f9f9", "quote": '"\\'}
    job, _ = store.create(new_job(metadata=metadata))
    assert store.get(job.id).metadata == metadata


def test_another_tenants_job_does_not_exist(store: JobStore) -> None:
    job = created(store)
    for call in (store.get, store.request_cancel, store.retry):
        with pytest.raises(JobNotFound) as caught:
            call(job.id, "other")
        assert caught.value.kind.status == 404
    with pytest.raises(JobNotFound):
        store.events(job.id, tenant="other")
    assert store.get(job.id) == job


@pytest.mark.parametrize(
    "job_id", ["job_" + "0" * 32, "job_\x00", "", "x" * 5000, "gen_" + "0" * 32, "job_" + "G" * 32]
)
def test_an_id_that_is_none_is_not_found(store: JobStore, job_id: str) -> None:
    for call in (store.get, store.request_cancel, store.retry, store.events):
        with pytest.raises(JobNotFound):
            call(job_id)
