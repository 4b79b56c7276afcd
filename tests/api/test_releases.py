"""Releasing a withheld generator: who may, with which reason, once; what changes by it and what does not."""

from __future__ import annotations

import base64
import hashlib
import io
import json
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pytest
from securesystemslib.dsse import Envelope
from sqlalchemy import update

from jobs.record import generate_key, load_signer, read_statement, sign
from jobs.schema import generators
from jobs.settings import Settings
from tests.api.making import REASON, is_problem, pointers, published, signed_in
from tests.api.test_auth import OTHER_SITES
from tests.store.making import at_once
from tests.support.serving import Service, serving

Bearer = Callable[..., dict[str, str]]
WHY = "What the judge takes for sneakers are ankle boots: looked at by hand."


def release(service: Service, generator_id: str, body: Any, headers: dict[str, str] | None = None) -> httpx.Response:
    """Ask for a release."""
    return service.http.post(f"/v1/generators/{generator_id}/release", json=body, headers=headers)


def release_in(record: str) -> Any:
    """What a record says of its release."""
    return json.loads(base64.b64decode(json.loads(record)["payload"]))["predicate"]["release"]


@pytest.mark.parametrize("verdict", ["fail", "inconclusive"])
def test_a_release(service: Service, tmp_path: Path, verdict: str) -> None:
    generator_id = published(service, tmp_path, verdict)
    path = f"/v1/generators/{generator_id}"
    before, record = service.http.get(path).json(), service.http.get(f"{path}/record").text
    assert before["release"] is release_in(record) is None
    answer = release(service, generator_id, {"reason": f"  {WHY}\n"})
    assert answer.status_code == 200
    after = answer.json()
    assert service.http.get(path).json() == after
    assert (after["status"], after["verdict"]) == ("published", verdict)
    assert after["release"]["reason"] == WHY
    changed = {name for name in before if before[name] != after[name]}
    assert changed == {"status", "release", "links"}
    written = release_in(service.http.get(f"{path}/record").text)
    assert written["previous_record_sha256"] == hashlib.sha256(record.encode()).hexdigest()
    assert {name: written[name] for name in ("by", "reason")} == {
        "by": "anybody on the service's machine (it asks for no API key)",
        "reason": WHY,
    }
    archive = service.http.get(after["links"]["archive"])
    with zipfile.ZipFile(io.BytesIO(archive.content)) as files:
        assert release_in(files.read("unlearning-record.json").decode()) == written
    # No worker listens here: the refusal of before is gone, and that is all there is to see.
    samples = service.http.post(after["links"]["samples"], json={"concept": "Sneaker", "seed": 1})
    is_problem(samples, 503, "samples_unavailable")


def test_the_record_says_whose_key_it_was(guarded: Service, bearer: Bearer, tmp_path: Path) -> None:
    headers = bearer("admin")
    generator_id = published(guarded, tmp_path, "fail", headers)
    by = release(guarded, generator_id, {"reason": WHY}, headers).json()["release"]["by"]
    assert by.startswith("acme admin (key_")
    record = guarded.http.get(f"/v1/generators/{generator_id}/record", headers=headers).text
    assert release_in(record)["by"] == by


def test_a_signed_record_is_replaced_by_a_signed_one(settings: Settings, service: Service, tmp_path: Path) -> None:
    key_path = tmp_path / "key"
    key = generate_key(key_path)
    generator_id = published(service, tmp_path, "fail")
    with service.engine.begin() as connection:
        statement = read_statement(service.http.get(f"/v1/generators/{generator_id}/record").text)
        signed = sign(statement, load_signer(key_path))
        connection.execute(update(generators).where(generators.c.id == generator_id).values(record=signed))
    document = is_problem(release(service, generator_id, {"reason": WHY}), 409, "signing_key_missing")
    assert "LETHE_SIGNING_KEY" in document["detail"]
    assert service.http.get(f"/v1/generators/{generator_id}").json()["status"] == "withheld"
    generate_key(tmp_path / "other")
    with serving(settings.model_copy(update={"signing_key": tmp_path / "other"})) as stranger:
        document = is_problem(release(stranger, generator_id, {"reason": WHY}), 409, "record_not_trusted")
        assert "LETHE_RETIRED_KEYS" in document["detail"]
    with serving(settings.model_copy(update={"signing_key": key_path})) as signing:
        assert release(signing, generator_id, {"reason": WHY}).status_code == 200
        record = signing.http.get(f"/v1/generators/{generator_id}/record").text
    assert release_in(record)["reason"] == WHY
    Envelope.from_dict(json.loads(record)).verify([key], 1)


def test_who_may_not(guarded: Service, bearer: Bearer, tmp_path: Path) -> None:
    generator_id = published(guarded, tmp_path, "fail", bearer("submit"))
    body = {"reason": WHY}
    is_problem(release(guarded, generator_id, body), 401, "unauthenticated")
    for scopes in (("read",), ("submit",), ("read", "submit")):
        document = is_problem(release(guarded, generator_id, body, bearer(*scopes)), 403, "forbidden")
        assert "`admin`" in document["detail"]
    is_problem(release(guarded, generator_id, body, bearer("admin", tenant="globex")), 404, "generator_not_found")
    found = guarded.http.get(f"/v1/generators/{generator_id}", headers=bearer("read")).json()
    assert (found["status"], found["release"]) == ("withheld", None)


def test_what_is_not_withheld(service: Service, tmp_path: Path) -> None:
    passed, withheld = published(service, tmp_path), published(service, tmp_path, "fail")
    document = is_problem(release(service, passed, {"reason": WHY}), 409, "generator_not_withheld")
    assert "its evaluation passed" in document["detail"]
    first = release(service, withheld, {"reason": WHY}).json()
    record = service.http.get(first["links"]["record"]).text
    document = is_problem(release(service, withheld, {"reason": "another reason"}), 409, "generator_not_withheld")
    assert f"it was released at {release_in(record)['at']}" in document["detail"]
    assert service.http.get(first["links"]["self"]).json() == first
    assert service.http.get(first["links"]["record"]).text == record


def test_of_releases_at_once_one_wins(service: Service, tmp_path: Path) -> None:
    generator_id = published(service, tmp_path, "fail")
    answers = at_once(6, lambda i: release(service, generator_id, {"reason": f"reviewed by person {i}"}))
    assert sorted(answer.status_code for answer in answers) == [200] + [409] * 5
    (won,) = [answer.json() for answer in answers if answer.status_code == 200]
    for answer in answers:
        if answer.status_code == 409:
            is_problem(answer, 409, "generator_not_withheld")
    assert service.http.get(won["links"]["self"]).json() == won
    # The record is the winner's, not that of whoever signed last.
    assert release_in(service.http.get(won["links"]["record"]).text)["reason"] == won["release"]["reason"]


@pytest.mark.parametrize(
    ("body", "pointer"),
    [
        ({}, "/reason"),
        ({"reason": ""}, "/reason"),
        ({"reason": "too short"}, "/reason"),
        ({"reason": " " * 20}, "/reason"),
        ({"reason": "ok" + " " * 20}, "/reason"),
        ({"reason": "x" * 2001}, "/reason"),
        ({"reason": "a reason with \0 in it"}, "/reason"),
        ({"reason": 1234567890}, "/reason"),
        ({"reason": None}, "/reason"),
        ({"reason": WHY, "verdict": "pass"}, "/verdict"),
        ([WHY], ""),
    ],
)
def test_a_reason_that_is_none(service: Service, tmp_path: Path, body: Any, pointer: str) -> None:
    generator_id = published(service, tmp_path, "fail")
    assert pointers(is_problem(release(service, generator_id, body), 422, "invalid_request")) == [pointer]
    assert service.http.get(f"/v1/generators/{generator_id}").json()["status"] == "withheld"


def test_what_cannot_be_read(service: Service, tmp_path: Path) -> None:
    path = f"/v1/generators/{published(service, tmp_path, 'fail')}/release"
    json_ = {"content-type": "application/json"}
    half = b'{"reason": "half a pair: \\ud800"}'
    is_problem(service.http.post(path, content=b'{"reason": ', headers=json_), 400, "malformed")
    assert service.http.post(path, content=half, headers=json_).status_code in (400, 422)
    is_problem(service.http.post(path, content=b"reason"), 415, "unsupported_media_type")
    is_problem(service.http.post(path, json={"reason": "x" * (1 << 20)}), 413, "too_large")


@pytest.mark.parametrize("headers", OTHER_SITES)
def test_another_site_cannot_release(guarded: Service, bearer: Bearer, tmp_path: Path, headers: dict[str, str]) -> None:
    own = bearer("admin")
    generator_id = published(guarded, tmp_path, "fail", own)
    with httpx.Client(base_url=guarded.url, cookies=signed_in(guarded, own)) as browser:
        for path in (f"/generators/{generator_id}/release", f"/v1/generators/{generator_id}/release"):
            assert browser.post(path, headers=headers, data={"reason": WHY}).status_code == 403
    assert guarded.http.get(f"/v1/generators/{generator_id}", headers=own).json()["status"] == "withheld"


def test_the_dashboards_form_is_for_administrators(guarded: Service, bearer: Bearer, tmp_path: Path) -> None:
    generator_id = published(guarded, tmp_path, "fail", bearer("submit"))
    path = f"/generators/{generator_id}"
    same = {"sec-fetch-site": "same-origin"}
    with httpx.Client(base_url=guarded.url) as browser:
        assert browser.post(f"{path}/release", headers=same, data={"reason": WHY}).status_code == 303  # to sign in
        browser.cookies.update(signed_in(guarded, bearer("read", "submit")))
        assert browser.post(f"{path}/release", headers=same, data={"reason": WHY}).status_code == 403
        page = browser.get(path).text
        assert "Withheld." in page
        assert "</textarea>" not in page
        browser.cookies.clear()
        browser.cookies.update(signed_in(guarded, bearer("admin")))
        assert "</textarea>" in browser.get(path).text
        short = browser.post(f"{path}/release", headers=same, data={"reason": "<b>why"})
        assert short.status_code == 422
        assert "&lt;b&gt;why</textarea>" in short.text
        assert "at least 10 characters" in short.text
        assert browser.post(f"{path}/release", headers=same).status_code == 422
        done = browser.post(f"{path}/release", headers=same, data={"reason": f"{WHY}\r\nSecond line."})
        assert (done.status_code, done.headers["location"]) == (303, path)
        again = browser.post(f"{path}/release", headers=same, data={"reason": WHY})
        assert again.status_code == 409
        found = browser.get(f"/v1{path}").json()
        assert found["release"]["reason"] == f"{WHY}\nSecond line."
        page = browser.get(path).text
        for shown in ("Released although its verdict is fail.", WHY, "acme admin", REASON[1:], "</time>"):
            assert shown in page
        assert "</textarea>" not in page
