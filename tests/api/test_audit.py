"""The audit log over HTTP: which routes write into it, each one entry, and who reads it."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import orjson
import pytest

from api.asking import Asked
from api.auth import COOKIE
from api.dashboard import session
from api.schemas.generators import SamplesRequest
from jobs import keys
from jobs.audit import Action
from jobs.audit.entries import canonical
from jobs.audit.verification import verify
from jobs.broker import QUEUE_SAMPLES, TASK_SAMPLE, Broker
from jobs.deleting import Order, delete_generator
from jobs.keys import ApiKey
from tests.api.making import body, is_problem, published, signed_in, submitted
from tests.store.test_broker import answering, worker
from tests.support.serving import Service

Bearer = Callable[..., dict[str, str]]
WHY = {"reason": "Looked at by hand: these are ankle boots."}
SAMPLES = "/v1/generators/{generator_id}/samples"
HOOKS, HOOK = "/v1/webhooks", "/v1/webhooks/{webhook_id}"
SENT: dict[str, Any] = {
    "/v1/jobs": body(),
    "/v1/jobs/{job_id}": {"case": {"ticket": "T-1"}},
    "/v1/estimates": body(),
    "/parts/estimate": body(),
    SAMPLES: {"concept": "Sneaker", "n": 2, "format": "json", "seed": 5},
    "/v1/generators/{generator_id}/release": WHY,
    HOOKS: {"url": "https://hooks.example/lethe"},
    HOOK: {"description": "the studio's"},
    f"{HOOK}/rotate": {},
}

WRITE: dict[tuple[str, str], Action] = {
    ("POST", "/v1/jobs"): Action.JOB_SUBMIT,
    ("POST", "/v1/jobs/{job_id}/cancel"): Action.JOB_CANCEL,
    ("POST", "/v1/jobs/{job_id}/retry"): Action.JOB_RETRY,
    ("PATCH", "/v1/jobs/{job_id}"): Action.JOB_CORRECT,
    ("GET", "/v1/jobs/{job_id}/report"): Action.REPORT_DOWNLOAD,
    ("GET", "/v1/generators/{generator_id}/archive"): Action.GENERATOR_DOWNLOAD,
    ("POST", SAMPLES): Action.GENERATOR_SAMPLE,
    ("POST", "/v1/generators/{generator_id}/release"): Action.GENERATOR_RELEASE,
    ("POST", HOOKS): Action.WEBHOOK_CREATE,
    ("PATCH", HOOK): Action.WEBHOOK_UPDATE,
    ("DELETE", HOOK): Action.WEBHOOK_DELETE,
    ("POST", f"{HOOK}/rotate"): Action.WEBHOOK_ROTATE,
    ("POST", f"{HOOK}/deliveries/{{delivery_id}}/redeliver"): Action.WEBHOOK_REDELIVER,
    ("DELETE", "/v1/jobs/{job_id}"): Action.JOB_DELETE,
    ("DELETE", "/v1/generators/{generator_id}"): Action.GENERATOR_DELETE,
    # the dashboard's
    ("POST", "/login"): Action.SESSION_START,
    ("POST", "/logout"): Action.SESSION_END,
    ("POST", "/jobs/{job_id}/cancel"): Action.JOB_CANCEL,
    ("POST", "/jobs/{job_id}/retry"): Action.JOB_RETRY,
    ("POST", "/generators/{generator_id}/release"): Action.GENERATOR_RELEASE,
    ("POST", "/jobs/{job_id}/delete"): Action.JOB_DELETE,
    ("POST", "/generators/{generator_id}/delete"): Action.GENERATOR_DELETE,
}
"""What a request by each route writes, if it is answered. Every route that changes something has a row, and so has what
hands something out; no other route writes an entry."""
ASKS = {("POST", "/v1/estimates"), ("POST", "/parts/estimate")}
"""They send a submission and change nothing."""
STREAMS = {"/v1/jobs/{job_id}/events"}
"""Open, they do not end."""


def routes(service: Service) -> Iterator[tuple[str, str]]:
    """Every operation of the API, and what the dashboard can change."""
    for path, item in service.http.get("/openapi.json").json()["paths"].items():
        yield from ((method.upper(), path) for method in item)
    forms = Path(session.__file__).parent.glob("*.py")
    for text in (form.read_text() for form in forms):
        yield from (
            (method.upper(), path) for method, path in re.findall(r"@router\.(post|put|patch|delete)\(\"(\S+?)\"", text)
        )


@dataclass
class Tenant:
    """A tenant whose log this test has for itself."""

    service: Service
    folder: Path
    key: ApiKey
    headers: dict[str, str]
    calls: int = field(default=0)

    def entries(self) -> list[dict[str, Any]]:
        """Its log, oldest first."""
        data: list[dict[str, Any]] = []
        query = {"order": "oldest", "limit": 100}
        while True:
            page = self.service.http.get("/v1/audit", params=query, headers=self.headers).json()
            data += page["data"]
            if not page["has_more"]:
                return data
            query["after"] = page["next"]

    def ids(self, path: str, verdict: str) -> dict[str, str]:
        """Of a job and a generator with which the route at ``path`` does something."""
        if path.endswith("/cancel"):
            return {"job_id": submitted(self.service, self.headers)}
        if path.endswith("/retry"):
            job_id = submitted(self.service, self.headers)
            self.service.store.request_cancel(job_id)
            return {"job_id": job_id}
        if "webhook_id" in path:
            return self.hook()
        generator_id = published(self.service, self.folder, verdict, self.headers)
        job_id = self.service.http.get(f"/v1/generators/{generator_id}", headers=self.headers).json()["job"]
        if "{deleted}" in path:
            delete_generator(self.service.engine, generator_id, "audited", Order("somebody", "no reason"))
        return {"job_id": job_id, "generator_id": generator_id, "deleted": generator_id, "name": "fashion"}

    def hook(self) -> dict[str, str]:
        """Of a webhook and what it is to be told."""
        http, headers = self.service.http, self.headers
        hook: str = http.post(HOOKS, json=SENT[HOOKS], headers=headers).json()["id"]
        self.service.store.request_cancel(submitted(self.service, headers))
        (delivery,) = http.get(f"{HOOKS}/{hook}/deliveries", headers=headers).json()["data"]
        return {"webhook_id": hook, "delivery_id": delivery["id"]}

    def call(self, method: str, path: str) -> tuple[httpx.Response, list[dict[str, Any]], str]:
        """Call a route as it should be. The answer, the entries that it wrote, and the id of what it was about."""
        ids = self.ids(path, "fail" if path.endswith("/release") else "pass") if "{" in path else {}
        filled = re.sub(r"\{(\w+)\}", lambda name: ids[name[1]], path)
        bodies = {"POST": SENT.get(path), "PATCH": SENT.get(path), "DELETE": WHY if path != HOOK else None}
        sent: dict[str, Any] = {"json": bodies.get(method), "headers": self.headers}
        if not path.startswith("/v1"):
            sent = {"json": SENT[path]} if path in SENT else {"data": WHY}
            sent["headers"] = {"sec-fetch-site": "same-origin"}
            sent["headers"]["cookie"] = f"{COOKIE}={signed_in(self.service, self.headers)[COOKIE]}"
            if path == "/login":
                sent["data"] = {"key": self.headers["Authorization"].split()[1]}
        self.calls += 1
        sent["headers"] = {**sent["headers"], "x-request-id": f"call-{self.calls}"}
        before = len(self.entries())
        answer = self.service.http.request(method, filled, **sent)
        named = [ids[name] for name in ("webhook_id", "generator_id", "job_id") if f"{{{name}}}" in path]
        about = named[0] if named else self.key.id
        return answer, self.entries()[before:], about


@pytest.fixture
def acme(guarded: Service, tmp_path: Path) -> Tenant:
    key, secret = keys.create(guarded.engine, "audited", "auditor", ["admin", "metrics"])
    return Tenant(guarded, tmp_path, key, {"Authorization": f"Bearer {secret}"})


@pytest.fixture
def sampler(guarded: Service) -> Iterator[None]:
    """One that answers at once."""
    url = guarded.settings.require_broker()
    with worker(url, QUEUE_SAMPLES, TASK_SAMPLE, answering(Broker(url))):
        yield


def test_every_route_writes_what_it_should_and_once(acme: Tenant, sampler: None) -> None:
    listed = list(routes(acme.service))
    assert len(listed) == len(set(listed)) >= 25
    changing = {route for route in listed if route[0] != "GET"} - ASKS
    assert changing | {route for route in WRITE if route[0] == "GET"} == set(WRITE), "a route without its row in WRITE"
    for method, path in listed:
        if path in STREAMS:
            continue
        answer, written, about = acme.call(method, path)
        assert answer.status_code in (200, 201, 202, 204, 303), (method, path, answer.text)
        action = WRITE.get((method, path))
        assert [each["action"] for each in written] == ([str(action)] if action else []), (method, path)
        for entry in written:
            about = answer.json()["id"] if action in (Action.JOB_SUBMIT, Action.WEBHOOK_CREATE) else about
            assert entry["object_id"] == about, (method, path)
            assert (entry["tenant"], entry["actor"], entry["actor_name"]) == ("audited", acme.key.id, "auditor")
            assert entry["request_id"] == answer.headers["x-request-id"] == f"call-{acme.calls}"
    log = acme.entries()
    (drawn,) = [entry for entry in log if entry["action"] == Action.GENERATOR_SAMPLE]
    assert drawn["details"] == {"n": 2, "seed": 5, "forgotten": True}, "names of concepts are people's, and stay out"
    (chain,) = verify(canonical(entry) for entry in log)
    assert chain.entries == len(log)


def test_what_is_refused_is_not_told(acme: Tenant) -> None:
    http, headers = acme.service.http, acme.headers
    ids = acme.ids("", "fail")
    before = len(acme.entries())
    generator, job = f"/v1/generators/{ids['generator_id']}", f"/v1/jobs/{ids['job_id']}"
    assert http.post("/v1/jobs", json=body(forget=[]), headers=headers).status_code == 422
    assert http.post(f"{job}/retry", headers=headers).status_code == 409
    assert http.post(f"{generator}/release", json={"reason": "short"}, headers=headers).status_code == 422
    assert http.get(f"{generator}/archive", headers=headers).status_code == 409
    assert http.get(f"{job}/report", params={"file": "x"}, headers=headers).status_code == 404
    assert http.post(f"{generator}/samples", json={"concept": "Sneaker"}, headers=headers).status_code == 409
    assert http.post(f"{job}/cancel", headers=headers).status_code == 200, "it has ended: nothing changes"
    assert http.post("/login", data={"key": "lethe_nonsense"}).status_code == 401
    assert len(acme.entries()) == before


def test_prompts_stay_out(acme: Tenant) -> None:
    """What the log has of one is its digest (``api.asking``)."""
    said = Asked(("a nude person",), True).to_audit(SamplesRequest(prompt="a nude person"))
    assert "nude" not in str(said)
    assert set(said) == {"prompt_sha256", "forgotten"}


def test_filters_and_pages(acme: Tenant) -> None:
    http, headers = acme.service.http, acme.headers
    job_id = submitted(acme.service, headers)
    submitted(acme.service, headers)
    http.post(f"/v1/jobs/{job_id}/cancel", headers=headers)
    (submit, cancel) = [entry for entry in acme.entries() if entry["object_id"] == job_id]

    def found(**query: Any) -> list[int]:
        answer = http.get("/v1/audit", params=query, headers=headers)
        assert answer.status_code == 200, answer.text
        return [entry["seq"] for entry in answer.json()["data"]]

    assert found(object_id=job_id) == [cancel["seq"], submit["seq"]]
    assert found(object_id=job_id, order="oldest", limit=1) == [submit["seq"]]
    assert found(action="job.cancel", object_id=job_id) == [cancel["seq"]]
    assert found(actor=acme.key.id, since=submit["at"], until=cancel["at"]) == [submit["seq"] + 1, submit["seq"]]
    assert len(found(actor="operator", object_id=acme.key.id, action="key.create")) == 1
    first = http.get("/v1/audit", params={"limit": 1}, headers=headers).json()
    assert (first["has_more"], first["data"][0]["seq"]) == (True, cancel["seq"])
    assert found(after=first["next"], limit=1) == [cancel["seq"] - 1]
    for wrong in ({"action": "job.dance"}, {"actor": "a b"}, {"object_id": "x\0"}, {"since": "yesterday"},
                  {"since": "2026-01-01T00:00:00"}, {"order": "random"}, {"who": "x"}, {"limit": 0}):  # fmt: skip
        (pointer,) = is_problem(http.get("/v1/audit", params=wrong, headers=headers), 422, "invalid_request")["errors"]
        assert next(iter(wrong)) in pointer["pointer"]
    other_list = http.get("/v1/jobs", params={"limit": 1}, headers=headers).json()["next"]
    is_problem(http.get("/v1/audit", params={"after": other_list}, headers=headers), 422, "bad_cursor")


def test_a_tenant_reads_its_own(acme: Tenant, bearer: Bearer) -> None:
    theirs = bearer("admin", tenant="globex")
    submitted(acme.service, theirs)
    for headers, tenant in ((theirs, "globex"), (acme.headers, "audited")):
        shown = acme.service.http.get("/v1/audit", headers=headers).json()["data"]
        assert {entry["tenant"] for entry in shown} == {tenant}
    is_problem(acme.service.http.get("/v1/audit", headers=bearer("read", "submit")), 403, "forbidden")


def test_without_keys_it_was_anybody(service: Service) -> None:
    job_id = submitted(service)
    (entry,) = service.http.get("/v1/audit", params={"object_id": job_id}).json()["data"]
    assert (entry["actor"], entry["actor_name"], entry["tenant"]) == ("anybody", None, "default")
    assert orjson.loads(canonical(entry)) == entry
