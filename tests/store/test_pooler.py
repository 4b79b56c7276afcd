"""Behind PgBouncer in transaction mode: every transaction may be on another connection to Postgres."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
from sqlalchemy import make_url, text

from jobs import keys, sessions
from jobs.database import make_engine, migrate, revision
from jobs.states import Status
from jobs.store import JobStore
from local.unprivileged import find_account
from processes.process import Process
from tests.store.making import at_once, claimed, created
from tests.support.waiting import wait_for

PGBOUNCER = shutil.which("pgbouncer", path="/usr/sbin:/usr/bin:/usr/local/bin")
CONNECTIONS = 3
"""To Postgres, for any number of clients."""

pytestmark = pytest.mark.skipif(PGBOUNCER is None, reason="PgBouncer is not installed (Debian's package pgbouncer)")


@pytest.fixture
def pooled_url(database_url: str) -> Iterator[str]:
    """The database behind a pooler with a socket of its own."""
    url = make_url(database_url)
    # Not pytest's own temporary folder: the pooler runs as Postgres does, to whom that is closed where we are root.
    folder = Path(tempfile.mkdtemp(prefix="lethe-pooler-", dir="/tmp"))
    folder.chmod(0o777)
    configuration = folder / "pgbouncer.ini"
    configuration.write_text(
        f"""
        [databases]
        {url.database} = host={url.query["host"]} user={url.username}
        [pgbouncer]
        unix_socket_dir = {folder}
        listen_addr =
        listen_port = 6432
        auth_type = any
        pool_mode = transaction
        default_pool_size = {CONNECTIONS}
        server_reset_query =
        """
    )
    assert PGBOUNCER is not None
    other = find_account()
    user = None if other is None else other.popen()
    pooler = Process([PGBOUNCER, str(configuration)], folder / "log", user=user)
    pooled = url.set(query={"host": str(folder), "port": "6432"})

    def answers() -> bool:
        assert not pooler.ended(), pooler.last_words()
        try:
            with psycopg.connect(host=str(folder), port=6432, user=url.username, dbname=url.database):
                return True
        except psycopg.OperationalError:
            return False

    try:
        wait_for(answers, 20)
        yield pooled.render_as_string(hide_password=False)
    finally:
        pooler.kill()
        shutil.rmtree(folder)


def test_jobs_by_many_threads(pooled_url: str) -> None:
    engine = make_engine(pooled_url, pool_size=12)
    store = JobStore(engine)
    # More of each thread than a driver takes to prepare a statement on the server.
    jobs = [job for made in at_once(12, lambda _: [created(store) for _ in range(10)]) for job in made]
    assert {store.get(job.id).status for job in jobs} == {Status.QUEUED}
    claims = at_once(12, lambda i: claimed(store, jobs[i]))
    assert {claim.attempt for claim in claims} == {1}
    assert store.counts()[Status.RUNNING] == 12
    key, secret = keys.create(engine, "acme", "behind a pooler", ["read"])
    opened = sessions.authenticate(engine, sessions.start(engine, key, 60))
    assert opened.id == keys.authenticate(engine, secret).id == key.id
    engine.dispose()


def test_limits_hold_in_each_transaction_and_are_nobody_elses(pooled_url: str) -> None:
    ask = text("SELECT current_setting('statement_timeout'), current_setting('timezone'), now()")
    ours, others = make_engine(pooled_url, statement_timeout_seconds=7), make_engine(pooled_url)

    def look(i: int) -> tuple[str, str, object]:
        with (ours if i % 2 else others).connect() as connection:
            timeout, zone, now = connection.execute(ask).one()
        return timeout, zone, now.utcoffset().total_seconds()

    for _ in range(5):
        assert set(at_once(8, look)) == {("7s", "UTC", 0.0), ("30s", "UTC", 0.0)}
    for engine in (ours, others):
        engine.dispose()


def test_migrations(pooled_url: str) -> None:
    before = revision(pooled_url)
    migrate(pooled_url)
    assert revision(pooled_url) == before


def test_options_of_whoever_wrote_the_url_are_kept(database_url: str) -> None:
    engine = make_engine(f"{database_url}&options=-csearch_path%3Dpg_catalog")
    with engine.connect() as connection:
        assert connection.execute(text("SHOW search_path")).scalar_one() == "pg_catalog"
        assert connection.execute(text("SHOW timezone")).scalar_one() == "UTC"
    engine.dispose()
