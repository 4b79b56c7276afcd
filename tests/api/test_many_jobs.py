"""Very many jobs, half of them failed: lists, the dashboard and claims take what they take, however long the table."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from itertools import combinations
from urllib.parse import urlencode

import pytest
from sqlalchemy import text

from tests.api.making import submitted
from tests.support.serving import Service

MANY = """
    INSERT INTO jobs (id, created_at, tenant, status, base_model, base_model_digest, request, finished_at, error,
                      verdict, generator_id, cancel_requested_at, metadata, priority, "case")
    SELECT 'job_' || new.made, to_timestamp(978307200 + n), tenant, new.status,
           CASE WHEN n <= 20 THEN 'rare' ELSE base_model END, base_model_digest,
           CASE WHEN n <= 20 THEN jsonb_set(request, '{forget,0,concept}', '"Rare"') ELSE request END,
           CASE WHEN new.status <> 'queued' THEN now() END,
           CASE new.status WHEN 'failed'
                THEN CAST('{"code": "internal", "message": "x", "retryable": false}' AS jsonb) END,
           CASE new.status WHEN 'succeeded' THEN new.verdict END,
           CASE new.status WHEN 'succeeded' THEN 'gen_' || new.made END,
           CASE new.status WHEN 'cancelled' THEN now() END,
           jsonb_build_object('ticket', 'T-' || n, 'team', CASE WHEN n <= 20 THEN 'rare' ELSE 'common' END),
           (ARRAY['low', 'normal', 'urgent'])[n % 3 + 1],
           CASE WHEN n % 3 < 2 THEN jsonb_build_object(
               'ticket', CASE WHEN n <= 20 THEN 'C-rare' ELSE 'C-common' END,
               'due_at', now() + (n - CAST(:many AS int) / 2) * interval '1 second') END
      FROM jobs, generate_series(CAST(:first AS int), CAST(:last AS int)) AS n,
           LATERAL (SELECT lpad(to_hex(CAST(978307200 + n AS bigint) * 1000), 12, '0') || lpad(to_hex(n), 20, '0')
                           AS made,
                           CASE WHEN n <= 20 THEN 'cancelled' WHEN n <= 40 THEN 'succeeded' WHEN n % 2 = 0 THEN 'failed'
                                WHEN n % 4 = 1 THEN 'queued' ELSE 'succeeded' END AS status,
                           CASE WHEN n <= 40 THEN 'inconclusive' WHEN n % 8 = 3 THEN 'pass' ELSE 'fail' END AS verdict)
               AS new
     WHERE id = :like
"""
"""Jobs of the year 2001, a second apart, with ids of their time."""
GENERATORS = """
    INSERT INTO generators (id, created_at, tenant, job_id, attempt, status, verdict, base_model, base_model_digest,
                            forget, figures, files, digest, record)
    SELECT generator_id, created_at, tenant, id, 1, CASE verdict WHEN 'pass' THEN 'published' ELSE 'withheld' END,
           verdict, CASE verdict WHEN 'inconclusive' THEN 'rare' ELSE base_model END, base_model_digest,
           request -> 'forget', '{}', '{}', 'sha256:0', '{}'
      FROM jobs WHERE generator_id IS NOT NULL AND id < 'job_01' ON CONFLICT DO NOTHING
"""
PATHS = {
    "/v1/jobs?limit=50": 0.2,
    "/v1/jobs?status=failed&limit=50": 0.2,
    "/": 1.0,
    "/?find=C-common&overdue=yes": 1.0,
    "/generators": 1.0,
}
"""What is asked for, and the seconds within which 95 of 100 answers come."""
FILTER_SECONDS = 0.1
"""The same of every filter, and of two at once."""
CLAIM_SECONDS = 0.25
"""The same of a claim, with a quarter of all jobs in one tenant's queue."""
LONG_AGO, THEN, SOON = "2000-01-01T00:00:00Z", "2001-01-01T00:05:00Z", "2190-01-01T00:00:00Z"
OF_BOTH = (
    ("base_model", "fashion"),
    ("base_model", "rare"),
    ("verdict", "fail"),
    ("verdict", "inconclusive"),
    ("concept", "Sneaker"),
    ("concept", "Rare"),
    ("ticket", "C-common"),
    ("ticket", "C-rare"),
    ("metadata.team", "common"),
    ("metadata.ticket", "T-77"),
    ("created_after", LONG_AGO),
    ("created_before", SOON),
    ("created_before", THEN),
    ("id", "00000000004d"),
)
"""Filters that many answer to, and that the oldest alone do, or none."""
FILTERS: Mapping[str, tuple[tuple[str, str], ...]] = {
    "/v1/jobs": (
        *OF_BOTH,
        ("status", "queued"),
        ("status", "cancelled"),
        ("overdue", "true"),
        ("due_before", SOON),
        ("due_before", LONG_AGO),
    ),
    "/v1/generators": (*OF_BOTH, ("status", "published"), ("status", "withheld")),
}


def filtered(pairs: bool) -> Iterator[str]:
    """The questions with one filter, and with any two."""
    for path, filters in FILTERS.items():
        yield from (f"{path}?{urlencode([one])}" for one in filters)
        for two in combinations(filters, 2) if pairs else ():
            if two[0][0] != two[1][0]:
                yield f"{path}?{urlencode(two)}"


def p95(service: Service, path: str, times: int = 40) -> float:
    """Of so many requests, one after the other."""
    taken = []
    for _ in range(times):
        began = time.perf_counter()
        answer = service.http.get(path, headers={"Accept": "application/json" if "/v1/" in path else "text/html"})
        taken.append(time.perf_counter() - began)
        assert answer.status_code == 200, answer.text
    return sorted(taken)[int(0.95 * times) - 1]


def claims(service: Service, times: int) -> float:
    """The 95th percentile of so many claims by turn, in seconds."""
    taken = []
    for i in range(times):
        began = time.perf_counter()
        claim = service.store.claim(None, f"worker-{i}", 600)
        taken.append(time.perf_counter() - began)
        assert claim is not None
    return sorted(taken)[int(0.95 * times) - 1]


@pytest.mark.timeout(1500)  # in full, some 7000 requests
def test_lists_and_the_dashboard_do_not_grow_with_the_table(
    service: Service, full: bool, figure: Callable[[str], None]
) -> None:
    few, many = 1000, 200_000 if full else 20_000
    like = submitted(service)
    measured: dict[str, list[float]] = {path: [] for path in PATHS}
    done = 0
    try:
        for upto in (few, many):
            with service.engine.begin() as connection:
                connection.execute(text("SET LOCAL statement_timeout = 0"))
                span = {"first": done + 1, "last": upto, "like": like, "many": many}
                connection.execute(text(MANY), span)
                connection.execute(text(GENERATORS))
            with service.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
                for table in ("jobs", "job_labels", "generators"):
                    connection.execute(text(f"ANALYZE {table}"))
            done = upto
            for path, found in measured.items():
                found.append(p95(service, path))
        of_filters = {path: p95(service, path, 20 if full else 4) for path in filtered(pairs=full)}
        claimed = claims(service, 40 if full else 5)
    finally:
        with service.engine.begin() as connection:
            connection.execute(text("SET LOCAL statement_timeout = 0"))
            connection.execute(text("DELETE FROM generators WHERE job_id < 'job_01'"))
            connection.execute(text("DELETE FROM jobs WHERE id < 'job_01'"))
    for path, (before, after) in measured.items():
        assert after < PATHS[path], (path, after)
        assert after < 3 * before + 0.02, (path, before, after)
    slow = {path: f"{taken * 1000:.0f} ms" for path, taken in of_filters.items() if taken > FILTER_SECONDS}
    assert not slow, slow
    assert claimed < CLAIM_SECONDS, claimed
    said = ", ".join(f"{path} {after * 1000:.0f} ms" for path, (_, after) in measured.items())
    slowest = max(of_filters, key=lambda path: of_filters[path])
    said += f"; of {len(of_filters)} questions with one or two filters the slowest {of_filters[slowest] * 1000:.0f} ms"
    figure(f"{many} jobs, p95: {said} ({slowest}); a claim {claimed * 1000:.0f} ms")
