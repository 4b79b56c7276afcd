"""The audit log in Postgres: what is written, that nothing but adding is done to it, and one chain of many writers."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from datetime import timedelta

import pytest
from sqlalchemy import Connection, Engine, func, insert, select, text
from sqlalchemy.exc import DBAPIError, ProgrammingError

from jobs import audit, keys, sessions, tenants, wall
from jobs.audit import ANYBODY, OPERATOR, Action, Actor, AuditLog, Entry, Wanted, digest, text_digest
from jobs.audit.entries import canonical
from jobs.audit.verification import AuditMismatch, Chain, verify
from jobs.errors import BadCursor
from jobs.generators import GeneratorStore
from jobs.schema import audit_log
from jobs.store import JobStore
from tests.store.making import at_once, claimed, created, new_job, publication

WHO = Actor("key_1", "ci", "req_1")


def log_of(engine: Engine, tenant: str | None = None) -> list[Entry]:
    """Every entry, oldest first."""
    return list(AuditLog(engine).entries(tenant))


def held(engine: Engine, tenant: str | None = None) -> tuple[Chain, ...]:
    """The chains, exported and verified."""
    return verify(canonical(entry.to_json()) + b"\n" for entry in log_of(engine, tenant))


def note(engine: Engine, tenant: str, count: int = 1) -> None:
    """So many entries of something that was read."""
    for i in range(count):
        AuditLog(engine).note(WHO, Action.REPORT_DOWNLOAD, tenant, f"job_{i}", {"file": "report.html"})


def test_everything_that_changes_something_is_told_once(engine: Engine, store: JobStore) -> None:
    tenants.create(engine, "acme", {"queued_jobs": 5})
    tenants.limit(engine, "acme", {"queued_jobs": None, "running_jobs": 2})
    key, _ = keys.create(engine, "acme", "ci", ["admin", "read"])
    new, _, _ = keys.rotate(engine, key.id, "acme", timedelta(hours=1))
    keys.revoke(engine, new.id)
    keys.revoke(engine, new.id)  # as are those below that are done twice: nothing changes
    token = sessions.start(engine, key, 60, "req_2")
    sessions.end(engine, token, "req_3")
    sessions.end(engine, token)
    request = new_job("acme", idempotency_key="k", body_sha256="0")
    job, _ = store.create(request, WHO)
    store.create(request, WHO)
    store.request_cancel(job.id, "acme", WHO)
    store.request_cancel(job.id, "acme", WHO)
    store.retry(job.id, "acme", WHO)
    claim = claimed(store, job)
    done = store.publish(job.id, claim.attempt, publication("fail"))
    store.publish(job.id, claim.attempt, publication("fail"))
    record = publication().generator.record
    assert done.generator_id is not None
    GeneratorStore(engine).release(done.generator_id, "acme", {"by": "x"}, "another", ANYBODY)

    found = log_of(engine)
    assert [(each.action, each.actor, each.actor_name, each.request_id, each.object_id) for each in found] == [
        ("tenant.create", "operator", None, None, "acme"),
        ("tenant.limit", "operator", None, None, "acme"),
        ("key.create", "operator", None, None, key.id),
        ("key.rotate", "operator", None, None, key.id),
        ("key.revoke", "operator", None, None, new.id),
        ("session.start", key.id, "ci", "req_2", key.id),
        ("session.end", key.id, "ci", "req_3", key.id),
        ("job.submit", "key_1", "ci", "req_1", job.id),
        ("job.cancel", "key_1", "ci", "req_1", job.id),
        ("job.retry", "key_1", "ci", "req_1", job.id),
        ("generator.publish", "service", "worker-1", None, done.generator_id),
        ("generator.release", "anybody", None, None, done.generator_id),
    ]
    by_action = {each.action: each for each in found}
    assert by_action["tenant.limit"].details == {"queued_jobs": None, "running_jobs": 2}
    assert by_action["tenant.limit"].before == by_action["tenant.create"].after == digest({"queued_jobs": 5})
    assert by_action["tenant.limit"].after == digest({"running_jobs": 2})
    assert by_action["key.create"].details == {
        "name": "ci", "scopes": "admin, read", "expires_at": None, "replaced_by": None
    }  # fmt: skip
    assert by_action["key.rotate"].details["replaced_by"] == new.id
    assert by_action["job.submit"].after == digest(dict(request.request))
    assert by_action["job.cancel"].details == {"status_before": "queued", "status": "cancelled"}
    published, released = by_action["generator.publish"], by_action["generator.release"]
    assert published.after == released.before == text_digest(record)
    assert released.after == text_digest("another")
    assert published.details == {"job": job.id, "verdict": "fail"}
    (chain,) = held(engine)
    assert (chain.tenant, chain.entries, chain.head) == ("acme", len(found), found[-1].hash)
    times = [each.at for each in found]
    assert times == sorted(times)


def test_what_is_refused_or_rolled_back_is_not_told(engine: Engine, store: JobStore) -> None:
    note(engine, "acme")

    class Regret(Exception):
        pass

    with suppress(Regret), engine.begin() as connection:
        audit.write(connection, OPERATOR, Action.KEY_CREATE, "acme", "key_1")
        raise Regret
    note(engine, "acme")
    assert [entry.seq for entry in log_of(engine)] == [1, 2], "and it leaves no gap"
    held(engine)


NASTY = {
    "Z": "before a, by bytes",
    "a": 'a "quoted" \\ back\\slash / and \x01\x1f\x7f \b\f\n\r\t control',
    "b": "é 漢字 \U0001f600 \u2028 \ue000 <&>",
    "c_1": 2**53,
    "c": None,
    "d": True,
    "e": -1,
    "ab": "",
}


def test_postgres_and_python_spell_alike(engine: Engine) -> None:
    with engine.begin() as connection:
        actor = Actor("key_1", NASTY["b"], NASTY["a"])
        audit.write(connection, actor, Action.KEY_CREATE, "acme", NASTY["a"], before=NASTY["b"], details=NASTY)
        audit.write(connection, OPERATOR, Action.KEY_CREATE, "acme", "none")
    assert log_of(engine)[0].details == NASTY
    held(engine)


CHANGES = ("UPDATE audit_log SET actor = 'nobody' WHERE seq = 2", "DELETE FROM audit_log", "TRUNCATE audit_log")


@pytest.mark.parametrize("change", CHANGES)
def test_nothing_is_changed_by_whomever(engine: Engine, change: str) -> None:
    note(engine, "acme", 3)
    before = log_of(engine)
    refused = "the audit log is added to and never changed"
    for settings in ("", "SET LOCAL session_replication_role = replica;"):
        with pytest.raises(ProgrammingError, match=refused), engine.begin() as connection:
            connection.execute(text(settings + change))
    with pytest.raises(ProgrammingError, match="permission denied"), wall.behind(engine, "acme").begin() as walled:
        walled.execute(text(change))
    assert log_of(engine) == before


def test_control_who_lifts_the_trigger_is_found_out(engine: Engine) -> None:
    """As the tables' owner may: docs/audit.md says how."""
    note(engine, "acme", 3)
    with engine.begin() as connection:
        connection.execute(text("ALTER TABLE audit_log DISABLE TRIGGER audit_log_is_append_only"))
        connection.execute(text(CHANGES[0]))
        connection.execute(text("ALTER TABLE audit_log ENABLE ALWAYS TRIGGER audit_log_is_append_only"))
    with pytest.raises(AuditMismatch, match="line 2: entry 2 of acme was changed"):
        held(engine)


def test_a_tenant_has_no_say_in_the_chain(engine: Engine) -> None:
    note(engine, "other")
    said = {"tenant": "acme", "actor": "key_1", "action": "x", "object_id": "y"}
    own = {"seq": 7, "at": func.now(), "previous": "0" * 64, "hash": "f" * 64}
    for name, value in own.items():
        with pytest.raises(ProgrammingError, match="permission denied"), wall.behind(engine, "acme").begin() as walled:
            walled.execute(insert(audit_log).inline().values(**said, **{name: value}))
    with pytest.raises(ProgrammingError, match="row-level security"), wall.behind(engine, "acme").begin() as walled:
        walled.execute(insert(audit_log).inline().values(**{**said, "tenant": "other"}))
    with engine.begin() as connection:  # nor has the owner, but for what it does to the trigger
        connection.execute(insert(audit_log).inline().values(**said, **own))
    assert [entry.seq for entry in log_of(engine, "acme")] == [1]
    assert [chain.entries for chain in held(engine)] == [1, 1]


def test_many_writers_make_one_chain_each(engine: Engine) -> None:
    def some(i: int) -> None:
        note(engine, f"tenant-{i % 2}", 8)

    at_once(12, some)
    assert [(chain.tenant, chain.entries) for chain in held(engine)] == [("tenant-0", 48), ("tenant-1", 48)]


def test_one_tenants_writer_does_not_wait_for_anothers(engine: Engine) -> None:
    def waits(connection: Connection, tenant: str) -> bool:
        connection.execute(text("SET LOCAL lock_timeout = '200ms'"))
        try:
            audit.write(connection, OPERATOR, Action.KEY_CREATE, tenant, "key_2")
        except DBAPIError:
            return True
        return False

    with engine.begin() as slow:
        audit.write(slow, OPERATOR, Action.KEY_CREATE, "acme", "key_1")
        for tenant, expected in (("acme", True), ("other", False)):
            with engine.connect() as connection:
                assert waits(connection, tenant) is expected
                connection.rollback()


def test_lists(engine: Engine, store: JobStore) -> None:
    note(engine, "other", 2)
    note(engine, "acme", 5)
    job = created(store)
    log = AuditLog(wall.behind(engine, wall.NOBODY))
    everything = log.list("acme", limit=100).data
    assert [entry.seq for entry in everything] == [6, 5, 4, 3, 2, 1]
    for oldest_first in (False, True):
        seen: list[Entry] = []
        after = None
        while True:
            page = log.list("acme", limit=4, after=after, oldest_first=oldest_first)
            seen += page.data
            if (after := page.next) is None:
                break
        assert seen == (list(reversed(everything)) if oldest_first else list(everything))
    wanted: dict[str, Callable[[Entry], bool]] = {
        "action": lambda entry: entry.action == Action.JOB_SUBMIT,
        "actor": lambda entry: entry.actor == WHO.id,
        "object_id": lambda entry: entry.object_id == job.id,
        "since": lambda entry: entry.at >= everything[2].at,
        "until": lambda entry: entry.at < everything[2].at,
    }
    values = {"action": Action.JOB_SUBMIT, "actor": WHO.id, "object_id": job.id}
    for name, is_wanted in wanted.items():
        found = log.list("acme", Wanted(**{name: values.get(name, everything[2].at)})).data
        assert found == tuple(entry for entry in everything if is_wanted(entry)), name
        assert 0 < len(found) < len(everything)
    for wrong in ("x", "", "bm9uZQ", "LTE", "MTIzNDU2Nzg5MDEyMzQ1Njc4OTA"):
        with pytest.raises(BadCursor):
            log.list("acme", after=wrong)


def test_all_are_exported_in_batches(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("jobs.audit.log.BATCH", 2)
    for tenant, count in (("acme", 4), ("globex", 1)):
        note(engine, tenant, count)
    assert [(entry.tenant, entry.seq) for entry in log_of(engine)] == [
        ("acme", 1), ("acme", 2), ("acme", 3), ("acme", 4), ("globex", 1)
    ]  # fmt: skip
    assert len(log_of(engine, "globex")) == 1
    with engine.connect() as connection:
        assert connection.execute(select(func.count()).select_from(audit_log)).scalar_one() == 5
