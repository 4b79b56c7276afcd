"""The second wall: with the role that requests run as, a query that forgets its tenant sees nothing of another's."""

from __future__ import annotations

import pytest
from sqlalchemy import Engine, Table, delete, func, insert, select, text, update
from sqlalchemy.exc import ProgrammingError

from jobs import keys, quotas, schema, sessions, storage, wall
from jobs.database import make_engine
from jobs.deleting import Order, delete_job
from jobs.errors import GeneratorNotFound, JobNotFound
from jobs.generators import GeneratorStore
from jobs.states import Status
from jobs.store import JobStore
from jobs.webhooks import WebhookStore
from tests.store.making import at_once, claimed, created, in_state, new_job, new_webhook, publication
from tests.store.test_pooler import pooled_url as pooled_url

OF_TENANTS = (
    "tenants",
    "tenant_usage",
    "jobs",
    "job_labels",
    "events",
    "outbox",
    "idempotency_keys",
    "generators",
    "reports",
    "tombstones",
    "storage_counts",
    "work_folders",
    "audit_log",
    "webhooks",
    "deliveries",
)
NOBODYS = ("api_keys", "sessions", "job_counts", "workers", "rates")
"""What requests have no business with: not even their own tenant's rows."""


@pytest.fixture
def two(store: JobStore, engine: Engine) -> Engine:
    """Two tenants, ``acme`` and ``other``, each with rows in every table."""
    for tenant in ("acme", "other"):
        WebhookStore(engine).create(tenant, new_webhook())
        store.create(new_job(tenant, idempotency_key="k", body_sha256="0"))
        claim = claimed(store, created(store, tenant))
        store.publish(claim.job.id, claim.attempt, publication())
        delete_job(engine, store.request_cancel(created(store, tenant).id).id, tenant, Order("somebody", "no reason"))
        storage.measured(engine, f"host-{tenant}:/work", {claim.job.id: 1})
        key, _ = keys.create(engine, tenant, "key", ["admin"])
        sessions.start(engine, key, 60)
    return engine


def rows(engine: Engine, table: Table) -> int:
    """How many rows a query sees that says nothing of a tenant."""
    with engine.connect() as connection:
        return connection.execute(select(func.count()).select_from(table)).scalar_one()


def test_the_tables_are_all() -> None:
    assert {*OF_TENANTS, *NOBODYS} == set(schema.metadata.tables)


@pytest.mark.parametrize("name", OF_TENANTS)
def test_a_query_without_its_tenant(two: Engine, name: str) -> None:
    table = schema.metadata.tables[name]
    everything = rows(two, table)
    acme, other = (rows(wall.behind(two, tenant), table) for tenant in ("acme", "other"))
    assert acme > 0
    assert other > 0
    assert acme + other == everything
    assert rows(wall.behind(two, wall.NOBODY), table) == 0
    assert rows(wall.behind(two, "acme' OR true --"), table) == 0


@pytest.mark.parametrize("name", OF_TENANTS)
def test_control_without_the_policy_it_sees_all(two: Engine, name: str) -> None:
    with two.begin() as connection:
        connection.execute(text(f"ALTER TABLE {name} DISABLE ROW LEVEL SECURITY"))
    try:
        with pytest.raises(AssertionError):
            test_a_query_without_its_tenant(two, name)
    finally:
        with two.begin() as connection:
            connection.execute(text(f"ALTER TABLE {name} ENABLE ROW LEVEL SECURITY"))


@pytest.mark.parametrize("name", NOBODYS)
def test_tables_that_requests_do_not_read(two: Engine, name: str) -> None:
    with pytest.raises(ProgrammingError, match="permission denied"):
        rows(wall.behind(two, "acme"), schema.metadata.tables[name])


@pytest.mark.parametrize("name", [*OF_TENANTS, *NOBODYS])
def test_nothing_is_deleted(two: Engine, name: str) -> None:
    with pytest.raises(ProgrammingError, match="permission denied"), wall.behind(two, "acme").begin() as connection:
        connection.execute(delete(schema.metadata.tables[name]))


def test_another_tenants_rows_are_not_written(two: Engine, store: JobStore) -> None:
    other = store.list("other").data[0]
    with wall.behind(two, "acme").begin() as connection:
        changed = connection.execute(update(schema.jobs).where(schema.jobs.c.id == other.id).values(metadata={"a": 1}))
        assert changed.rowcount == 0
        assert connection.execute(update(schema.jobs).values(metadata={"a": 1})).rowcount == 2
    assert store.get(other.id).metadata == {}
    new = {"id": "job_1", "tenant": "other", "status": "queued", "base_model": "m", "base_model_digest": "d"}
    for write in (
        insert(schema.jobs).values(**new, request={}),
        update(schema.jobs).values(tenant="other"),
        insert(schema.events).values(job_id=other.id, seq=99, type="job.queued", data={}, attempt=0),
        insert(schema.outbox).values(job_id=other.id),
        update(schema.webhooks).values(tenant="other"),
        update(schema.deliveries).values(tenant="other"),
    ):
        with (
            pytest.raises(ProgrammingError, match="row-level security"),
            wall.behind(two, "acme").begin() as connection,
        ):
            connection.execute(write)


def test_limits_are_not_a_tenants_to_raise(two: Engine) -> None:
    for write in (
        update(schema.tenants).values(limits={}),
        insert(schema.tenants).values(name="acme", limits={"queued_jobs": 10**9}),
    ):
        with pytest.raises(ProgrammingError, match="permission denied"), wall.behind(two, "acme").begin() as connection:
            connection.execute(write)


def test_a_call_that_forgets_its_tenant_finds_nothing(two: Engine, store: JobStore) -> None:
    """As the api's stores are made."""
    walled, generators = JobStore(wall.behind(two, wall.NOBODY)), GeneratorStore(wall.behind(two, wall.NOBODY))
    for job in store.list("acme").data:
        assert walled.get(job.id, "acme") == job
        for call in (walled.get, walled.request_cancel, walled.retry, walled.events):
            with pytest.raises(JobNotFound):
                call(job.id)
        assert generators.for_job(job.id) is None
        if job.generator_id is not None:
            assert generators.get(job.generator_id, "acme").tenant == "acme"
            with pytest.raises(GeneratorNotFound):
                generators.get(job.generator_id)


def test_what_a_request_does_goes_through_the_wall(engine: Engine) -> None:
    walled = JobStore(wall.behind(engine, wall.NOBODY))
    job, _ = walled.create(new_job("new", idempotency_key="k", body_sha256="0"))
    assert walled.create(new_job("new", idempotency_key="k", body_sha256="0")) == (job, False)
    assert [event.seq for event in walled.events(job.id, tenant="new")] == [1]
    assert walled.request_cancel(job.id, "new").status is Status.CANCELLED
    again = walled.retry(job.id, "new")
    assert again.status is Status.QUEUED
    assert len(walled.told(again, 0, 10, 10)[0]) == 3
    assert quotas.usage(engine, "new")[1]["queued_jobs"] == 1


def test_workers_see_all_tenants(two: Engine, store: JobStore) -> None:
    assert {claimed.job.tenant for i in range(2) if (claimed := store.claim(None, f"w{i}", 60))} == {"acme", "other"}


def test_the_tenant_is_the_transactions_alone(pooled_url: str) -> None:
    """Behind a pooler: the next transaction on the same connection to Postgres is somebody else's."""
    engine = make_engine(pooled_url, pool_size=12)
    ask = text("SELECT current_user, current_setting('lethe.tenant', true), (SELECT count(*) FROM jobs)")
    store = JobStore(engine)
    for i in range(3):
        for _ in range(i + 1):
            created(store, f"tenant-{i}")

    def look(i: int) -> None:
        tenant = f"tenant-{i % 3}" if i % 4 else None
        with wall.behind(engine, tenant).connect() as connection:
            user, setting, seen = connection.execute(ask).one()
        assert (user == wall.ROLE, setting or None) == (tenant is not None, tenant)
        assert seen == (6 if tenant is None else i % 3 + 1)

    for _ in range(5):
        at_once(12, look)
    engine.dispose()


def test_in_each_state(store: JobStore, engine: Engine) -> None:
    for status in Status:
        job = in_state(store, status)
        assert JobStore(wall.behind(engine, wall.NOBODY)).get(job.id, "acme") == job
