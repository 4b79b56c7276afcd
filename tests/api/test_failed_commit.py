"""A commit that fails: no client is told that its job was accepted."""

from __future__ import annotations

from collections.abc import Callable

import httpx
from sqlalchemy import event

from tests.api.making import body
from tests.support.serving import Service


def test_nobody_is_told_of_a_job_that_was_not_committed(
    service: Service, full: bool, figure: Callable[[str], None]
) -> None:
    def refuse(_: object) -> None:
        raise ConnectionError("the line to the database was cut")

    times, before = 100 if full else 10, service.count("jobs")
    engine = service.app.state.services.engine
    event.listen(engine, "commit", refuse)
    try:
        answers = [httpx.post(f"{service.url}/v1/jobs", json=body()).status_code for _ in range(times)]
    finally:
        event.remove(engine, "commit", refuse)
    assert min(answers) >= 500
    assert service.count("jobs") == before
    assert service.http.post("/v1/jobs", json=body()).status_code == 202
    figure(f"{times} failed commits: 0 clients saw 2xx")
