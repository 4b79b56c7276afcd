"""What an operator relies on: health, metrics, headers, problems for everything, and a broker that may be away."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import httpx
import pytest

from api.openapi import text
from jobs.settings import Settings
from tests.api.making import body, is_problem, submitted
from tests.support.serving import Service, serving, serving_process
from tests.support.waiting import wait_for

ROOT = Path(__file__).resolve().parents[2]


def test_the_committed_document_is_the_one_that_is_served(service: Service) -> None:
    committed = (ROOT / "openapi.json").read_text("utf-8")
    assert committed == text(), "run: python -m api.openapi > openapi.json"
    assert service.http.get("/openapi.json").json() == json.loads(committed)


def test_operations_have_stable_ids_and_tell_of_their_errors(service: Service) -> None:
    document = service.http.get("/openapi.json").json()
    ids = [operation["operationId"] for item in document["paths"].values() for operation in item.values()]
    assert len(ids) == len(set(ids))
    assert {"submit_job", "list_jobs", "get_job", "cancel_job", "retry_job", "list_events", "get_report"} <= set(ids)
    for path, item in document["paths"].items():
        for operation in item.values():
            assert operation["summary"]
            assert operation["description"]
            problems = {s: r for s, r in operation["responses"].items() if s >= "400" and path != "/readyz"}
            assert all(list(answer["content"]) == ["application/problem+json"] for answer in problems.values()), path
            if path.startswith("/v1/"):
                assert {"401", "403", "500", "503"} <= set(problems)
                assert operation["security"]


def test_health(service: Service) -> None:
    assert service.http.get("/livez").json() == {"status": "ok", "checks": {}}
    assert service.http.get("/readyz").json() == {"status": "ok", "checks": {"database": "ok", "broker": "ok"}}


def test_a_database_without_the_tables_is_not_ready(settings: Settings, empty_database_url: str) -> None:
    with serving(settings.model_copy(update={"database_url": empty_database_url})) as service:
        answer = service.http.get("/readyz")
        assert answer.status_code == 503
        assert int(answer.headers["retry-after"]) > 0
        assert "lethe migrate" in answer.json()["checks"]["database"]
        assert service.http.get("/livez").status_code == 200
        document = is_problem(service.http.get("/v1/jobs"), 500, "internal")
        assert "jobs" not in document["detail"]


def test_a_database_that_is_away(settings: Settings, tmp_path: Path) -> None:
    away = settings.model_copy(update={"database_url": f"postgresql+psycopg://nobody@/none?host={tmp_path}"})
    with serving(away) as service:
        assert service.http.get("/livez").status_code == 200
        assert service.http.get("/readyz").json()["checks"]["database"] == "does not answer"
        document = is_problem(service.http.post("/v1/jobs", json=body()), 503, "service_unavailable")
        assert str(tmp_path) not in str(document)
        assert 'lethe_up{part="database"} 0.0' in service.http.get("/metrics").text


@pytest.fixture
def alone(settings: Settings, new_database: Callable[[], AbstractContextManager[str]]) -> Iterator[Settings]:
    """The same on a database of this test's own: the dispatcher of another service on it would send what waits."""
    with new_database() as database_url:
        yield settings.model_copy(update={"database_url": database_url})


def test_a_broker_that_is_away_stops_no_submission(alone: Settings, tmp_path: Path) -> None:
    away = alone.model_copy(update={"broker_url": f"redis+socket://{tmp_path}/none.sock?virtual_host=0"})
    with serving(away) as service:
        before = service.count("jobs")
        answers = [service.http.post("/v1/jobs", json=body()) for _ in range(5)]
        assert [answer.status_code for answer in answers] == [202] * 5
        assert service.count("jobs") == before + 5
        ready = service.http.get("/readyz")
        assert (ready.status_code, ready.json()["status"]) == (200, "degraded")
        metrics = service.http.get("/metrics").text
        assert 'lethe_up{part="broker"} 0.0' in metrics
        waiting = re.search(r"^lethe_outbox_backlog (\d+)", metrics, re.MULTILINE)
        assert waiting is not None
        assert int(waiting[1]) >= 5
    with serving(alone) as service:  # the broker is back: what was submitted meanwhile is sent
        wait_for(lambda: "lethe_outbox_backlog 0.0" in service.http.get("/metrics").text)


def test_metrics(service: Service) -> None:
    job_id = submitted(service)
    service.http.get(f"/v1/jobs/{job_id}")
    metrics = service.http.get("/metrics").text
    assert 'lethe_http_requests_total{method="POST",route="/v1/jobs",status="202"}' in metrics
    assert 'lethe_http_requests_total{method="GET",route="/v1/jobs/{job_id}",status="200"}' in metrics
    assert 'lethe_http_request_seconds_bucket{le="0.02",method="POST",route="/v1/jobs"}' in metrics
    assert re.search(r'^lethe_jobs\{status="queued"\} [1-9]', metrics, re.MULTILINE)
    assert "lethe_queue_length " in metrics
    assert job_id not in metrics


@pytest.mark.parametrize(
    ("method", "path", "status", "code"),
    [
        ("GET", "/v1/nothing", 404, "not_found"),
        ("GET", "/v1/jobs/", 404, "not_found"),
        ("GET", "/nothing", 404, "not_found"),
        ("GET", "/static/nothing.js", 404, "not_found"),
        ("GET", "/static/../main.py", 404, "not_found"),
        ("DELETE", "/v1/jobs", 405, "method_not_allowed"),
        ("PUT", "/v1/jobs/job_1", 405, "method_not_allowed"),
    ],
)
def test_what_the_framework_refuses_is_a_problem_too(
    service: Service, method: str, path: str, status: int, code: str
) -> None:
    answer = service.http.request(method, path)
    is_problem(answer, status, code)
    if status == 405:
        assert answer.headers["allow"]


def test_what_nobody_foresaw_is_a_problem_without_a_word_of_it(
    service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: Any, **__: Any) -> None:
        raise RuntimeError("the secret is tourmaline")

    monkeypatch.setattr(service.app.state.services.jobs, "list", broken)
    answer = service.http.get("/v1/jobs", headers={"x-request-id": "mine-1"})
    document = is_problem(answer, 500, "internal")
    assert document["request_id"] == "mine-1"
    assert "tourmaline" not in answer.text
    page = service.http.get("/", headers={"accept": "text/html"})
    assert page.status_code == 500
    assert "tourmaline" not in page.text
    assert "<html" in page.text


@pytest.mark.parametrize("given", ["", "two words", "x" * 200, "a;b"])
def test_request_ids_that_are_no_plain_word_are_replaced(service: Service, given: str) -> None:
    answer = service.http.get("/livez", headers={"x-request-id": given})
    assert re.fullmatch(r"req_[0-9a-f]{32}", answer.headers["x-request-id"])


@pytest.mark.parametrize("path", ["/v1/jobs", "/livez", "/", "/docs", "/jobs/new", "/static/lethe.css", "/nothing"])
def test_every_answer_has_the_security_headers(service: Service, path: str) -> None:
    headers = service.http.get(path, headers={"accept": "text/html"}).headers
    policy = headers["content-security-policy"]
    assert policy.startswith("default-src 'none'")
    assert "frame-ancestors 'none'" in policy
    assert "unsafe" not in policy
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["referrer-policy"] == "same-origin"
    assert headers["x-frame-options"] == "DENY"
    assert "server" not in headers


@pytest.mark.parametrize("path", ["/", "/docs", "/jobs/new", "/generators", "/login"])
def test_pages_load_nothing_from_elsewhere(service: Service, path: str) -> None:
    page = service.http.get(path).text
    loaded = re.findall(r'(?:src|href|action)="([^"#]+)"', page)
    assert loaded
    assert all(target.startswith("/") and not target.startswith("//") for target in loaded)
    for target in loaded:
        if target.startswith("/static/"):
            answer = service.http.get(target)
            assert answer.status_code == 200
            assert "immutable" in answer.headers["cache-control"]
            assert "http" not in re.sub(r"http://www\.w3\.org/2000/svg", "", answer.text)


def test_the_reference_has_every_operation_and_every_error(service: Service) -> None:
    page = service.http.get("/docs").text
    for item in service.http.get("/openapi.json").json()["paths"].values():
        for operation in item.values():
            assert f'id="{operation["operationId"]}"' in page
    for code in ("generator_withheld", "malformed", "unauthenticated"):
        assert f'id="error-{code}"' in page
    for anchor in set(re.findall(r'href="#([^"]+)"', page)):
        assert f'id="{anchor}"' in page, anchor


def test_a_stop_ends_open_streams_and_finishes(settings: Settings, service: Service, tmp_path: Path) -> None:
    log = tmp_path / "log"
    job_id = submitted(service)
    with (
        serving_process(settings, log) as (started, url),
        httpx.Client(base_url=url, timeout=20) as http,
        http.stream("GET", f"/v1/jobs/{job_id}/events", headers={"accept": "text/event-stream"}) as stream,
    ):
        lines = stream.iter_lines()
        assert any("job.queued" in line for line in lines)
        started.send_signal(signal.SIGTERM)
        for _ in lines:  # ends whole, not by a broken connection
            pass
        assert started.wait(5) == 0
    logged = [json.loads(line) for line in log.read_text().splitlines()]
    request = next(entry for entry in logged if entry["event"] == "request")
    assert {"method", "path", "route", "status", "milliseconds", "request_id"} <= set(request)


@pytest.mark.parametrize(
    ("environment", "said"),
    [
        ({"LETHE_HOST": "0.0.0.0"}, "LETHE_AUTH=keys"),
        ({"LETHE_PORT": "http"}, "LETHE_PORT"),
        ({"LETHE_DATABASE_URL": ""}, "LETHE_DATABASE_URL is not set"),
    ],
)
def test_settings_that_are_refused(environment: dict[str, str], said: str) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "api"], env={**os.environ, **environment}, capture_output=True, text=True, timeout=30
    )
    assert done.returncode == 2
    assert said in done.stderr
    assert "Traceback" not in done.stderr
