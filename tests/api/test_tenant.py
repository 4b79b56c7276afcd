"""Quotas over HTTP: what a tenant reads of itself, the header fields of answers, and what is refused."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import pytest

from api.ratelimit import fields
from jobs import tenants
from jobs.quotas import Quota
from jobs.tenants import LIMITS
from tests.api.making import body, is_problem, published, signed_in
from tests.support.serving import Service

Bearer = Callable[..., dict[str, str]]

ITEM = r'"[a-z_]+"(;[a-z]+=([0-9]+|"[a-z]+"))+'
"""One item of a field: a string with parameters (RFC 9651), of those that are used."""


@pytest.fixture
def acme(guarded: Service, bearer: Bearer) -> Iterator[dict[str, str]]:
    """Headers of a tenant whose limits are lifted after the test."""
    headers = bearer("submit", "read", tenant="limited")
    yield headers
    limit(guarded, **dict.fromkeys(LIMITS))


def limit(service: Service, **limits: int | None) -> None:
    tenants.limit(service.engine, "limited", limits)


def submit(service: Service, headers: dict[str, str]) -> httpx.Response:
    return service.http.post("/v1/jobs", json=body(), headers=headers)


def test_without_limits_no_field(guarded: Service, acme: dict[str, str]) -> None:
    answer = submit(guarded, acme)
    assert answer.status_code == 202
    assert not {"ratelimit", "ratelimit-policy", "retry-after"} & set(answer.headers)
    shown = guarded.http.get("/v1/tenant", headers=acme).json()
    assert (shown["object"], shown["name"]) == ("tenant", "limited")
    assert shown["limits"] == dict.fromkeys(LIMITS)
    assert shown["usage"]["queued_jobs"] >= 1


def test_a_queue_that_is_full(guarded: Service, acme: dict[str, str], bearer: Bearer) -> None:
    waiting = guarded.http.get("/v1/tenant", headers=acme).json()["usage"]["queued_jobs"]
    limit(guarded, queued_jobs=waiting + 2, stored_bytes=10**9)
    left = [submit(guarded, acme).headers["ratelimit"] for _ in range(2)]
    assert left == [f'"queued_jobs";r={n}, "stored_bytes";r={10**9}' for n in (1, 0)]
    refused = submit(guarded, acme)
    document = is_problem(refused, 429, "quota_exceeded")
    assert document["quotas"] == ["queued_jobs"]
    assert f"queued_jobs: {waiting + 2} of {waiting + 2} jobs are used" in document["detail"]
    assert refused.headers["ratelimit-policy"] == f'"queued_jobs";q={waiting + 2};qu="jobs"'
    assert refused.headers["ratelimit"] == '"queued_jobs";r=0'
    assert submit(guarded, bearer("submit", tenant="other")).status_code == 202, "nobody else's quota"
    shown = guarded.http.get("/v1/tenant", headers=acme).json()
    assert shown["limits"]["queued_jobs"] == shown["usage"]["queued_jobs"] == waiting + 2


def test_a_quota_by_time_says_when_it_begins_anew(guarded: Service, acme: dict[str, str]) -> None:
    limit(guarded, training_minutes=0)
    refused = submit(guarded, acme)
    is_problem(refused, 429, "quota_exceeded")
    reset = re.fullmatch(r'"training_minutes";r=0;t=(\d+)', refused.headers["ratelimit"])
    assert reset is not None
    assert abs(int(reset[1]) - int(refused.headers["retry-after"])) <= 1
    assert int(reset[1]) <= 31 * 86400


def test_samples_a_minute(guarded: Service, acme: dict[str, str], tmp_path: Path) -> None:
    generator = published(guarded, tmp_path, headers=acme)
    limit(guarded, samples_per_minute=3)
    path = f"/v1/generators/{generator}/samples"
    refused = guarded.http.post(path, json={"concept": "Sandal", "n": 4, "format": "json"}, headers=acme)
    is_problem(refused, 429, "quota_exceeded")
    assert refused.headers["ratelimit-policy"] == '"samples_per_minute";q=3;qu="images";w=60'
    assert refused.headers["ratelimit"].startswith('"samples_per_minute";r=3;t=')
    assert 1 <= int(refused.headers["retry-after"]) <= 60
    # Three are let through, to a sampler that is not there.
    let = guarded.http.post(path, json={"concept": "Sandal", "n": 3, "format": "json"}, headers=acme)
    is_problem(let, 503, "samples_unavailable")


def test_a_retry_of_a_job(guarded: Service, acme: dict[str, str]) -> None:
    job = submit(guarded, acme).json()["id"]
    guarded.http.post(f"/v1/jobs/{job}/cancel", headers=acme)
    limit(guarded, queued_jobs=0)
    is_problem(guarded.http.post(f"/v1/jobs/{job}/retry", headers=acme), 429, "quota_exceeded")


def test_the_tenant_needs_a_key_that_reads(guarded: Service, bearer: Bearer) -> None:
    is_problem(guarded.http.get("/v1/tenant"), 401, "unauthenticated")
    is_problem(guarded.http.get("/v1/tenant", headers=bearer("submit")), 403, "forbidden")


def test_without_keys_the_tenant_is_default(service: Service) -> None:
    shown = service.http.get("/v1/tenant").json()
    assert (shown["name"], shown["limits"]) == ("default", dict.fromkeys(LIMITS))


def test_the_dashboard_shows_what_is_limited(guarded: Service, acme: dict[str, str], bearer: Bearer) -> None:
    with httpx.Client(base_url=guarded.url, cookies=signed_in(guarded, acme)) as browser:
        assert "Queued jobs" not in browser.get("/").text
        limit(guarded, queued_jobs=5000, stored_bytes=50_000_000)
        page = browser.get("/").text.replace("\u202f", " ").replace("\u00a0", " ")
        assert re.search(r"Queued jobs: \d+ of 5 000", page)
        assert re.search(r"Stored bytes: \S+ [kMG]?B of 50\.0 MB", page)


def test_fields_are_structured(guarded: Service) -> None:
    quotas = [Quota("queued_jobs", 3, 4, "jobs"), Quota("samples_per_minute", 10, 2.5, "images", 60, 7)]
    written = fields(quotas)
    assert written == {
        "RateLimit-Policy": '"queued_jobs";q=3;qu="jobs", "samples_per_minute";q=10;qu="images";w=60',
        "RateLimit": '"queued_jobs";r=0, "samples_per_minute";r=7;t=7',
    }
    for value in written.values():
        assert all(re.fullmatch(ITEM, item) for item in value.split(", "))
    assert fields([]) == {}
