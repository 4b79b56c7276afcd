"""Deletion: what goes, what stays, who finds what afterwards, and that no file goes that something still names."""

from __future__ import annotations

import hashlib
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from securesystemslib.signer import CryptoSigner
from sqlalchemy import Engine, insert, select, text, update

from jobs import deliveries, schema, tombstones, wall
from jobs.artifacts import ArtifactStore
from jobs.deleting import Order, delete_generator, delete_job, started_from
from jobs.errors import Deleted, GeneratorNotFound, JobConflict, JobNotFound, SigningKeyMissing, TombstoneNotFound
from jobs.finding_generators import ALL_GENERATORS
from jobs.generators import GeneratorStore
from jobs.ids import new_id
from jobs.job import attempt_prefix
from jobs.record import RecordMismatch, is_tombstone, read_statement, sign, verify, verify_tombstone
from jobs.retention import DAY, delete_overdue
from jobs.rows import from_now
from jobs.settings import Settings
from jobs.states import TERMINAL, EventType, Status
from jobs.store import JobStore
from jobs.tombstones import Tombstone
from jobs.webhooks import NewWebhook, WebhookStore
from tests.store.making import at_once, claimed, count, in_state, new_job, new_webhook, publication
from worker.collection import remove_unpublished
from worker.deletion import remove_deleted
from worker.leftovers import remove_leftovers

WHY = "the contract has ended: ticket T-456"
ORDER = Order("ci (key_1)", WHY)


@pytest.fixture
def artifacts(tmp_path: Path) -> ArtifactStore:
    return ArtifactStore(f"file://{tmp_path / 'artifacts'}")


def of_job(engine: Engine, job_id: str) -> dict[str, int]:
    """How many rows of each table are a job's."""
    with engine.connect() as connection:
        return {
            name: len(connection.execute(select(table).where(table.c[key] == job_id)).all())
            for name, key in {"jobs": "id", **dict.fromkeys(OF_JOBS, "job_id")}.items()
            if (table := schema.metadata.tables[name]) is not None
        }


OF_JOBS = (
    "job_labels",
    "events",
    "outbox",
    "idempotency_keys",
    "generators",
    "reports",
    "webhooks",
    "deliveries",
    "rates",
)


def test_every_table_of_jobs_is_looked_at() -> None:
    named = {name for name, table in schema.metadata.tables.items() if "job_id" in table.c}
    assert named == {*OF_JOBS, "tombstones"}


@pytest.mark.parametrize("status", list(Status))
def test_a_job_in_each_state(store: JobStore, engine: Engine, status: Status) -> None:
    job = in_state(store, status)
    if status not in TERMINAL:
        with pytest.raises(JobConflict, match="cancel it first") as refused:
            delete_job(engine, job.id, "acme", ORDER)
        assert refused.value.extra["status"] == status
        assert (store.get(job.id), count(engine, "tombstones")) == (job, 0)
        return
    tombstone = delete_job(engine, job.id, "acme", ORDER)
    assert set(of_job(engine, job.id).values()) == {0}
    said = tombstone.deletion
    assert (said.deleted, said.generator, said.verdict) == (job.id, job.generator_id, job.verdict)
    assert (said.by, said.reason) == ("ci (key_1)", WHY)
    assert delete_job(engine, job.id, "acme", replace(ORDER, reason="another reason")) == tombstone
    for call in (store.get, store.events, store.request_cancel, store.retry, GeneratorStore(engine).report):
        with pytest.raises(Deleted, match=WHY) as gone:
            call(job.id, tenant="acme")
        assert gone.value.tombstone == tombstone
        with pytest.raises(JobNotFound):
            call(job.id, tenant="other")
    with pytest.raises(JobNotFound):
        delete_job(engine, job.id, "other", ORDER)
    assert store.list("acme").data == ()
    assert store.counts()[status] == 0


def test_what_was_a_jobs_alone_goes_and_no_other(store: JobStore, engine: Engine) -> None:
    kept = in_state(store, Status.SUCCEEDED)
    before = of_job(engine, kept.id)
    hook = NewWebhook("webhook", "https://hooks.example/...", "sealed", "sealed", [EventType.SUCCEEDED])
    asked = new_job(idempotency_key="k", body_sha256="0", metadata={"ticket": "T-1"}, webhook=hook)
    job, _ = store.create(asked)
    claim = claimed(store, job)
    done = store.publish(job.id, claim.attempt, publication("fail"))
    took = {"base_model": "fashion", "device": "CPU", "gpus": 1, "images": 8, "passed": False, "stored_bytes": 1}
    with engine.begin() as connection:
        connection.execute(insert(schema.rates).values(job_id=job.id, work={}, seconds={}, **took))
    assert min(of_job(engine, job.id).values()) > 0
    tombstone = delete_job(engine, job.id, "acme", ORDER)
    assert set(of_job(engine, job.id).values()) == {0}
    assert of_job(engine, kept.id) == before
    assert tombstone.files == {"unet/w": "a" * 64, "evaluation/report.html": "b" * 64}
    own = tombstones.get(engine, str(done.generator_id), "acme")
    assert (own.bytes, tombstone.bytes) == (10, 20), "each file is counted once"
    assert own.files == {"unet/w": "a" * 64}
    record = publication().generator.record.encode()
    assert {each.deletion.record_sha256 for each in (own, tombstone)} == {hashlib.sha256(record).hexdigest()}
    # Nothing of what was asked for is in what stays.
    for word in ("Sneaker", "Sandal", "T-1"):
        assert word not in str(read_statement(tombstone.statement, "urn:lethe:tombstone:v1"))
    assert [each.id for each in tombstones.listed(engine, "acme").data] == [tombstone.id, own.id]
    assert tombstones.listed(engine, "acme", 1, tombstones.listed(engine, "acme", 1).next).data == (own,)
    assert tombstones.listed(engine, "other").data == ()
    for tenant, deleted in (("other", job.id), ("acme", kept.id), ("acme", "gen_1")):
        with pytest.raises(TombstoneNotFound):
            tombstones.get(engine, deleted, tenant)


def test_that_it_ended_is_told_although_it_was_deleted(store: JobStore, engine: Engine) -> None:
    """To the tenant's webhooks; its own goes with it."""
    tenants = WebhookStore(engine).create("acme", new_webhook())
    job, _ = store.create(new_job(webhook=new_webhook()))
    store.request_cancel(job.id)
    assert count(engine, "deliveries") == 2
    delete_job(engine, job.id, "acme", ORDER)
    (due,) = deliveries.take_due(engine, 8, 60)
    assert (due.delivery.webhook_id, due.delivery.job_id) == (tenants.id, job.id)


def test_a_generator_alone(store: JobStore, engine: Engine, generators: GeneratorStore) -> None:
    job = in_state(store, Status.SUCCEEDED)
    request = {**new_job().request, "parent": {"generator": job.generator_id}}
    descendant, _ = store.create(replace(new_job(), request=request))
    other = in_state(store, Status.SUCCEEDED)
    with pytest.raises(GeneratorNotFound):
        delete_generator(engine, str(job.generator_id), "other", ORDER)
    with pytest.raises(GeneratorNotFound):
        delete_generator(engine, new_id("gen"), "acme", ORDER)
    tombstone = delete_generator(engine, str(job.generator_id), "acme", ORDER)
    assert tombstone.deletion.descendants == [descendant.id]
    assert delete_generator(engine, str(job.generator_id), "acme", ORDER) == tombstone
    walled = GeneratorStore(wall.behind(engine, wall.NOBODY))
    for known in (generators, walled):
        with pytest.raises(Deleted) as gone:
            known.get(str(job.generator_id), "acme")
        assert gone.value.tombstone == tombstone
        with pytest.raises(Deleted):
            known.release(str(job.generator_id), "acme", {}, "")
        assert known.for_job(job.id, "acme") is None
        assert [each.id for each in known.list("acme", ALL_GENERATORS).data] == [other.generator_id]
        assert known.report(job.id, "acme").files["report.html"].sha256 == "b" * 64
    assert generators.existing([str(job.generator_id), str(other.generator_id)]) == {other.generator_id}
    assert store.get(job.id) == job
    # Its row is there, for the reaper: without contents, and seen by no tenant, whatever a query says.
    with engine.connect() as connection:
        row = connection.execute(select(schema.generators).where(schema.generators.c.job_id == job.id)).one()
    assert (row.files, row.forget, row.figures, row.record) == ({}, [], {}, "")
    with wall.behind(engine, "acme").connect() as connection:
        assert len(connection.execute(select(schema.generators.c.id)).all()) == 1
    # And with its job in the end, which names the same record.
    assert delete_job(engine, job.id, "acme", ORDER).deletion.record_sha256 == tombstone.deletion.record_sha256
    assert set(of_job(engine, job.id).values()) == {0}


MANY = """
    INSERT INTO jobs (id, tenant, status, base_model, base_model_digest, request)
    SELECT 'job_' || lpad(i::text, 32, '0'), CASE i % 2 WHEN 0 THEN 'acme' ELSE 'other' END, 'queued', 'fashion',
           'sha256:0', CASE i % 100 WHEN 0 THEN jsonb_set('{"parent": {}}', '{parent,generator}', to_jsonb('gen_' || i))
                                    ELSE '{"forget": [], "seed": 7}' END
      FROM generate_series(1, 5000) AS i
"""


def test_what_goes_on_from_a_generator_is_found_without_a_look_at_the_others(engine: Engine) -> None:
    with engine.begin() as connection:
        connection.execute(text(MANY))
        connection.execute(text("ANALYZE jobs"))
        query = started_from("acme", "gen_4200", "job_" + "0" * 32)
        assert connection.execute(query).scalars().all() == ["job_" + "4200".zfill(32)]
        compiled = query.compile(connection)
        plan = connection.exec_driver_sql(f"EXPLAIN (ANALYZE) {compiled}", compiled.params).scalars().all()
    read = [int(rows) for line in plan if "Scan" in line for rows in re.findall(r"actual .* rows=(\d+)", line)]
    removed = [int(rows) for line in plan for rows in re.findall(r"Rows Removed by \w+: (\d+)", line)]
    assert any("ix_jobs_parent" in line for line in plan), plan
    assert sum(read) + sum(removed) <= 2, plan


def test_of_deletions_at_once_one_is_made(store: JobStore, engine: Engine) -> None:
    job = in_state(store, Status.SUCCEEDED)

    def one(i: int) -> str:
        order = Order(f"person {i}", WHY)
        if i % 2:
            return delete_job(engine, job.id, "acme", order).id
        return delete_generator(engine, str(job.generator_id), "acme", order).id

    made = at_once(8, one)
    assert len(set(made[::2])) == len(set(made[1::2])) == 1
    assert count(engine, "tombstones") == 2


def test_a_tombstone_is_signed_as_a_record_is(store: JobStore, engine: Engine) -> None:
    signer, other = CryptoSigner.generate_ed25519(), CryptoSigner.generate_ed25519()
    job = in_state(store, Status.SUCCEEDED)
    statement = {"_type": "https://in-toto.io/Statement/v1", "subject": [], "predicate": {}}
    record = sign(statement | {"predicateType": "urn:lethe:unlearning-record:v1"}, signer)
    with engine.begin() as connection:
        connection.execute(update(schema.generators).values(record=record))
    for refused in (
        lambda: delete_job(engine, job.id, "acme", ORDER),
        lambda: delete_generator(engine, str(job.generator_id), "acme", ORDER),
    ):
        with pytest.raises(SigningKeyMissing, match="LETHE_SIGNING_KEY"):
            refused()
    assert (store.get(job.id), count(engine, "tombstones")) == (job, 0)
    text = delete_job(engine, job.id, "acme", replace(ORDER, signer=signer)).statement
    assert is_tombstone(text)
    assert not is_tombstone(record)
    found = verify_tombstone(text, [signer.public_key])
    assert found.predicate["record_sha256"] == hashlib.sha256(record.encode()).hexdigest()
    with pytest.raises(RecordMismatch, match="not a key that is trusted"):
        verify_tombstone(text, [other.public_key])
    forged = sign(found.statement | {"predicate": found.predicate | {"by": "nobody"}}, None)
    with pytest.raises(RecordMismatch, match="unsigned"):
        verify_tombstone(forged, [signer.public_key])
    assert verify_tombstone(forged, [], unsigned=True).key_id is None
    # Neither passes for the other.
    with pytest.raises(RecordMismatch, match="predicateType"):
        verify(text, [signer.public_key])
    with pytest.raises(RecordMismatch, match="predicateType"):
        verify_tombstone(record, [signer.public_key])


def test_after_a_signed_tombstone_there_is_none_that_is_not(store: JobStore, engine: Engine) -> None:
    """The record is gone with its generator: that it was signed stands in the generator's tombstone."""
    signer = CryptoSigner.generate_ed25519()
    job = in_state(store, Status.SUCCEEDED)
    delete_generator(engine, str(job.generator_id), "acme", replace(ORDER, signer=signer))
    with pytest.raises(SigningKeyMissing, match="LETHE_SIGNING_KEY"):
        delete_job(engine, job.id, "acme", ORDER)
    assert store.get(job.id) == job
    text = delete_job(engine, job.id, "acme", replace(ORDER, signer=signer)).statement
    assert verify_tombstone(text, [signer.public_key]).predicate["deleted"] == job.id


def test_work_folders_of_deleted_jobs_go(store: JobStore, engine: Engine, tmp_path: Path) -> None:
    job = in_state(store, Status.FAILED)
    delete_job(engine, job.id, "acme", ORDER)
    (tmp_path / job.id / "attempt-1").mkdir(parents=True)
    assert remove_leftovers(tmp_path, store) == [job.id]
    assert not (tmp_path / job.id).exists()


def test_what_an_attempt_wrote_after_its_job_was_deleted(
    store: JobStore, engine: Engine, artifacts: ArtifactStore, tmp_path: Path
) -> None:
    job = in_state(store, Status.CANCELLED)
    delete_job(engine, job.id, "acme", ORDER)
    assert remove_deleted(engine, artifacts) == [job.id]
    late = tmp_path / "artifacts" / attempt_prefix(job.id, 1)
    late.mkdir(parents=True)
    (late / ("a" * 64)).write_bytes(b"late")
    assert remove_deleted(engine, artifacts) == []
    assert remove_unpublished(store, artifacts) == [f"attempts/{job.id}"]
    assert artifacts.jobs() == []


def test_retention_is_off_until_it_is_set(store: JobStore, engine: Engine) -> None:
    old = [in_state(store, status) for status in (Status.FAILED, Status.CANCELLED, Status.SUCCEEDED, Status.QUEUED)]
    withheld = store.publish((claim := claimed(store)).job.id, claim.attempt, publication("fail"))
    with engine.begin() as connection:
        connection.execute(
            update(schema.jobs).where(schema.jobs.c.finished_at.is_not(None)).values(finished_at=from_now(-3 * DAY))
        )
        connection.execute(update(schema.generators).values(created_at=from_now(-3 * DAY)))
    young = in_state(store, Status.FAILED)
    assert delete_overdue(engine, Settings(), None) == []
    assert delete_overdue(engine, Settings(keep_withheld_days=4, keep_unsuccessful_days=4), None) == []
    made = delete_overdue(engine, Settings(keep_withheld_days=2, keep_unsuccessful_days=2.5), None)
    assert {each.deleted: each.deletion.reason for each in made} == {
        str(withheld.generator_id): "older than LETHE_KEEP_WITHHELD_DAYS=2 says",
        old[0].id: "older than LETHE_KEEP_UNSUCCESSFUL_DAYS=2.5 says",
        old[1].id: "older than LETHE_KEEP_UNSUCCESSFUL_DAYS=2.5 says",
    }
    assert {job.id for job in store.list("acme").data} == {old[2].id, old[3].id, withheld.id, young.id}


def test_what_is_released_or_retried_meanwhile_stays(
    store: JobStore, engine: Engine, generators: GeneratorStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Between the look for what is overdue and the deletion of each, somebody says that it is to be kept."""
    withheld = [
        str(store.publish((claim := claimed(store)).job.id, claim.attempt, publication("fail")).generator_id)
        for _ in range(2)
    ]
    failed = [in_state(store, Status.FAILED).id for _ in range(2)]
    with engine.begin() as connection:
        connection.execute(
            update(schema.jobs).where(schema.jobs.c.finished_at.is_not(None)).values(finished_at=from_now(-3 * DAY))
        )
        connection.execute(update(schema.generators).values(created_at=from_now(-3 * DAY)))

    def after_a_release(engine: Engine, generator_id: str, *more: Any) -> Tombstone:
        if generator_id == withheld[0]:
            generators.release(generator_id, "acme", {"reason": "reviewed"}, "r")
        return delete_generator(engine, generator_id, *more)

    def after_a_retry(engine: Engine, job_id: str, *more: Any) -> Tombstone:
        if job_id == failed[0]:
            store.publish(job_id, claimed(store, store.retry(job_id)).attempt, publication())
        return delete_job(engine, job_id, *more)

    monkeypatch.setattr("jobs.retention.delete_generator", after_a_release)
    monkeypatch.setattr("jobs.retention.delete_job", after_a_retry)
    made = delete_overdue(engine, Settings(keep_withheld_days=2, keep_unsuccessful_days=2), None)
    assert [each.deleted for each in made] == [withheld[1], failed[1]]
    assert generators.get(withheld[0]).status == "published"
    assert store.get(failed[0]).status is Status.SUCCEEDED
