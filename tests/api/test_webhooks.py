"""Webhooks over HTTP: made, changed, told by the api's own sender; what is refused; secrets that are shown once."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from standardwebhooks import Webhook as Verifier

from jobs.deliveries import MOST_AT_ONCE
from jobs.settings import Settings
from jobs.webhooks import MOST_WEBHOOKS
from tests.api.making import body, is_problem, pointers, publish, submitted, train
from tests.support.serving import Service, serving
from tests.support.sink import Sink, sink
from tests.support.waiting import wait_for

Bearer = Callable[..., dict[str, str]]
PATH = "/v1/webhooks"
URL = "https://hooks.example/lethe"
ALLOWED = "127.0.0.9"


@pytest.fixture(scope="module")
def guarded(settings: Settings) -> Iterator[Service]:
    """A service that may tell one address of this machine."""
    allowed = {"webhook_allow": (ALLOWED,), "public_url": "https://lethe.example", "auth": "keys"}
    with serving(settings.model_copy(update=allowed)) as running:
        yield running


@pytest.fixture
def receiver() -> Iterator[Sink]:
    with sink(ALLOWED) as made:
        yield made


@pytest.fixture
def admin(bearer: Bearer, request: pytest.FixtureRequest) -> dict[str, str]:
    """The key of an administrator of a tenant that the test has for itself."""
    return bearer("admin", tenant=re.sub(r"\W+", "-", request.node.name)[:60].strip("-"))


def made(service: Service, headers: dict[str, str], **fields: Any) -> dict[str, Any]:
    answer = service.http.post(PATH, json={"url": URL} | fields, headers=headers)
    assert answer.status_code == 201, answer.text
    assert answer.headers["location"] == answer.json()["links"]["self"]
    found: dict[str, Any] = answer.json()
    return found


def test_from_submission_to_delivery(guarded: Service, admin: dict[str, str], receiver: Sink, tmp_path: Path) -> None:
    hook = made(guarded, admin, url=receiver.url, description="the studio's")
    assert (hook["kind"], hook["disabled_at"], hook["secret"][:6]) == ("webhook", None, "whsec_")
    assert hook["events"] == ["job.succeeded", "job.failed", "job.cancelled"]
    job = submitted(guarded, admin)
    publish(guarded, job, train(guarded.store, job), tmp_path)
    wait_for(lambda: receiver.received)
    told = Verifier(hook["secret"]).verify(receiver.received[0].body, dict(receiver.received[0].headers))
    assert (told["type"], told["data"]["id"]) == ("job.succeeded", job)
    assert told["data"]["links"]["job"] == f"https://lethe.example/v1/jobs/{job}"
    path = hook["links"]["deliveries"]
    delivered = {"status": "delivered"}
    (delivery,) = wait_for(lambda: guarded.http.get(path, headers=admin, params=delivered).json()["data"])
    assert (delivery["response"], delivery["tries"], delivery["event"]) == (204, 1, "job.succeeded")
    assert receiver.received[0].headers["webhook-id"] == delivery["id"]
    again = guarded.http.post(f"{path}/{delivery['id']}/redeliver", headers=admin)
    assert (again.status_code, again.json()["status"]) == (202, "pending")
    wait_for(lambda: len(receiver.received) == 2)
    assert receiver.received[1].headers["webhook-id"] == delivery["id"]
    metrics = guarded.http.get("/metrics", headers=admin | {}).status_code
    assert metrics == 403, "they are the service's"


def test_a_jobs_own_webhook(guarded: Service, bearer: Bearer, receiver: Sink) -> None:
    """A key that submits is enough. Its secret is in the first answer alone."""
    headers = bearer("submit", "read", tenant="own")
    asked = body(webhook={"url": receiver.url, "events": ["job.finished", "job.started"]})
    key = headers | {"Idempotency-Key": "k"}
    answers = [guarded.http.post("/v1/jobs", json=asked, headers=key).json() for _ in range(2)]
    first, replayed = (answer["webhook"] for answer in answers)
    assert first["secret"].startswith("whsec_")
    assert replayed == first | {"secret": None}
    assert first["events"] == ["job.started", "job.succeeded", "job.failed", "job.cancelled"]
    job = answers[0]["id"]
    assert guarded.http.get(f"/v1/jobs/{job}", headers=headers).json()["webhook"] == replayed
    assert guarded.http.get("/v1/jobs", headers=headers).json()["data"][0]["webhook"] == replayed
    guarded.http.post(f"/v1/jobs/{job}/cancel", headers=headers)
    wait_for(lambda: receiver.received)
    Verifier(first["secret"]).verify(receiver.received[0].body, dict(receiver.received[0].headers))
    is_problem(guarded.http.get(PATH, headers=headers), 403, "forbidden")
    theirs = bearer("admin", tenant="own")
    (listed,) = guarded.http.get(PATH, params={"job": job}, headers=theirs).json()["data"]
    assert (listed["id"], listed["job"]) == (first["id"], job)
    assert guarded.http.get(PATH, headers=theirs).json()["data"] == []


def test_change_rotate_delete(guarded: Service, admin: dict[str, str]) -> None:
    hook = made(guarded, admin)
    path = f"{PATH}/{hook['id']}"
    changes = {"url": "https://other.example:8443/2", "events": ["job.failed"], "description": "x", "disabled": True}
    changed = guarded.http.patch(path, json=changes, headers=admin).json()
    assert (changed["url"], changed["events"]) == ("https://other.example:8443/...", ["job.failed"])
    assert changed["description"] == "x"
    assert (changed["disabled_because"], changed["secret"]) == ("asked", None)
    assert guarded.http.patch(path, json={}, headers=admin).json()["events"] == ["job.failed"]
    assert guarded.http.patch(path, json={"disabled": False}, headers=admin).json()["disabled_at"] is None
    rotated = guarded.http.post(f"{path}/rotate", json={"overlap_hours": 1}, headers=admin).json()
    assert rotated["secret"] not in (None, hook["secret"])
    assert rotated["secret_before_until"] is not None
    at_once = guarded.http.post(f"{path}/rotate", json={"overlap_hours": 0}, headers=admin).json()
    assert at_once["secret_before_until"] is None
    assert guarded.http.post(f"{path}/rotate", json={}, headers=admin).json()["secret_before_until"] is not None
    shown = [guarded.http.get(each, headers=admin).text for each in (path, PATH)]
    secrets = [each["secret"] for each in (hook, rotated, at_once)]
    assert not any(secret in text for secret in secrets for text in shown)
    assert guarded.http.delete(path, headers=admin).status_code == 204
    for method, each in (("GET", path), ("PATCH", path), ("DELETE", path), ("GET", f"{path}/deliveries")):
        sent = {} if method == "PATCH" else None
        is_problem(guarded.http.request(method, each, json=sent, headers=admin), 404, "webhook_not_found")


def test_a_dump_holds_neither_secret_nor_url(guarded: Service, admin: dict[str, str]) -> None:
    url = "https://hooks.example/services/T0/B0/very-secret?token=very-secret"
    hook, signing = made(guarded, admin, kind="slack", url=url), made(guarded, admin, url=url)
    own = guarded.http.post("/v1/jobs", json=body(webhook={"url": url}), headers=admin).json()["webhook"]
    guarded.http.patch(signing["links"]["self"], json={"url": url + "2"}, headers=admin)
    assert hook["secret"] is None
    assert {each["url"] for each in (hook, signing, own)} == {"https://hooks.example/..."}
    with guarded.engine.connect() as connection:
        tables = ("webhooks", "jobs", "audit_log", "events", "deliveries")
        rows = "".join(str(connection.exec_driver_sql(f"SELECT * FROM {table}").all()) for table in tables)
    assert all(each["id"] in rows for each in (hook, signing, own))
    assert "very-secret" not in rows
    assert signing["secret"].removeprefix("whsec_") not in rows
    is_problem(guarded.http.post(f"{PATH}/{hook['id']}/rotate", json={}, headers=admin), 409, "webhook_conflict")


@pytest.mark.parametrize(
    ("fields", "where", "said"),
    [
        ({"url": "http://127.0.0.1:9/"}, "/url", "not of the public internet"),
        ({"url": "http://2130706433/"}, "/url", "not of the public internet"),
        ({"url": "https://u:p@hooks.example/"}, "/url", "neither a user nor a password"),
        ({"url": "ftp://hooks.example/"}, "/url", "must be a URL such as https"),
        ({"url": "x" * 3000}, "/url", "at most 2000 characters"),
        ({"url": None}, "/url", "string"),
        ({"kind": "slak"}, "/kind", "did you mean 'slack'"),
        ({"kind": "email", "url": "mailto:ops@studio.example"}, "/url", "sends no mail"),
        ({"events": []}, "/events", "at least 1 item"),
        ({"events": ["job.progress"]}, "/events", "known: job.finished, job.started"),
        ({"description": "x" * 501}, "/description", "at most 500 characters"),
        ({"description": "\0"}, "/description", "NUL"),
        ({"secret": "whsec_AAAA"}, "/secret", "unknown field"),
    ],
)
def test_what_is_refused(guarded: Service, bearer: Bearer, fields: dict[str, Any], where: str, said: str) -> None:
    answer = guarded.http.post(PATH, json={"url": URL} | fields, headers=bearer("admin", tenant="refused"))
    document = is_problem(answer, 422, "invalid_request")
    assert pointers(document) == [where]
    assert said in document["errors"][0]["detail"]


def test_every_mistake_of_a_jobs_webhook_is_told_with_the_others(guarded: Service, bearer: Bearer) -> None:
    wrong = body(webhook={"url": "http://localhost/", "events": ["job.finished"]}, metadata={"a": 1}, seed="x")
    answer = guarded.http.post("/v1/jobs", json=wrong, headers=bearer("submit"))
    assert set(pointers(is_problem(answer, 422, "invalid_request"))) == {"/seed", "/metadata/a", "/webhook/url"}
    wrong = body(webhook={"url": 3, "events": ["job.queued"], "secret": "x"})
    answer = guarded.http.post("/v1/jobs", json=wrong, headers=bearer("submit"))
    found = set(pointers(is_problem(answer, 422, "invalid_request")))
    assert found == {"/webhook/url", "/webhook/events", "/webhook/secret"}


def test_a_tenant_has_so_many(guarded: Service, admin: dict[str, str]) -> None:
    assert MOST_WEBHOOKS > MOST_AT_ONCE
    ids = [made(guarded, admin)["id"] for _ in range(MOST_WEBHOOKS)]
    refused = guarded.http.post(PATH, json={"url": URL}, headers=admin)
    is_problem(refused, 409, "webhook_conflict")
    guarded.http.delete(f"{PATH}/{ids[0]}", headers=admin)
    made(guarded, admin)
    first = guarded.http.get(PATH, params={"limit": 15}, headers=admin).json()
    rest = guarded.http.get(PATH, params={"limit": 15, "after": first["next"]}, headers=admin).json()
    assert len({each["id"] for each in (*first["data"], *rest["data"])}) == MOST_WEBHOOKS
    assert not rest["has_more"]


def test_what_is_undelivered_is_measured(guarded: Service, bearer: Bearer, admin: dict[str, str]) -> None:
    made(guarded, admin, url="https://nobody.invalid/")
    job = submitted(guarded, admin)
    guarded.http.post(f"/v1/jobs/{job}/cancel", headers=admin)
    text = guarded.http.get("/metrics", headers=bearer("metrics")).text
    found = re.search(r"^lethe_webhook_backlog (\S+)$", text, re.M)
    assert found is not None
    assert float(found[1]) >= 1
    assert re.search(r"^lethe_webhook_oldest_seconds \S+$", text, re.M)
