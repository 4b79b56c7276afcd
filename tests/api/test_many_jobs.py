"""Very many jobs, half of them failed: lists and the dashboard take what they take, however long the table."""

from __future__ import annotations

import time
from collections.abc import Callable

from sqlalchemy import text

from tests.api.making import submitted
from tests.support.serving import Service

MANY = """
    INSERT INTO jobs (id, tenant, status, base_model, base_model_digest, request, finished_at, error, metadata)
    SELECT 'job_' || lpad(to_hex(n), 32, '0'), tenant, CASE WHEN n % 2 = 0 THEN 'failed' ELSE 'queued' END,
           base_model, base_model_digest, request, CASE WHEN n % 2 = 0 THEN now() END,
           CASE WHEN n % 2 = 0 THEN CAST('{"code": "internal", "message": "x", "retryable": false}' AS jsonb) END,
           jsonb_build_object('ticket', 'T-' || n)
      FROM jobs, generate_series(CAST(:first AS int), CAST(:last AS int)) AS n WHERE id = :like
"""
PATHS = {
    "/v1/jobs?metadata.ticket=T-77": 0.1,
    "/v1/jobs?concept=Bag": 0.1,
    "/v1/jobs?id=00000000004d": 0.1,
    "/v1/jobs?limit=50": 0.2,
    "/v1/jobs?status=failed&limit=50": 0.2,
    "/": 1.0,
}
"""What is asked for, and the seconds within which 95 of 100 answers come."""


def p95(service: Service, path: str) -> float:
    """Of 40 requests, one after the other."""
    taken = []
    for _ in range(40):
        began = time.perf_counter()
        answer = service.http.get(path, headers={"Accept": "text/html" if path == "/" else "application/json"})
        taken.append(time.perf_counter() - began)
        assert answer.status_code == 200
    return sorted(taken)[37]


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
                connection.execute(text(MANY), {"first": done + 1, "last": upto, "like": like})
            with service.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
                connection.execute(text("ANALYZE jobs"))
            done = upto
            for path, found in measured.items():
                found.append(p95(service, path))
    finally:
        with service.engine.begin() as connection:
            connection.execute(text("SET LOCAL statement_timeout = 0"))
            connection.execute(text("DELETE FROM jobs WHERE id < 'job_01'"))
    for path, (before, after) in measured.items():
        assert after < PATHS[path], (path, after)
        assert after < 3 * before + 0.02, (path, before, after)
    said = ", ".join(f"{path} {after * 1000:.0f} ms" for path, (_, after) in measured.items())
    figure(f"{many} jobs, p95: {said}")
