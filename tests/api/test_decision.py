"""The decision on a request for removal: for each way in which a job ends, derived from job, report and record."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import pytest

from jobs.record import generate_key, load_signer, sign
from sfd_core.evaluation.criteria import CRITERIA
from sfd_core.report.page.limits import LIMITS
from tests.api.making import REASON, failed, is_problem, publish, submitted, train
from tests.support.page_reader import Page
from tests.support.serving import Service

CASE = {
    "ticket": "T-<4711>",
    "requester": "Ada & Co",
    "received_at": "2026-11-01T09:30:00+01:00",
    "due_at": "2199-12-01T17:00:00+01:00",
    "basis": "GDPR Art. 17",
    "note": "By mail.",
}


def asked(service: Service, job_id: str, accept: str = "application/json") -> Any:
    return service.http.get(f"/v1/jobs/{job_id}/decision", headers={"Accept": accept})


def ended(service: Service, folder: Path, how: str, **case: str) -> str:
    """The id of a job that ended so."""
    job_id = submitted(service, case=CASE | case)
    if how == "cancelled":
        service.store.request_cancel(job_id)
    elif how == "failed":
        failed(service.store, job_id)
    else:
        verdict = {"released": "fail", "deleted": "pass"}.get(how, how)
        generator = publish(service, job_id, train(service.store, job_id), folder, verdict)
        if how == "released":
            answer = service.http.post(f"/v1/generators/{generator}/release", json={"reason": "seen <by> hand"})
            assert answer.status_code == 200
        if how == "deleted":
            answer = service.http.request("DELETE", f"/v1/generators/{generator}", json={"reason": "asked to, by mail"})
            assert answer.status_code == 200
    return job_id


SERVED = {
    "pass": True,
    "fail": False,
    "inconclusive": False,
    "released": True,
    "deleted": False,
    "failed": False,
    "cancelled": False,
}


@pytest.mark.parametrize("how", SERVED)
def test_each_way_to_end(service: Service, tmp_path: Path, how: str) -> None:
    job_id = ended(service, tmp_path, how)
    answer = asked(service, job_id)
    assert answer.status_code == 200, answer.text
    assert answer.headers["cache-control"] == "private, no-cache"
    found = answer.json()
    job = service.http.get(f"/v1/jobs/{job_id}").json()
    assert (found["job"], found["outcome"], found["served"]) == (job_id, how, SERVED[how])
    assert (found["case"], found["verdict"], found["generator"]) == (job["case"], job["verdict"], job["generator"])
    assert found["asked"]["forget"] == [{"concept": "Sneaker", "override": "Sandal"}]
    assert found["asked"]["base_model_digest"] == job["base_model_digest"]
    assert found["in_time"] is (True if SERVED[how] else None)
    text = Page(asked(service, job_id, "text/html").text).text
    for said in ("T-<4711>", "Ada & Co", "GDPR Art. 17", "By mail.", found["summary"], "Sneaker", job_id):
        assert said in text
    if how in ("failed", "cancelled"):
        assert (found["measured"], found["record"], found["verification"], found["release"]) == ([], None, [], None)
        assert found["decided_at"] == job["finished_at"]
        assert "Nothing was measured" in found["limits"][0]
        assert ("loss is NaN at step 12" in found["summary"]) is (how == "failed")
        return
    criterion, other = found["measured"]
    decision = {"released": "fail", "deleted": "pass"}.get(how, how)
    headline = CRITERIA["unlearning_accuracy"].headlines[decision].format(about="Sneaker")  # type: ignore[index]
    assert criterion == {"statement": headline, "decision": decision, "figures": REASON}
    assert other["decision"] == "pass"
    assert headline in text
    if how == "deleted":
        assert found["record"] is None
        assert f"/v1/tombstones/{job['generator']}" in found["verification"][0]
        assert "Not answered" not in text
        return
    record = service.http.get(found["record"]["path"]).content
    assert found["record"]["sha256"] == hashlib.sha256(record).hexdigest()
    assert found["record"]["sha256"] in text
    assert found["record"]["signed_by"] is None
    assert "unsigned" in found["verification"][-1]
    released = service.http.get(f"/v1/generators/{job['generator']}").json()["release"]
    assert found["release"] == released
    assert found["decided_at"] == (job["finished_at"] if released is None else released["at"].replace("+00:00", "Z"))
    assert ("seen <by> hand" in text) is (how == "released")


def test_what_others_asked_for_earlier_is_not_named(service: Service, tmp_path: Path) -> None:
    """A job that goes on from a generator keeps forgotten what that had forgotten, on somebody else's request."""
    job_id = ended(service, tmp_path, "fail")
    parent = {"generator": "gen_" + "0" * 32, "kept": ["Sneaker"]}
    new = {"concept": "Bag", "override": "Coat"}
    with service.engine.begin() as connection:
        connection.exec_driver_sql(
            "UPDATE jobs SET request = request || jsonb_build_object('parent', %s::jsonb, 'forget', "
            "jsonb_build_array(%s::jsonb) || (request -> 'forget')) WHERE id = %s",
            (json.dumps(parent), json.dumps(new), job_id),
        )
    found = asked(service, job_id).json()
    assert found["asked"]["forget"] == [new]
    assert found["asked"]["parent"] == parent["generator"]
    assert found["measured"][0]["statement"].startswith("“a concept that was forgotten earlier” is still shown")
    page = asked(service, job_id, "text/html").text
    assert "Sneaker" not in page + str(found)
    assert parent["generator"] in page


@pytest.mark.parametrize("state", ["queued", "running", "cancelling"])
def test_before_the_end_it_says_when_to_ask_again(service: Service, state: str) -> None:
    job_id = submitted(service)
    if state != "queued":
        train(service.store, job_id)  # 184 s are left
    if state == "cancelling":
        service.store.request_cancel(job_id)
    answer = asked(service, job_id)
    document = is_problem(answer, 409, "decision_not_ready")
    assert answer.headers["retry-after"] == ("60" if state == "queued" else "184")
    assert document["job_status"] == state
    assert f"ask again in {answer.headers['retry-after']} s" in document["detail"]


def test_answered_late_and_overdue(service: Service, tmp_path: Path) -> None:
    due = {"received_at": "2020-01-01T00:00:00Z", "due_at": "2020-02-01T00:00:00Z"}
    late, overdue = (ended(service, tmp_path, how, **due) for how in ("pass", "fail"))
    assert asked(service, late).json()["in_time"] is False
    assert "Answered late" in asked(service, late, "text/html").text
    assert "overdue since 2020-02-01" in asked(service, overdue, "text/html").text
    assert "overdue" not in asked(service, ended(service, tmp_path, "cancelled", **due), "text/html").text
    told = submitted(service)
    service.store.request_cancel(told)
    assert asked(service, told).json()["case"] is None
    assert "due" not in Page(asked(service, told, "text/html").text).text


def test_a_signed_record_is_checked_by_its_key(service: Service, tmp_path: Path) -> None:
    """The steps name the key that signed, and the command that checks it."""
    generate_key(tmp_path / "key")
    signer = load_signer(tmp_path / "key")
    job_id = ended(service, tmp_path, "pass")
    signed = sign({"predicate": {}}, signer)
    with service.engine.begin() as connection:
        connection.exec_driver_sql("UPDATE generators SET record = %s WHERE job_id = %s", (signed, job_id))
    found = asked(service, job_id).json()
    assert found["record"]["signed_by"] == signer.public_key.keyid
    assert any("lethe record verify unlearning-record.json --key" in step for step in found["verification"])
    assert signer.public_key.keyid in asked(service, job_id, "text/html").text


def test_the_reports_limits_are_those_of_the_decision(service: Service, tmp_path: Path) -> None:
    job_id = ended(service, tmp_path, "pass")
    with service.engine.begin() as connection:
        connection.exec_driver_sql(
            "UPDATE reports SET report = report || jsonb_build_object('judge', NULL, 'limits', %s::jsonb) "
            "WHERE job_id = %s",
            (json.dumps([*LIMITS, "One more."]), job_id),
        )
    found = asked(service, job_id).json()
    assert found["limits"] == [*LIMITS, "One more."]
    assert found["measured"][0]["statement"] == "Not evaluated: no classifier is available for “Sneaker”"
    page = asked(service, job_id, "text/html")
    assert LIMITS[-1] in page.text
    assert "One more." not in page.text
    assert "1 more" in page.text
    assert "script" not in page.text
    assert "default-src 'none'" in page.headers["content-security-policy"]


def test_who_asks_for_what(guarded: Service, bearer: Any, service: Service) -> None:
    job_id = submitted(guarded, bearer("submit"))
    answer = guarded.http.get(f"/v1/jobs/{job_id}/decision", headers=bearer("read", tenant="other"))
    is_problem(answer, 404, "job_not_found")
    is_problem(guarded.http.get(f"/v1/jobs/{job_id}/decision"), 401, "unauthenticated")
    cancelled = submitted(service)
    service.store.request_cancel(cancelled)
    is_problem(asked(service, cancelled, "image/png"), 406, "not_acceptable")
    assert "/decision" in service.http.get(f"/jobs/{cancelled}").text
    assert "/decision" not in service.http.get(f"/jobs/{submitted(service)}").text
