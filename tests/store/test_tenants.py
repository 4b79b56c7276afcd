"""Tenants as rows: made, limited, listed; those of an older database become rows."""

from __future__ import annotations

from typing import Any

import pytest
from sqlalchemy import Engine, NullPool, create_engine, make_url, text

from jobs import keys, tenants
from jobs.database import downgrade, make_engine, migrate
from jobs.errors import TenantExists, TenantNotFound
from jobs.store import JobStore
from jobs.tenants import Limits
from tests.store.making import created


def test_a_tenant_and_its_limits(engine: Engine) -> None:
    made = tenants.create(engine, "acme", {"queued_jobs": 5, "running_jobs": None})
    assert (made.name, made.limits) == ("acme", Limits(queued_jobs=5))
    assert tenants.limit(engine, "acme", {"running_jobs": 2}).limits == Limits(queued_jobs=5, running_jobs=2)
    assert tenants.limit(engine, "acme", {"queued_jobs": None}).limits == Limits(running_jobs=2)
    tenants.create(engine, "aaa")
    assert [(each.name, each.limits) for each in tenants.list_tenants(engine)] == [
        ("aaa", Limits()),
        ("acme", Limits(running_jobs=2)),
    ]


def test_the_first_key_or_job_makes_its_tenant(store: JobStore, engine: Engine) -> None:
    keys.create(engine, "by-key", "k", ["read"])
    created(store, "by-job")
    assert [each.name for each in tenants.list_tenants(engine)] == ["by-job", "by-key"]
    tenants.limit(engine, "by-key", {"queued_jobs": 1})
    keys.create(engine, "by-key", "k", ["read"])
    assert tenants.list_tenants(engine)[1].limits == Limits(queued_jobs=1)


def test_what_is_refused(engine: Engine) -> None:
    tenants.create(engine, "acme")
    with pytest.raises(TenantExists, match="lethe tenants limit"):
        tenants.create(engine, "acme", {"queued_jobs": 1})
    with pytest.raises(TenantNotFound, match="no tenant 'other'"):
        tenants.limit(engine, "other", {"queued_jobs": 1})
    with pytest.raises(ValueError, match="a tenant has 1 to 64 letters"):
        tenants.create(engine, "a b")
    assert tenants.list_tenants(engine)[0].limits == Limits()


@pytest.mark.parametrize("value", [-1, 1.5, "10", True, 2**53 + 1, [], float("nan")])
def test_limits_that_are_none(engine: Engine, value: Any) -> None:
    for change in (
        lambda limits: tenants.create(engine, "x", limits),
        lambda limits: tenants.limit(engine, "x", limits),
    ):
        with pytest.raises(ValueError, match="queued_jobs must be a whole number from 0") as caught:
            change({"queued_jobs": value, "speed": 3})
        assert "'speed' is no limit: there are queued_jobs, running_jobs" in str(caught.value)
    assert tenants.list_tenants(engine) == []


# As the version before writes it, which knows neither tenants nor what they use.
OLD = """
    INSERT INTO jobs (id, tenant, status, base_model, base_model_digest, request, created_at)
    VALUES ('job_1', 'acme', 'queued', 'fashion', 'sha256:0', '{}', '2026-01-02T00:00Z'),
           ('job_2', 'a name of before', 'queued', 'fashion', 'sha256:0', '{}', '2026-01-03T00:00Z');
    INSERT INTO api_keys (id, tenant, name, prefix, key_sha256, scopes, created_at)
    VALUES ('key_1', 'acme', 'k', 'p', 'x', ARRAY['read'], '2026-01-01T00:00Z');
    UPDATE jobs SET status = 'running', lease_until = now() + interval '1 minute', worker = 'w', phase = 'training'
     WHERE id = 'job_1'
"""


def test_a_database_from_before(empty_database_url: str) -> None:
    migrate(empty_database_url, "0005")
    raw = create_engine(empty_database_url, poolclass=NullPool)
    with raw.begin() as connection:
        connection.execute(text(OLD))
    migrate(empty_database_url)
    engine = make_engine(empty_database_url)
    found = {each.name: each for each in tenants.list_tenants(engine)}
    assert set(found) == {"acme", "a name of before", "default"}
    assert f"{found['acme'].created_at:%Y-%m-%d}" == "2026-01-01"
    store = JobStore(engine)
    claim = store.claim(None, "worker-1", 60)
    assert claim is not None
    assert (claim.job.id, claim.job.tenant) == ("job_2", "a name of before")
    engine.dispose()
    downgrade(empty_database_url, "0005")
    migrate(empty_database_url)
    with raw.connect() as connection:
        assert connection.execute(text("SELECT count(*) FROM jobs")).scalar_one() == 2


def test_the_version_before_goes_on(engine: Engine) -> None:
    """Its statements, beside this version's schema: new tenants, claims, and what it lets go of is counted."""
    with engine.begin() as connection:
        connection.execute(text(OLD))
        release = (
            "UPDATE jobs SET status = 'queued', lease_until = NULL, worker = NULL, phase = NULL WHERE id = 'job_1'"
        )
        connection.execute(text(release))
        assert connection.execute(text("SELECT count(*) FROM tenant_usage")).scalar_one() == 1
    assert [each.name for each in tenants.list_tenants(engine)] == ["a name of before", "acme"]


def test_a_user_that_may_make_no_roles_is_told_what_to_do(empty_database_url: str) -> None:
    """As on a managed Postgres: the tables' owner is nobody special."""
    raw = create_engine(empty_database_url, poolclass=NullPool)
    name = make_url(empty_database_url).database
    plain = f"plain_{name}"
    with raw.begin() as connection:
        connection.execute(text(f"CREATE ROLE {plain} LOGIN"))
        connection.execute(text(f"ALTER DATABASE {name} OWNER TO {plain}"))
    url = make_url(empty_database_url).set(username=plain).render_as_string(hide_password=False)
    try:
        with pytest.raises(Exception, match=f"may make no roles.*GRANT lethe_tenant TO {plain}"):
            migrate(url)
        with raw.begin() as connection:
            connection.execute(text(f"GRANT lethe_tenant TO {plain}"))
        migrate(url)
        engine = make_engine(url)
        store = JobStore(engine)
        job = created(store)
        assert store.get(job.id, "acme") == job
        assert store.list("other").data == ()
        assert store.claim(None, "worker-1", 60) is not None
        engine.dispose()
    finally:
        with raw.begin() as connection:
            connection.execute(text(f"ALTER DATABASE {name} OWNER TO CURRENT_USER"))
            connection.execute(text(f"REASSIGN OWNED BY {plain} TO CURRENT_USER"))
            connection.execute(text(f"DROP OWNED BY {plain}"))
            connection.execute(text(f"DROP ROLE {plain}"))
