"""Estimates: everything that is refused at submission is refused alike, and nothing is kept."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from jobs import tenants, workers
from jobs.settings import Settings
from jobs.workers import Worker
from tests.api.making import body, is_problem, submitted
from tests.support.serving import Service, serving

WRONG: tuple[Any, ...] = (
    [],
    {},
    body(base_model="nothing"),
    body(base_model=7),
    body(forget=[{"concept": "Sneakers", "override": "Sandal"}, {"concept": "Bag", "override": {"negative": "x"}}]),
    body(budget={"images": 0, "minutes": 3}, colour="red"),
    body(recipe={"alpha": 3}, metadata={"k": 1}),
    body(metadata={"ticket": "\0"}),
    body(like="job_1"),
    body(like=7),
    b"no JSON",
)
TABLES = ("jobs", "events", "outbox", "idempotency_keys", "rates", "job_labels")


@pytest.mark.parametrize("sent", WRONG, ids=str)
def test_what_a_submission_is_refused_for(service: Service, sent: Any) -> None:
    def asked(path: str) -> tuple[int, Any]:
        headers = {"content-type": "application/json"}
        content: dict[str, Any] = {"content": sent, "headers": headers} if isinstance(sent, bytes) else {"json": sent}
        answer = service.http.post(path, **content)
        document = answer.json()
        is_problem(answer, answer.status_code, document["code"])
        document.pop("request_id")
        return answer.status_code, document

    status, document = asked("/v1/estimates")
    assert status >= 400
    assert (status, document) == asked("/v1/jobs")


def test_an_estimate_keeps_nothing(service: Service) -> None:
    workers.state(service.engine, Worker("w", "0.1.0", "host", "CPU", 10**10))
    before = [service.count(table) for table in TABLES]
    answer = service.http.post("/v1/estimates", json=body(evaluation={"probes": ["relearning"]}))
    assert answer.status_code == 200, answer.text
    made = answer.json()
    assert [service.count(table) for table in TABLES] == before
    assert made["based_on"] == {"of": "first_guess", "jobs": 0, "device": "CPU", "gpus": 1}
    seconds = made["seconds"]
    for each in seconds.values():
        assert 0 < each["low"] < each["likely"] < each["high"]
    for end in ("low", "likely", "high"):
        phases = sum(each[end] for name, each in seconds.items() if name != "total")
        assert seconds["total"][end] == pytest.approx(phases, abs=0.3)
    assert made["images"]["high"] == 6400
    assert (made["queue"]["workers"], made["cost"]) == (1, None)
    assert made["stored_bytes"]["likely"] > 10**6
    without = service.http.post("/v1/estimates", json=body()).json()
    assert without["seconds"]["evaluating"]["likely"] < seconds["evaluating"]["likely"]


def test_the_smallest_budget(service: Service) -> None:
    answer = service.http.post("/v1/estimates", json=body(budget={"images": 1, "until": "pass"}))
    assert answer.status_code == 200, answer.text
    assert answer.json()["images"]["high"] == 1


def test_money_where_a_worker_has_a_price(settings: Settings) -> None:
    with serving(settings.model_copy(update={"cost_per_hour": 3.6})) as service:
        made = service.http.post("/v1/estimates", json=body()).json()
        assert made["cost"]["likely"] == pytest.approx(made["seconds"]["total"]["likely"] * 0.001, rel=0.01)


def test_the_quota_of_new_jobs_refuses_it(guarded: Service, bearer: Callable[..., dict[str, str]]) -> None:
    mine = bearer("submit", "read", tenant="full")
    tenants.limit(guarded.engine, "full", {"queued_jobs": 1})
    assert guarded.http.post("/v1/estimates", json=body(), headers=mine).status_code == 200
    submitted(guarded, mine)
    refused = guarded.http.post("/v1/estimates", json=body(), headers=mine)
    document = is_problem(refused, 429, "quota_exceeded")
    assert document["quotas"] == ["queued_jobs"]
    is_problem(guarded.http.post("/v1/estimates", json=body(), headers=bearer("read")), 403, "forbidden")
