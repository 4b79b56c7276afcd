"""A withheld generator is released once, by its tenant, into a new record; nothing else about it changes."""

from __future__ import annotations

import dataclasses
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from typing import Any

import pytest
from sqlalchemy import Connection, Engine, select, text
from sqlalchemy.exc import IntegrityError

from jobs import audit, rows
from jobs.audit import Action, Actor
from jobs.case import Case
from jobs.errors import GeneratorNotFound, GeneratorNotWithheld
from jobs.generators import Generator, GeneratorStore
from jobs.ids import new_id
from jobs.schema import generators as table
from jobs.schema import jobs
from jobs.store import JobStore
from tests.store.making import at_once, claimed, new_job, publication
from tests.support.waiting import wait_for

RELEASE = {"by": {"key": "key_1"}, "reason": "reviewed by hand", "at": "2025-01-01T00:00:00Z"}


def made(store: JobStore, verdict: str = "fail") -> str:
    """The id of acme's generator with this verdict."""
    generator_id = store.publish(claimed(store).job.id, 1, publication(verdict)).generator_id
    assert generator_id is not None
    return generator_id


@pytest.mark.parametrize("verdict", ["fail", "inconclusive"])
def test_a_release_changes_status_and_record_alone(store: JobStore, generators: GeneratorStore, verdict: str) -> None:
    before = generators.get(made(store, verdict))
    assert (before.status, before.release) == ("withheld", None)
    assert before.record == publication().generator.record
    released = generators.release(before.id, "acme", RELEASE, "another record")
    assert released == dataclasses.replace(before, status="published", release=RELEASE, record="another record")
    assert generators.get(before.id) == released
    assert [generator.id for generator in generators.list("acme").data] == [before.id]


def test_only_what_is_withheld_can_be_released(store: JobStore, generators: GeneratorStore) -> None:
    passed, withheld = made(store, "pass"), made(store)
    with pytest.raises(GeneratorNotWithheld, match="its evaluation passed"):
        generators.release(passed, "acme", RELEASE, "r")
    generators.release(withheld, "acme", RELEASE, "first")
    with pytest.raises(GeneratorNotWithheld, match="it was released at 2025-01-01T00:00:00Z"):
        generators.release(withheld, "acme", RELEASE | {"reason": "again"}, "second")
    assert generators.get(withheld).record == "first"


def test_another_tenant_releases_nothing(store: JobStore, generators: GeneratorStore) -> None:
    generator_id = made(store)
    for wrong, tenant in ((generator_id, "other"), (new_id("gen"), "acme"), ("gen_\0", "acme")):
        with pytest.raises(GeneratorNotFound):
            generators.release(wrong, tenant, RELEASE, "r")
    assert generators.get(generator_id).status == "withheld"


def test_of_releases_at_once_one_wins(store: JobStore, generators: GeneratorStore) -> None:
    generator_id = made(store)

    def release(i: int) -> Generator | None:
        try:
            return generators.release(generator_id, "acme", RELEASE | {"reason": f"reason {i}"}, f"record {i}")
        except GeneratorNotWithheld:
            return None

    (winner,) = [released for released in at_once(8, release) if released is not None]
    assert generators.get(generator_id) == winner
    assert winner.release is not None
    assert winner.record == f"record {winner.release['reason'].split()[1]}"


DUE = Case(due_at=datetime(2025, 1, 1, tzinfo=UTC))
WAITING = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"


def waiting(engine: Engine) -> int:
    """How many transactions wait for a lock."""
    with engine.connect() as connection:
        return int(connection.execute(text(WAITING)).scalar_one())


def test_a_release_locks_the_job_first_as_a_deletion_does(store: JobStore, engine: Engine) -> None:
    """Who has the job locked gets the generator too: a release waits for the one, and holds not yet the other."""
    job = store.publish(claimed(store, store.create(new_job(case=DUE))[0]).job.id, 1, publication("fail"))
    generators = GeneratorStore(engine)
    with ThreadPoolExecutor(1) as pool:
        with engine.begin() as deletion:
            rows.lock(deletion, jobs.c.id == job.id)
            release = pool.submit(generators.release, str(job.generator_id), "acme", RELEASE, "r")
            wait_for(lambda: waiting(engine))
            deletion.execute(select(table).where(table.c.job_id == job.id).with_for_update(nowait=True))
        assert release.result(10).status == "published"


def test_a_case_that_is_corrected_during_a_release_is_answered(
    store: JobStore, engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    generator_id = made(store)
    job_id = GeneratorStore(engine).get(generator_id).job_id
    write = audit.write
    with ThreadPoolExecutor(1) as pool:

        def corrected_meanwhile(connection: Connection, by: Actor, action: Action, *more: Any, **named: Any) -> None:
            if action is Action.GENERATOR_RELEASE:
                correction = pool.submit(store.correct, job_id, "acme", lambda _: DUE)
                wait_for(lambda: correction.done() or waiting(engine))
            write(connection, by, action, *more, **named)

        monkeypatch.setattr("jobs.generators.audit.write", corrected_meanwhile)
        GeneratorStore(engine).release(generator_id, "acme", RELEASE, "r")
    job = store.get(job_id)
    assert (job.due_at, job.overdue_from) == (DUE.due_at, None)


@pytest.mark.parametrize(
    ("verdict", "change", "constraint"),
    [
        ("fail", "status = 'published'", "status"),
        ("fail", "release = '{}'", "status"),
        ("pass", "release = '{}'", "release"),
        ("pass", "status = 'withheld'", "status"),
    ],
)
def test_a_release_without_sense_cannot_be_written(
    store: JobStore, engine: Engine, verdict: str, change: str, constraint: str
) -> None:
    made(store, verdict)
    with pytest.raises(IntegrityError, match=f"ck_generators_{constraint}"), engine.begin() as connection:
        connection.execute(text(f"UPDATE generators SET {change}"))
