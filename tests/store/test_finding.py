"""Finding jobs: by ticket, concept, verdict, time and the end of an id; of one's own alone, and from indexes."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import Engine, NullPool, create_engine, select, text

from jobs import wall
from jobs.case import NO_CASE, Case
from jobs.database import downgrade, migrate
from jobs.errors import BadCursor, JobNotFound
from jobs.finding import Wanted, label
from jobs.finding_generators import WantedGenerators
from jobs.generators import Generator, GeneratorStore
from jobs.ids import first_id, new_id
from jobs.job import Job
from jobs.paging import cursor
from jobs.schema import job_labels, jobs
from jobs.states import Status
from jobs.store import JobStore
from tests.store.making import DIVERGED, claimed, new_job, publication


def submitted(store: JobStore, tenant: str = "acme", concepts: tuple[str, ...] = ("Sneaker",), **metadata: str) -> Job:
    new = new_job(tenant)
    forget = [{"concept": concept, "override": "Sandal"} for concept in concepts]
    return store.create(dataclasses.replace(new, request={**new.request, "forget": forget}, metadata=metadata))[0]


def found(store: JobStore, tenant: str = "acme", **wanted: Any) -> list[str]:
    return [job.id for job in store.list(tenant, Wanted(**wanted), 100).data]


def test_by_ticket_and_other_metadata(store: JobStore) -> None:
    first = submitted(store, ticket="T-1", team="trust")
    second = submitted(store, ticket="T-1", team="brand")
    submitted(store, ticket="T-12")
    submitted(store)
    theirs = submitted(store, "other", ticket="T-1")
    assert found(store, metadata={"ticket": "T-1"}) == [second.id, first.id]
    assert found(store, metadata={"ticket": "T-1", "team": "trust"}) == [first.id]
    assert found(store, metadata={"team": "T-1"}) == found(store, metadata={"ticket": "t-1"}) == []
    assert found(store, "other", metadata={"ticket": "T-1"}) == [theirs.id]


@pytest.mark.parametrize(
    "metadata",
    [
        {"a": "b=c"},
        {"a=b": "c"},
        {"concept": "Sneaker"},
        {"": "x"},
        {"ключ": "значение " * 55},
        {"quote'\"\\": "%_?:x"},
        {"many": "\U0001f45f" * 500},
    ],
)
def test_whatever_a_key_and_a_value_are(store: JobStore, metadata: Mapping[str, str]) -> None:
    """The digest that is looked for is the one that the trigger wrote, and no other pair has it."""
    job = submitted(store, concepts=("Bag",), **metadata)
    submitted(store, concepts=("Bag",), **{f"{key}x": value for key, value in metadata.items()})
    ((key, value),) = metadata.items()
    assert found(store, metadata=metadata) == [job.id]
    assert found(store, metadata={key + value[0]: value[1:]}) == []
    assert found(store, concept="Sneaker") == []


def test_by_concept(store: JobStore) -> None:
    both = submitted(store, concepts=("Sneaker", "Bag"))
    one = submitted(store, concepts=("Bag",))
    twice = submitted(store, concepts=("Coat", "Coat"))
    assert found(store, concept="Bag") == [one.id, both.id]
    assert found(store, concept="Sneaker") == [both.id]
    assert found(store, concept="Coat") == [twice.id]
    assert found(store, concept="bag") == found(store, concept="Ba\0g") == []


def test_by_verdict(store: JobStore) -> None:
    ids = {}
    for verdict in ("pass", "fail"):
        claim = claimed(store, submitted(store))
        store.publish(claim.job.id, claim.attempt, publication(verdict))
        ids[verdict] = claim.job.id
    submitted(store)
    assert found(store, verdict="pass") == [ids["pass"]]
    assert found(store, verdict="fail") == [ids["fail"]]
    assert found(store, verdict="inconclusive") == []


def test_by_time(store: JobStore, engine: Engine) -> None:
    """The first moment is in it, the last is not; whatever the clock that made the id."""
    job = submitted(store)
    at = job.created_at
    assert found(store, created_after=at) == [job.id]
    assert found(store, created_after=at + timedelta(microseconds=1)) == []
    assert found(store, created_before=at) == []
    assert found(store, created_before=at + timedelta(microseconds=1)) == [job.id]
    with engine.begin() as connection:
        connection.execute(jobs.update().values(created_at=at + timedelta(minutes=50)))
    assert found(store, created_after=at + timedelta(minutes=49)) == [job.id]
    for far in (datetime(1, 1, 1, tzinfo=UTC), datetime(9999, 12, 31, tzinfo=UTC)):
        assert found(store, created_after=far) == ([job.id] if far.year == 1 else [])
        assert found(store, created_before=far) == ([] if far.year == 1 else [job.id])


def test_ids_sort_by_the_time_that_they_are_asked_for() -> None:
    before, job_id, after = datetime.now(UTC), new_id("job"), datetime.now(UTC) + timedelta(milliseconds=1)
    assert first_id("job", before.timestamp()) <= job_id < first_id("job", after.timestamp())


def test_by_the_end_of_an_id_and_by_text(store: JobStore) -> None:
    ticket = submitted(store, ticket="T-77")
    concept = submitted(store, concepts=("T-77", "Bag"))
    submitted(store, other="T-77")
    part = ticket.id[-9:]
    assert found(store, id=part) == found(store, id=ticket.id) == found(store, text=part) == [ticket.id]
    assert found(store, id="x" + part) == found(store, id=part[:-1]) == found(store, id=part[-5:]) == []
    assert found(store, id="%" + part[-5:]) == found(store, id="\0" * 6) == []
    assert found(store, text="T-77") == [concept.id, ticket.id]


DUE = datetime(2020, 1, 1, tzinfo=UTC)
LATER = datetime(2100, 1, 1, tzinfo=UTC)


def due(store: JobStore, at: datetime | None = DUE, ticket: str | None = None) -> Job:
    return store.create(dataclasses.replace(new_job(), case=Case(ticket=ticket, due_at=at)))[0]


def test_by_the_ticket_of_its_case_also_once_it_is_corrected(store: JobStore, engine: Engine) -> None:
    job, other = due(store, ticket="T-1"), due(store, ticket="T-10")
    submitted(store, ticket="T-1")
    assert found(store, ticket="T-1") == [job.id]
    assert found(store, text="T-10") == [other.id]
    walled = JobStore(wall.behind(engine, wall.NOBODY))  # whose role deletes nothing
    corrected = walled.correct(job.id, "acme", lambda job: dataclasses.replace(job.case, ticket="T-2"))
    assert (corrected.case, corrected.version) == (Case(ticket="T-2", due_at=DUE), job.version + 1)
    assert found(store, ticket="T-1") == []
    assert found(store, ticket="T-2") == found(store, text="T-2") == [job.id]
    assert store.events(job.id)[-1].data == {"fields": ["ticket"]}
    assert walled.correct(job.id, "acme", lambda job: job.case) == corrected
    assert walled.correct(job.id, "acme", lambda job: NO_CASE).due_at is None
    assert found(store, ticket="T-2") == []
    with pytest.raises(JobNotFound):
        walled.correct(job.id, "other", lambda job: job.case)


def brought(store: JobStore, generators: GeneratorStore, to: str) -> Job:
    """A job that is due, in a status, or with a verdict, or with one that did not pass and was released."""
    job = due(store)
    if to in ("queued", "cancelled"):
        return job if to == "queued" else store.request_cancel(job.id)
    attempt = claimed(store, job).attempt
    if to == "failed":
        return store.give_up(job.id, attempt, DIVERGED, 3)
    if to == "cancelling":
        return store.request_cancel(job.id)
    if to in ("pass", "fail", "inconclusive", "released"):
        made = store.publish(job.id, attempt, publication("fail" if to == "released" else to)).generator_id
        if to == "released":
            assert made is not None
            generators.release(made, "acme", {"by": "x", "reason": "y", "at": "z"}, "record")
    return store.get(job.id)


def test_what_is_overdue(store: JobStore, generators: GeneratorStore) -> None:
    """Until a generator is served, or nobody wants one any more; the list and the job agree."""
    states = ("queued", "running", "cancelling", "failed", "fail", "inconclusive", "pass", "released", "cancelled")
    jobs_of = {state: brought(store, generators, state) for state in states}
    due(store, LATER)
    due(store, None)
    expected = [jobs_of[state].id for state in states[:6]]
    assert found(store, overdue=True) == expected
    now = datetime.now(UTC)
    assert [job.id for job in store.list("acme", limit=100).data if job.overdue(now)][::-1] == expected
    assert {job.due_at for job in jobs_of.values()} == {DUE}
    assert found(store, "other", overdue=True) == []
    store.retry(jobs_of["cancelled"].id)
    assert jobs_of["cancelled"].id in found(store, overdue=True)
    store.correct(jobs_of["pass"].id, None, lambda job: dataclasses.replace(job.case, note="x"))
    assert jobs_of["pass"].id not in found(store, overdue=True)


def test_what_is_due_comes_by_its_time_page_by_page(store: JobStore) -> None:
    made = [due(store, DUE + timedelta(days=days)) for days in (3, 1, 2, 1, 4)]
    by_time = [made[i].id for i in (1, 3, 2, 0, 4)]
    assert found(store, due_before=LATER) == found(store, overdue=True) == by_time
    assert found(store, due_before=DUE + timedelta(days=3)) == by_time[:3]
    for wanted in (Wanted(overdue=True), Wanted(due_before=LATER)):
        seen: list[str] = []
        after = None
        for _ in range(3):
            page = store.list("acme", wanted, 2, after)
            seen += [job.id for job in page.data]
            after = page.next
        assert (seen, after) == (by_time, None)
    by_id = store.list("acme", limit=1).next
    for wrong in (by_id, cursor(made[0].id, DUE.replace(tzinfo=None)), cursor("gen_" + "0" * 32, DUE)):
        with pytest.raises(BadCursor):
            store.list("acme", Wanted(overdue=True), after=wrong)
    with pytest.raises(BadCursor):
        store.list("acme", after=cursor(made[0].id, DUE))


def test_generators_are_found_as_their_jobs_are(store: JobStore, generators: GeneratorStore) -> None:
    def made(verdict: str, ticket: str, concept: str, base_model: str = "fashion", tenant: str = "acme") -> Generator:
        new = new_job(tenant, base_model, case=Case(ticket=ticket), metadata={"ticket": f"meta-{ticket}"})
        forget = [{"concept": concept, "override": "Sandal"}]
        job = store.create(dataclasses.replace(new, request={**new.request, "forget": forget}))[0]
        store.publish(job.id, claimed(store, job).attempt, publication(verdict))
        generator = generators.for_job(job.id)
        assert generator is not None
        return generator

    first, second = made("pass", "T-1", "Bag"), made("fail", "T-2", "Coat", "emoji")
    made("pass", "T-1", "Bag", tenant="other")

    def found(**wanted: Any) -> list[str]:
        return [each.id for each in generators.list("acme", WantedGenerators(**wanted), 100).data]

    assert found() == [second.id, first.id]
    assert (
        found(ticket="T-1") == found(concept="Bag") == found(verdict="pass") == found(status="published") == [first.id]
    )
    assert found(base_model="emoji") == found(metadata={"ticket": "meta-T-2"}) == found(text="meta-T-2") == [second.id]
    assert found(text="T-1") == found(text="Bag") == found(text=first.id[-8:]) == found(id=first.id) == [first.id]
    assert found(id="x" + first.id[-8:]) == found(id=first.id[-5:]) == found(id="\0" * 6) == found(text="T") == []
    assert found(created_after=second.created_at) == [second.id]
    assert found(created_before=second.created_at, text="T-1") == [first.id]
    assert found(ticket="T-1", concept="Coat") == found(verdict="fail", base_model="fashion") == []


def test_all_of_it_must_be_so(store: JobStore) -> None:
    job = submitted(store, ticket="T-1")
    submitted(store, ticket="T-2")
    wanted = {"status": Status.QUEUED, "base_model": "fashion", "metadata": {"ticket": "T-1"}, "concept": "Sneaker"}
    assert found(store, **wanted) == [job.id]
    for other in ({"status": Status.FAILED}, {"base_model": "emoji"}, {"concept": "Bag"}, {"verdict": "pass"}):
        assert found(store, **{**wanted, **other}) == []


def test_labels_are_seen_behind_the_wall_alone(store: JobStore, engine: Engine) -> None:
    for tenant in ("acme", "other"):
        submitted(store, tenant, ticket="T-1")
    with wall.behind(engine, "acme").connect() as connection:
        seen = connection.execute(select(job_labels.c.tenant)).scalars().all()
    assert seen == ["acme"] * 3


def test_jobs_of_before_are_labelled_and_the_version_before_labels_its_own(empty_database_url: str) -> None:
    migrate(empty_database_url, "0007")
    engine = create_engine(empty_database_url, poolclass=NullPool)
    insert = text(
        "INSERT INTO jobs (id, tenant, status, base_model, base_model_digest, request, metadata) VALUES (:id, 'acme',"
        " 'queued', 'fashion', 'sha256:0', '{\"forget\": [{\"concept\": \"Bag\"}]}', '{\"ticket\": \"T-1\"}')"
    )
    with engine.begin() as connection:
        connection.execute(insert, {"id": "job_before"})
    migrate(empty_database_url)
    with engine.begin() as connection:
        connection.execute(insert, {"id": "job_beside"})
        rows = connection.execute(select(job_labels)).all()
    labels = {label("concept", "Bag"), label("metadata.ticket", "T-1")}
    assert {(row.tenant, bytes(row.label), row.job_id) for row in rows} == {
        ("acme", each, job_id)
        for job_id in ("job_before", "job_beside")
        for each in labels | {label("id", job_id[-6:])}
    }
    downgrade(empty_database_url, "0007")


MANY = """
    INSERT INTO jobs (id, tenant, status, verdict, generator_id, finished_at, base_model, base_model_digest, request,
                      metadata)
    SELECT 'job_' || lpad(to_hex(n), 32, '0'), CASE n % 2 WHEN 0 THEN 'acme' ELSE 'other' END,
           CASE WHEN n <= 40 THEN 'succeeded' ELSE 'queued' END, CASE WHEN n <= 40 THEN 'fail' END,
           CASE WHEN n <= 40 THEN 'gen' END, CASE WHEN n <= 40 THEN now() END, 'fashion', 'sha256:0',
           jsonb_build_object('forget', jsonb_build_array(jsonb_build_object('concept', 'c' || n % 1000))),
           jsonb_build_object('ticket', 'T-' || n)
      FROM generate_series(1, 20000) AS n
"""


FEW_OF_MANY = (
    (Wanted(metadata={"ticket": "T-10000"}), 1),
    (Wanted(concept="c998"), 20),
    (Wanted(text="c998"), 20),
    (Wanted(id="0" * 20 + "2"), 1),
    (Wanted(verdict="fail"), 20),
    (Wanted(status=Status.SUCCEEDED, metadata={"ticket": "T-2"}), 1),
)
"""What is asked for, and how many of :data:`MANY` it is: the oldest."""


def test_it_reads_no_more_than_it_finds(engine: Engine, store: JobStore) -> None:
    """Behind the wall, where only some questions are answered from an index."""
    with engine.begin() as connection:
        connection.execute(text(MANY))
        connection.execute(text("ANALYZE jobs"))
        connection.execute(text("ANALYZE job_labels"))
    for wanted, matches in FEW_OF_MANY:
        assert len(store.list("acme", wanted, 100).data) == matches, wanted
        query = select(jobs.c.id).where(*wanted.conditions("acme")).order_by(jobs.c.id.desc()).limit(21)
        with wall.behind(engine, "acme").connect() as connection:
            compiled = query.compile(connection, compile_kwargs={"render_postcompile": True})
            plan = connection.exec_driver_sql(f"EXPLAIN (ANALYZE) {compiled}", compiled.params).scalars().all()
        read = [int(rows) for line in plan if "Scan" in line for rows in re.findall(r"actual .* rows=(\d+)", line)]
        removed = [int(rows) for line in plan for rows in re.findall(r"Rows Removed by Filter: (\d+)", line)]
        assert sum(read) + sum(removed) <= 4 * 21, "\n".join([str(wanted), *plan])
