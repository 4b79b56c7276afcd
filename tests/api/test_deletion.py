"""Deletion over HTTP: who may, with which reason; what every path of what is gone answers; tombstones and storage."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pytest

from jobs.record import generate_key, read_record, verify_tombstone
from jobs.settings import Settings
from jobs.states import Status
from tests.api.making import failed, is_problem, pointers, publish, published, signed_in, submitted, train
from tests.api.test_auth import OTHER_SITES
from tests.support.serving import Service, serving
from worker.deletion import remove_deleted

Bearer = Callable[..., dict[str, str]]
WHY = "The contract has ended: ticket T-456."
SAMPLES = {"concept": "Sneaker", "seed": 1}


def delete(service: Service, path: str, body: Any = None, headers: dict[str, str] | None = None) -> httpx.Response:
    """Ask for a deletion of what is at ``path``, below ``/v1``."""
    sent = {"json": {"reason": WHY} if body is None else body}
    return service.http.request("DELETE", f"/v1{path}", headers=headers, **sent)


def test_a_generator(service: Service, tmp_path: Path) -> None:
    generator_id = published(service, tmp_path)
    path = f"/generators/{generator_id}"
    before = service.http.get(f"/v1{path}").json()
    job = before["job"]
    listed = service.http.get("/v1/storage").json()
    answer = delete(service, path, {"reason": f"  {WHY}\n"})
    assert answer.status_code == 200, answer.text
    tombstone = answer.json()
    assert (tombstone["deleted"], tombstone["kind"], tombstone["job"]) == (generator_id, "generator", job)
    assert (tombstone["reason"], tombstone["verdict"]) == (WHY, "pass")
    assert tombstone["by"] == "anybody on the service's machine (it asks for no API key)"
    assert tombstone["files"] == {name: file["sha256"] for name, file in before["files"].items()}
    assert tombstone["files_removed_at"] is None
    assert delete(service, path).json() == tombstone
    for gone in (
        service.http.get(f"/v1{path}"),
        service.http.get(f"/v1{path}/archive"),
        service.http.get(f"/v1{path}/record"),
        service.http.post(f"/v1{path}/samples", json=SAMPLES),
        service.http.post(f"/v1{path}/release", json={"reason": WHY}),
    ):
        document = is_problem(gone, 410, "deleted")
        assert document["tombstone"] == tombstone
        assert WHY in document["detail"]
    assert generator_id not in service.http.get("/v1/generators").text
    for each in (f"/v1/jobs/{job}", f"/v1/jobs/{job}/report", f"/v1/jobs/{job}/report?file=pairs.png"):
        assert service.http.get(each).status_code == 200
    assert service.http.get(f"/v1/jobs/{job}").json()["generator"] == generator_id
    stored = service.http.get("/v1/storage").json()
    size = sum(file["size"] for file in before["files"].values())
    assert stored["published"]["bytes"] == listed["published"]["bytes"] - size
    assert stored["leftovers"]["bytes"] == listed["leftovers"]["bytes"] + size
    assert stored["reports"] == listed["reports"]
    assert remove_deleted(service.engine, service.artifacts)
    after = service.http.get(f"/v1/tombstones/{generator_id}").json()
    assert after | {"files_removed_at": None} == tombstone
    assert after["files_removed_at"] is not None
    assert service.http.get("/v1/storage").json()["leftovers"] == {"objects": 0, "bytes": 0}
    assert (
        f'lethe_stored_bytes{{kind="published"}} {stored["published"]["bytes"]:.1f}'
        in service.http.get("/metrics").text
    )


def test_a_job_and_its_generator(service: Service, tmp_path: Path) -> None:
    job = submitted(service, metadata={"ticket": "T-gone"})
    path = f"/jobs/{job}"
    for status in (Status.QUEUED, Status.RUNNING):
        if status is Status.RUNNING:
            attempt = train(service.store, job)
        document = is_problem(delete(service, path), 409, "job_conflict")
        assert document["job_status"] == status
        assert "cancel it first" in document["detail"]
    generator_id = publish(service, job, attempt, tmp_path, "fail")
    tombstone = delete(service, path).json()
    assert (tombstone["deleted"], tombstone["generator"], tombstone["verdict"]) == (job, generator_id, "fail")
    assert {"unet/model.safetensors", "evaluation/report.html"} <= set(tombstone["files"])
    stream = {"accept": "text/event-stream"}
    for gone in (
        service.http.get(f"/v1{path}"),
        service.http.get(f"/v1{path}/events"),
        service.http.get(f"/v1{path}/events", headers=stream),
        service.http.get(f"/v1{path}/report"),
        service.http.get(f"/v1{path}/report?file=pairs.png"),
        service.http.post(f"/v1{path}/cancel"),
        service.http.post(f"/v1{path}/retry"),
        service.http.patch(f"/v1{path}", json={"case": {"ticket": "T-1"}}),
        service.http.get(f"/v1{path}/advice"),
        service.http.get(f"/v1{path}/decision"),
        service.http.post("/v1/jobs", json={"like": job}),
        service.http.post("/v1/estimates", json={"like": job}),
    ):
        assert is_problem(gone, 410, "deleted")["tombstone"] == tombstone
    assert is_problem(service.http.get(f"/v1/generators/{generator_id}"), 410, "deleted")["tombstone"]["deleted"] != job
    assert service.http.get("/v1/jobs?metadata.ticket=T-gone").json()["data"] == []
    first, second = service.http.get("/v1/tombstones?limit=2").json()["data"]
    assert (first["deleted"], second["deleted"]) == (job, generator_id)
    after = service.http.get("/v1/tombstones?limit=1").json()["next"]
    assert service.http.get(f"/v1/tombstones?limit=1&after={after}").json()["data"] == [second]
    is_problem(service.http.get("/v1/tombstones?after=x"), 422, "bad_cursor")
    is_problem(service.http.get("/v1/tombstones/gen_1"), 404, "tombstone_not_found")


def test_the_signed_tombstone(settings: Settings, tmp_path: Path) -> None:
    key = generate_key(tmp_path / "key")
    with serving(settings.model_copy(update={"signing_key": tmp_path / "key"})) as signing:
        job = submitted(signing)
        failed(signing.store, job)
        tombstone = delete(signing, f"/jobs/{job}").json()
        answer = signing.http.get(tombstone["links"]["record"])
    (tmp_path / "tombstone.json").write_bytes(answer.content)
    found = verify_tombstone(read_record(tmp_path / "tombstone.json"), [key])
    assert found.predicate["deleted"] == job
    assert found.predicate["record_sha256"] is None
    assert found.statement["subject"] == []
    assert answer.headers["content-disposition"] == f'attachment; filename="{job}-tombstone.json"'


def test_who_may_not(guarded: Service, bearer: Bearer, tmp_path: Path) -> None:
    own = bearer("admin")
    generator_id = published(guarded, tmp_path, headers=own)
    job = guarded.http.get(f"/v1/generators/{generator_id}", headers=own).json()["job"]
    for path in (f"/generators/{generator_id}", f"/jobs/{job}"):
        is_problem(delete(guarded, path), 401, "unauthenticated")
        for scopes in (("read",), ("submit",), ("read", "submit")):
            assert "`admin`" in is_problem(delete(guarded, path, headers=bearer(*scopes)), 403, "forbidden")["detail"]
        kind = "job" if "job" in path else "generator"
        is_problem(delete(guarded, path, headers=bearer("admin", tenant="globex")), 404, f"{kind}_not_found")
        assert guarded.http.get(f"/v1{path}", headers=own).status_code == 200
    is_problem(guarded.http.get("/v1/storage", headers=bearer("read", "submit")), 403, "forbidden")
    tombstone = delete(guarded, f"/jobs/{job}", headers=own).json()
    assert tombstone["by"].startswith("acme admin (key_")
    for path in (f"/jobs/{job}", f"/generators/{generator_id}"):
        is_problem(guarded.http.get(f"/v1{path}", headers=bearer("read")), 410, "deleted")
        assert guarded.http.get(f"/v1{path}", headers=bearer("read", tenant="globex")).status_code == 404
        assert delete(guarded, path, headers=bearer("admin", tenant="globex")).status_code == 404
    other = bearer("admin", tenant="globex")
    is_problem(guarded.http.get(f"/v1/tombstones/{job}", headers=other), 404, "tombstone_not_found")
    assert guarded.http.get("/v1/tombstones", headers=other).json()["data"] == []
    assert guarded.http.get("/v1/storage", headers=other).json()["reports"] == {"objects": 0, "bytes": 0}


@pytest.mark.parametrize(
    ("body", "pointer"),
    [
        ({}, "/reason"),
        ({"reason": "too short"}, "/reason"),
        ({"reason": " " * 20}, "/reason"),
        ({"reason": "x" * 2001}, "/reason"),
        ({"reason": "a reason with \0 in it"}, "/reason"),
        ({"reason": None}, "/reason"),
        ({"reason": WHY, "force": True}, "/force"),
        ([WHY], ""),
    ],
)
def test_a_reason_that_is_none(service: Service, body: Any, pointer: str) -> None:
    job = submitted(service)
    assert pointers(is_problem(delete(service, f"/jobs/{job}", body), 422, "invalid_request")) == [pointer]


def test_without_a_body(service: Service) -> None:
    job = submitted(service)
    document = is_problem(service.http.delete(f"/v1/jobs/{job}"), 422, "invalid_request")
    assert document["errors"] == [{"pointer": "", "detail": "is required", "in": "body"}]
    service.http.post(f"/v1/jobs/{job}/cancel")
    assert delete(service, f"/jobs/{job}").status_code == 200


@pytest.mark.parametrize("headers", OTHER_SITES)
def test_another_site_cannot_delete(guarded: Service, bearer: Bearer, headers: dict[str, str]) -> None:
    own = bearer("admin")
    job = submitted(guarded, own)
    failed(guarded.store, job)
    with httpx.Client(base_url=guarded.url, cookies=signed_in(guarded, own)) as browser:
        assert browser.post(f"/jobs/{job}/delete", headers=headers, data={"reason": WHY}).status_code == 403
        assert browser.request("DELETE", f"/v1/jobs/{job}", headers=headers, json={"reason": WHY}).status_code == 403
    assert guarded.http.get(f"/v1/jobs/{job}", headers=own).status_code == 200


def test_the_dashboards_pages_are_for_administrators(guarded: Service, bearer: Bearer, tmp_path: Path) -> None:
    generator_id = published(guarded, tmp_path, headers=bearer("submit"))
    waiting = submitted(guarded, bearer("submit"))
    job = guarded.http.get(f"/v1/generators/{generator_id}", headers=bearer("read")).json()["job"]
    same = {"sec-fetch-site": "same-origin"}
    html = {"accept": "text/html"}
    with httpx.Client(base_url=guarded.url, headers=html) as browser:
        assert browser.post(f"/jobs/{job}/delete", headers=same, data={"reason": WHY}).status_code == 303  # to sign in
        browser.cookies.update(signed_in(guarded, bearer("read", "submit")))
        for path in (f"/jobs/{job}", f"/generators/{generator_id}"):
            assert f"{path}/delete" not in browser.get(path).text
            assert browser.get(f"{path}/delete").status_code == 403
            assert browser.post(f"{path}/delete", headers=same, data={"reason": WHY}).status_code == 403
        browser.cookies.clear()
        browser.cookies.update(signed_in(guarded, bearer("admin")))
        assert f"/jobs/{waiting}/delete" not in browser.get(f"/jobs/{waiting}").text
        assert "cancel it first" in browser.get(f"/jobs/{waiting}/delete").text
        assert browser.post(f"/jobs/{waiting}/delete", headers=same, data={"reason": WHY}).status_code == 409
        for path, to in ((f"/generators/{generator_id}", "/generators"), (f"/jobs/{job}", "/")):
            assert f"{path}/delete" in browser.get(path).text
            assert "</textarea>" in browser.get(f"{path}/delete").text
            short = browser.post(f"{path}/delete", headers=same, data={"reason": "<b>why"})
            assert short.status_code == 422
            assert "&lt;b&gt;why</textarea>" in short.text
            assert "at least 10 characters" in short.text
            done = browser.post(f"{path}/delete", headers=same, data={"reason": WHY})
            assert (done.status_code, done.headers["location"]) == (303, to)
            gone = browser.get(path)
            assert gone.status_code == 410
            assert WHY in gone.text
            assert f"/v1/tombstones{path[path.rindex('/') :]}/record" in gone.text
            if path.startswith("/generators"):  # the job's page is there without it
                assert "Its generator was deleted." in browser.get(f"/jobs/{job}").text
        record = json.loads(browser.get(f"/v1/tombstones/{job}/record").text)
    assert record["signatures"] == []
