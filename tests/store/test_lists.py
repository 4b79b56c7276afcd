"""Lists: newest first, page by page, unmoved by what is inserted meanwhile, of one tenant only."""

from __future__ import annotations

import base64
import dataclasses
import re

import pytest
from sqlalchemy import Engine, text

from jobs.errors import BadCursor, GeneratorNotFound, JobNotFound, ReportNotReady
from jobs.finding import Wanted
from jobs.finding_generators import WantedGenerators
from jobs.generators import GeneratorStore
from jobs.paging import Page
from jobs.states import Status
from jobs.store import Job, JobStore
from tests.store.making import claimed, created, in_state, new_job, publication


def walk(store: JobStore, limit: int, status: Status | None = None) -> list[Page[Job]]:
    """All pages of acme's jobs."""
    pages = [store.list("acme", Wanted(status), limit)]
    while pages[-1].next is not None:
        pages.append(store.list("acme", Wanted(status), limit, pages[-1].next))
    return pages


@pytest.mark.parametrize("limit", [1, 2, 3, 6, 7, 20])
def test_pages_make_the_whole_newest_first(store: JobStore, limit: int) -> None:
    ids = [created(store).id for _ in range(6)]
    pages = walk(store, limit)
    assert [job.id for page in pages for job in page.data] == ids[::-1]
    assert [len(page.data) for page in pages[:-1]] == [limit] * (len(pages) - 1)
    assert [page.has_more for page in pages] == [True] * (len(pages) - 1) + [False]


def test_a_page_has_how_many_prompts_there_are_and_all_else_as_it_is(store: JobStore) -> None:
    prompts = {"prompts": [f"a photo of {i}" for i in range(7)]}
    plain, own = {"concept": "gun", "override": "umbrella"}, {"concept": "b", "override": prompts, **prompts}
    long = {"forget": [own, plain, {**own, "concept": "c"}], "retain": prompts}
    for more in ({}, long):
        new = new_job()
        store.create(dataclasses.replace(new, request={**new.request, **more}))
    counted, same = store.list("acme", limit=2).data
    assert same == store.get(same.id)
    whole = store.get(counted.id)
    assert whole.request["retain"] == prompts
    of_seven = {**own, "prompts": 7}
    expected = {**whole.request, "forget": [of_seven, plain, {**of_seven, "concept": "c"}], "retain": {"prompts": 7}}
    assert dataclasses.replace(counted, request=whole.request) == whole
    assert counted.request == expected


def test_no_jobs(store: JobStore) -> None:
    assert store.list("acme") == Page((), None)


def test_new_jobs_do_not_move_the_pages(store: JobStore) -> None:
    ids = [created(store).id for _ in range(6)]
    seen: list[str] = []
    after = None
    for _ in range(3):
        page = store.list("acme", limit=2, after=after)
        seen += [job.id for job in page.data]
        after = page.next
        created(store)
        created(store)
    assert seen == ids[::-1]
    assert after is None


def test_filters(store: JobStore) -> None:
    queued, other_model = created(store), created(store, base_model="faces")
    failed, theirs = in_state(store, Status.FAILED), created(store, "other")
    assert {job.id for job in store.list("acme").data} == {queued.id, other_model.id, failed.id}
    assert [job.id for job in store.list("other").data] == [theirs.id]
    assert [job.id for job in store.list("acme", Wanted(Status.FAILED)).data] == [failed.id]
    assert [job.id for job in store.list("acme", Wanted(base_model="faces")).data] == [other_model.id]
    assert [job.id for job in store.list("acme", Wanted(Status.QUEUED, "fashion")).data] == [queued.id]
    assert store.list("acme", Wanted(base_model="no\0such")).data == ()


def test_a_filter_and_a_cursor(store: JobStore) -> None:
    failed = [in_state(store, Status.FAILED).id for _ in range(3) if created(store)]
    assert [job.id for page in walk(store, 1, Status.FAILED) for job in page.data] == failed[::-1]


@pytest.mark.parametrize(
    "after",
    [
        "",
        "x",
        "job_" + "0" * 32,
        "\0",
        "ä",
        "=" * 9,
        base64.urlsafe_b64encode(b"key_" + b"0" * 32).decode(),
        "a" * 5000,
    ],
)
def test_a_cursor_that_is_none(store: JobStore, generators: GeneratorStore, after: str) -> None:
    with pytest.raises(BadCursor):
        store.list("acme", after=after)
    with pytest.raises(BadCursor):
        generators.list("acme", after=after)


def test_counts(store: JobStore) -> None:
    assert store.counts() == dict.fromkeys(Status, 0)
    for status in Status:
        in_state(store, status)
    created(store, "other")
    assert store.counts() == dict.fromkeys(Status, 1) | {Status.QUEUED: 2}


MANY = """
    INSERT INTO jobs (id, tenant, status, base_model, base_model_digest, request, finished_at, error)
    SELECT 'job_' || lpad(to_hex(n), 32, '0'), CASE n % 2 WHEN 0 THEN 'acme' ELSE 'other' END, status,
           CASE WHEN n <= 40 THEN 'rare' ELSE 'fashion' END, 'sha256:0', '{}',
           CASE status WHEN 'failed' THEN now() END, CASE status WHEN 'failed' THEN '{}'::jsonb END
      FROM (SELECT n, CASE WHEN n <= 20 OR n % 4 < 2 THEN 'failed' ELSE 'queued' END AS status
              FROM generate_series(1, 20000) AS n)
"""
FILTERS = {
    "": 21,
    "AND status = 'failed'": 21,
    "AND base_model = 'rare'": 20,
    "AND status = 'failed' AND base_model = 'rare'": 15,
}


def test_a_list_reads_no_more_than_its_page(engine: Engine) -> None:
    """Of 20 000 jobs, half failed, whatever the filter, a page reads at most one row in a hundred, also where the
    few that match are the oldest."""
    with engine.begin() as connection:
        connection.execute(text(MANY))
        connection.execute(text("ANALYZE jobs"))
        for filter_, found in FILTERS.items():
            where = f"tenant = 'acme' {filter_} AND id < 'job_z'"
            query = f"EXPLAIN (ANALYZE, FORMAT JSON) SELECT * FROM jobs WHERE {where} ORDER BY id DESC LIMIT 21"
            plan = str(connection.execute(text(query)).scalar_one())
            assert f"'Actual Rows': {found:.1f}" in plan, plan
            read = re.findall(r"'(?:Actual Rows|Rows Removed by Filter)': (\d+)", plan)
            assert max(map(int, read)) <= 200, plan


def test_generators(store: JobStore, generators: GeneratorStore) -> None:
    made = []
    for verdict in ("pass", "fail", "pass"):
        job = claimed(store).job
        made.append(store.publish(job.id, 1, publication(verdict)).generator_id)
    first, withheld, last = made
    assert [g.id for g in generators.list("acme", WantedGenerators("published")).data] == [last, first]
    assert [g.id for g in generators.list("acme").data] == [last, withheld, first]
    assert [g.id for g in generators.list("acme", WantedGenerators(status="withheld")).data] == [withheld]
    page = generators.list("acme", WantedGenerators("published"), limit=1)
    assert page.has_more
    assert [g.id for g in generators.list("acme", WantedGenerators("published"), 1, page.next).data] == [first]
    assert generators.list("other").data == ()


def test_another_tenants_generator_does_not_exist(store: JobStore, generators: GeneratorStore) -> None:
    job = in_state(store, Status.SUCCEEDED)
    assert job.generator_id is not None
    assert generators.get(job.generator_id, "acme").job_id == job.id
    assert generators.for_job(job.id, "other") is None
    for generator_id, tenant in ((job.generator_id, "other"), ("gen_" + "0" * 32, None), ("gen_\0", None)):
        with pytest.raises(GeneratorNotFound):
            generators.get(generator_id, tenant)
    for job_id, tenant in ((job.id, "other"), ("job_" + "0" * 32, None), ("\0", None)):
        with pytest.raises(JobNotFound):
            generators.report(job_id, tenant)


@pytest.mark.parametrize("status", [s for s in Status if s is not Status.SUCCEEDED])
def test_no_report_before_success(store: JobStore, generators: GeneratorStore, status: Status) -> None:
    job = in_state(store, status)
    with pytest.raises(ReportNotReady, match=str(status)):
        generators.report(job.id, "acme")
    assert generators.for_job(job.id) is None
