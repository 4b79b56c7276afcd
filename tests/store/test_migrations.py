"""Migrations: up, down and up again; the same schema as the code's tables; several processes at once."""

from __future__ import annotations

import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import alembic.command
import pytest
from alembic.config import Config
from sqlalchemy import Engine, NullPool, create_engine, inspect, text
from sqlalchemy.exc import IntegrityError, OperationalError

from jobs import schema, storage
from jobs.database import MIGRATIONS, downgrade, head, make_engine, migrate, revision
from jobs.deleting import Order, delete_generator, delete_job
from jobs.states import Status
from jobs.store import JobStore
from jobs.webhooks import WebhookStore
from tests.store.making import count, created, in_state, new_webhook
from tests.support.waiting import wait_for

# Everything that Postgres knows of a schema: what columns, constraints and indexes say in its own words.
CATALOGUE = """
    SELECT 'column', table_name || '.' || column_name,
           concat_ws(' ', data_type, collation_name, is_nullable, column_default, is_identity)
      FROM information_schema.columns WHERE table_schema = 'public'
    UNION ALL
    SELECT 'constraint', conrelid::regclass || '.' || conname, pg_get_constraintdef(oid)
      FROM pg_constraint WHERE connamespace = 'public'::regnamespace AND contype <> 'n'
    UNION ALL
    SELECT 'index', indexname, indexdef FROM pg_indexes WHERE schemaname = 'public'
    ORDER BY 1, 2
"""


def catalogue(url: str) -> list[tuple[str, ...]]:
    engine = create_engine(url, poolclass=NullPool)
    with engine.connect() as connection:
        rows = [tuple(row) for row in connection.execute(text(CATALOGUE))]
    return [row for row in rows if "alembic_version" not in row[1]]


def test_up_down_and_up(empty_database_url: str) -> None:
    assert revision(empty_database_url) is None
    migrate(empty_database_url)
    up = catalogue(empty_database_url)
    assert revision(empty_database_url) == head()
    assert len(up) > 50
    downgrade(empty_database_url, "base")
    assert catalogue(empty_database_url) == []
    assert revision(empty_database_url) is None
    migrate(empty_database_url)
    assert catalogue(empty_database_url) == up


def test_the_migrated_schema_is_that_of_the_code(database_url: str, empty_database_url: str) -> None:
    engine = create_engine(empty_database_url, poolclass=NullPool)
    schema.metadata.create_all(engine)
    assert catalogue(database_url) == catalogue(empty_database_url)


def test_alembic_finds_nothing_to_do(database_url: str) -> None:
    config = Config(str(MIGRATIONS / "alembic.ini"))
    config.attributes["url"] = database_url
    alembic.command.check(config)


def test_alembic_on_its_own_reads_the_settings(database_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LETHE_DATABASE_URL", database_url)
    alembic.command.check(Config(str(MIGRATIONS / "alembic.ini")))


def test_migrating_at_once(empty_database_url: str) -> None:
    program = "import sys; from jobs.database import migrate; migrate(sys.argv[1])"
    processes = [subprocess.Popen([sys.executable, "-c", program, empty_database_url]) for _ in range(2)]
    assert [process.wait(60) for process in processes] == [0, 0]
    assert revision(empty_database_url) == head()


def test_migrating_again_keeps_the_jobs(store: JobStore, database_url: str) -> None:
    job = created(store)
    migrate(database_url)
    assert store.get(job.id) == job


WAITS = """
    SELECT count(*) FROM pg_locks JOIN pg_database ON pg_database.oid = pg_locks.database
     WHERE NOT granted AND datname = current_database()
"""


@pytest.mark.parametrize(
    "locks",
    [
        ("jobs", "tenant_usage"),  # as a lease that is given up does, by a trigger
        ("jobs", "tenants"),
        ("reports", "jobs"),
        ("tenant_usage", "jobs"),
        ("outbox", "tenants"),
    ],
)
def test_a_migration_gives_way_to_who_is_at_work(empty_database_url: str, locks: tuple[str, str]) -> None:
    """One that has what the other waits for, and waits for what the other has: whoever is at work loses nothing."""
    migrate(empty_database_url)
    engine = create_engine(empty_database_url, poolclass=NullPool)
    first, then = (text(f"LOCK TABLE {table} IN ROW EXCLUSIVE MODE") for table in locks)
    with ThreadPoolExecutor(1) as pool, engine.connect() as looking:
        with engine.begin() as at_work:
            at_work.execute(first)
            down = pool.submit(downgrade, empty_database_url, "0005")
            wait_for(lambda: looking.execute(text(WAITS)).scalar_one())
            at_work.execute(then)
        down.result(60)
    assert revision(empty_database_url) == "0005"


@pytest.mark.slow
def test_a_migration_that_gets_no_lock_says_so_in_the_end(empty_database_url: str) -> None:
    migrate(empty_database_url, "0005")
    engine = create_engine(empty_database_url, poolclass=NullPool)
    with engine.begin() as at_work:
        at_work.execute(text("LOCK TABLE jobs IN ROW EXCLUSIVE MODE"))
        with pytest.raises(OperationalError, match="lock timeout"):
            migrate(empty_database_url)
    assert revision(empty_database_url) == "0005"


ROWS = """
    INSERT INTO jobs (id, tenant, status, verdict, generator_id, base_model, base_model_digest, request, finished_at)
    SELECT 'job_' || verdict, 'acme', 'succeeded', verdict, 'gen_' || verdict, 'fashion', 'sha256:0', '{}', now()
      FROM unnest(ARRAY['pass', 'fail']) AS verdict;
    INSERT INTO generators (id, tenant, job_id, attempt, status, verdict, base_model, base_model_digest, forget,
                            figures, files, digest, record)
    SELECT generator_id, tenant, id, 1, CASE verdict WHEN 'pass' THEN 'published' ELSE 'withheld' END, verdict,
           base_model, base_model_digest, '[]', '{}', '{}', 'sha256:1', 'r'
      FROM jobs
"""


def test_a_release_and_the_way_back(empty_database_url: str) -> None:
    """The schema before knows no release: what was released is withheld again."""
    migrate(empty_database_url)
    engine = create_engine(empty_database_url, poolclass=NullPool)
    with engine.begin() as connection:
        connection.execute(text(ROWS))
        connection.execute(text("UPDATE generators SET status = 'published', release = '{}' WHERE id = 'gen_fail'"))
    downgrade(empty_database_url, "0001")
    with engine.connect() as connection:
        rows = connection.execute(text("SELECT id, status FROM generators ORDER BY id")).all()
    assert [tuple(row) for row in rows] == [("gen_fail", "withheld"), ("gen_pass", "published")]


HOOK = """
    INSERT INTO webhooks (id, tenant, kind, shown_url, sealed_url, events)
    VALUES (:kind, 'acme', :kind, :url, 'sealed', '{job.failed}')
"""


def test_urls_that_were_shown_are_no_more(empty_database_url: str) -> None:
    migrate(empty_database_url, "0014")
    engine = create_engine(empty_database_url, poolclass=NullPool)
    urls = {"webhook": "https://hooks.example:8443/services?token=t", "email": "mailto:ops@studio.example"}
    with engine.begin() as connection:
        connection.execute(text(ROWS))
        connection.execute(
            text("UPDATE jobs SET webhook = jsonb_build_object('id', 'hook_1', 'url', CAST(:url AS text))"),
            {"url": urls["webhook"]},
        )
        connection.execute(text(HOOK), [{"kind": kind, "url": url} for kind, url in urls.items()])
    migrate(empty_database_url)
    with engine.connect() as connection:
        shown = connection.execute(text("SELECT kind, shown_url FROM webhooks")).all()
        of_jobs = connection.execute(text("SELECT webhook FROM jobs")).scalars().all()
    assert dict(map(tuple, shown)) == urls | {"webhook": "https://hooks.example:8443/..."}
    assert of_jobs == [{"id": "hook_1", "url": "https://hooks.example:8443/..."}] * 2


UNSIGNED = '{"signatures": []}'


def test_a_deletion_and_the_way_back(empty_database_url: str) -> None:
    """The schema before knows no deletion: the row stays, so that a reaper leaves the report alone, and is nobody's."""
    migrate(empty_database_url)
    engine = create_engine(empty_database_url, poolclass=NullPool)
    with engine.begin() as connection:
        connection.execute(text(ROWS))
        connection.execute(
            text(f"UPDATE generators SET id = 'gen_{'0' * 32}', record = '{UNSIGNED}' WHERE verdict = 'pass'")
        )
        connection.execute(text("INSERT INTO reports SELECT id, 1, '{}', '{\"r\": {\"size\": 3}}' FROM jobs"))
    delete_generator(make_engine(empty_database_url), "gen_" + "0" * 32, "acme", Order("somebody", "no reason"))
    downgrade(empty_database_url, "0008")
    with engine.connect() as connection:
        rows = connection.execute(text("SELECT job_id, tenant, files FROM generators ORDER BY verdict")).all()
        assert connection.execute(text("SELECT count(*) FROM reports")).scalar_one() == 2
    assert [tuple(row) for row in rows] == [("job_fail", "acme", {}), ("job_pass", "", {})]
    migrate(empty_database_url)
    usage = storage.usage(make_engine(empty_database_url))
    assert {kind: each.objects for kind, each in usage.items() if each.objects} == {"withheld": 1, "reports": 2}
    assert usage["reports"].bytes == 6


def test_what_is_told_of_a_deleted_job_and_the_way_back(empty_database_url: str) -> None:
    """The schema before has no deliveries of jobs that are not there."""
    migrate(empty_database_url)
    engine = make_engine(empty_database_url)
    store = JobStore(engine)
    WebhookStore(engine).create("acme", new_webhook())
    kept, gone = in_state(store, Status.CANCELLED), in_state(store, Status.CANCELLED)
    delete_job(engine, gone.id, "acme", Order("somebody", "no reason"))
    assert count(engine, "deliveries") == 2
    downgrade(empty_database_url, "0014")
    with engine.connect() as connection:
        assert connection.execute(text("SELECT job_id FROM deliveries")).scalars().all() == [kept.id]


def test_generators_without_a_record_are_named_and_left_as_they_are(empty_database_url: str) -> None:
    migrate(empty_database_url, "0002")
    engine = create_engine(empty_database_url, poolclass=NullPool)
    with engine.begin() as connection:
        connection.execute(text(ROWS))
        connection.execute(text("UPDATE generators SET record = NULL"))
    with pytest.raises(RuntimeError, match="2 generators have no record"):
        migrate(empty_database_url)
    assert revision(empty_database_url) == "0002"
    with engine.begin() as connection:
        connection.execute(text("UPDATE generators SET record = 'r'"))
    migrate(empty_database_url)


def test_a_migration_that_fails_leaves_the_schema_as_it_was(empty_database_url: str) -> None:
    engine = create_engine(empty_database_url, poolclass=NullPool)
    with engine.begin() as connection:
        connection.execute(text("CREATE TABLE reports (in_the_way int)"))
    with pytest.raises(Exception, match="reports"):
        migrate(empty_database_url)
    assert inspect(engine).get_table_names() == ["reports"]


@pytest.mark.parametrize(
    ("change", "constraint"),
    [
        ("status = 'lost'", "status"),
        ("phase = 'resting'", "held|phase"),
        ("status = 'running'", "held"),
        ("status = 'succeeded', finished_at = now()", "succeeded"),
        ("status = 'failed', finished_at = now()", "failed"),
        ("status = 'cancelled', finished_at = now()", "cancel_requested"),
        ("cancel_requested_at = now()", "cancel_requested"),
        ("finished_at = now()", "finished"),
        ("error = '{}'", "failed"),
        ("verdict = 'pass', generator_id = 'gen_1'", "succeeded"),
        ("verdict = 'good'", "verdict|succeeded"),
        ("worker = 'w'", "held"),
        ("attempt = -1", "counters"),
    ],
)
def test_a_row_without_sense_cannot_be_written(store: JobStore, engine: Engine, change: str, constraint: str) -> None:
    created(store)
    with pytest.raises(IntegrityError, match=f"ck_jobs_({constraint})"), engine.begin() as connection:
        connection.execute(text(f"UPDATE jobs SET {change}"))


@pytest.mark.parametrize("status", list(Status))
def test_each_state_can_be_written(store: JobStore, status: Status) -> None:
    assert in_state(store, status).status is status
