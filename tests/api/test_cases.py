"""The case behind a job: sent, refused with every mistake, found, corrected, overdue; and what of it goes nowhere."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from tests.api.making import body, is_problem, pointers, publish, published, submitted, train
from tests.support.serving import Service

CASE = {
    "ticket": "T-4711",
    "requester": "Ada L. <ada@example.org>",
    "received_at": "2026-11-01T09:30:00+01:00",
    "due_at": "2026-12-01T17:00:00+01:00",
    "basis": "GDPR Art. 17",
    "note": "By mail.\nSecond letter.",
}
SHOWN = CASE | {"received_at": "2026-11-01T08:30:00Z", "due_at": "2026-12-01T16:00:00Z"}


def correct(service: Service, job_id: str, case: Any, **headers: str) -> Any:
    return service.http.patch(f"/v1/jobs/{job_id}", json={"case": case}, headers=headers)


def test_a_case_is_kept_as_it_was_told(service: Service) -> None:
    job_id = submitted(service, case=CASE | {"ticket": "  T-4711 "}, priority="urgent")
    job = service.http.get(f"/v1/jobs/{job_id}").json()
    assert (job["case"], job["priority"], job["metadata"]) == (SHOWN, "urgent", {})
    for nothing in ({}, {"case": None}, {"case": {}}, {"case": {"ticket": None}}):
        job = service.http.post("/v1/jobs", json=body(**nothing)).json()
        assert (job["case"], job["overdue"], job["priority"]) == (None, False, "normal")


TIMES = [
    "2026-12-01",
    "2026-12-01T17:00:00",
    "2026-12-01T17:00+01:00",
    "2026-02-30T17:00:00Z",
    "1964-12-01T17:00:00Z",
    "1764600000",
    1764600000,
    True,
]


@pytest.mark.parametrize("time", TIMES)
def test_a_time_that_is_none(service: Service, time: Any) -> None:
    answer = service.http.post("/v1/jobs", json=body(case={"due_at": time}))
    document = is_problem(answer, 422, "invalid_request")
    assert pointers(document) == ["/case/due_at"]
    assert document["errors"][0]["detail"].startswith("must be ")


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("ticket", " "),
        ("ticket", "x" * 101),
        ("ticket", "a\nb"),
        ("ticket", 7),
        ("requester", "x" * 201),
        ("requester", "a\u0085b"),
        ("basis", "x" * 201),
        ("note", "x" * 1001),
        ("note", "bell\a"),
        ("reporter", "x"),
    ],
)
def test_a_text_that_is_none(service: Service, field: str, value: Any) -> None:
    document = is_problem(service.http.post("/v1/jobs", json=body(case={field: value})), 422, "invalid_request")
    assert pointers(document) == [f"/case/{field}"]
    job_id = submitted(service)
    assert pointers(is_problem(correct(service, job_id, {field: value}), 422, "invalid_request")) == [f"/case/{field}"]


def test_every_mistake_is_told_at_once(service: Service) -> None:
    wrong = CASE | {"ticket": "", "due_at": "2026-11-01T08:30:00Z", "note": 1, "who": "x"}
    answer = service.http.post("/v1/jobs", json=body(case=wrong, priority="now", seed=-1, metadata={"": "x"}))
    document = is_problem(answer, 422, "invalid_request")
    assert set(pointers(document)) == {
        "/case/ticket",
        "/case/note",
        "/case/who",
        "/case/due_at",
        "/priority",
        "/seed",
        "/metadata/",
    }
    details = {error["pointer"]: error["detail"] for error in document["errors"]}
    assert details["/case/due_at"] == "must be after received_at, 2026-11-01T09:30:00+01:00"
    assert "must be 'low', 'normal' or 'urgent'" in details["/priority"]
    for case in ("T-1", [], 7):
        found = is_problem(service.http.post("/v1/jobs", json=body(case=case)), 422, "invalid_request")
        assert [(error["pointer"], error["detail"]) for error in found["errors"]] == [("/case", "must be an object")]


def test_a_correction_changes_what_it_names(service: Service) -> None:
    job_id = submitted(service, case=CASE)
    answer = correct(service, job_id, {"due_at": "2026-12-15T00:00:00Z", "note": None})
    assert answer.status_code == 200, answer.text
    assert answer.json()["case"] == SHOWN | {"due_at": "2026-12-15T00:00:00Z", "note": None}
    got = service.http.get(f"/v1/jobs/{job_id}")
    assert (got.json(), got.headers["etag"]) == (answer.json(), answer.headers["etag"])
    event = service.http.get(f"/v1/jobs/{job_id}/events").json()["data"][-1]
    assert (event["type"], event["data"]) == ("job.corrected", {"fields": ["due_at", "note"]})
    assert "Corrected: due, note" in service.http.get(f"/jobs/{job_id}").text
    same = correct(service, job_id, {"note": None})
    assert same.headers["etag"] == answer.headers["etag"]
    # What was received stays, and what is sent is held against it.
    wrong = is_problem(correct(service, job_id, {"due_at": "2026-10-01T00:00:00Z"}), 422, "invalid_request")
    assert pointers(wrong) == ["/case/due_at"]
    assert correct(service, job_id, None).json()["case"] is None
    service.store.request_cancel(job_id)
    assert correct(service, job_id, {"ticket": "T-9"}).json()["case"]["ticket"] == "T-9"


def test_a_correction_of_what_has_changed_since(service: Service) -> None:
    job_id = submitted(service, case=CASE)
    tag = service.http.get(f"/v1/jobs/{job_id}").headers["etag"]
    first = correct(service, job_id, {"ticket": "T-1"}, **{"If-Match": tag})
    assert first.status_code == 200
    is_problem(correct(service, job_id, {"ticket": "T-2"}, **{"If-Match": tag}), 412, "precondition_failed")
    is_problem(correct(service, job_id, {"ticket": "T-2"}, **{"If-Match": f"W/{tag}"}), 412, "precondition_failed")
    for match in (first.headers["etag"], "*"):
        assert correct(service, job_id, {"note": match}, **{"If-Match": f'"x", {match}'}).status_code == 200
    assert service.http.get(f"/v1/jobs/{job_id}").json()["case"]["ticket"] == "T-1"


@pytest.mark.parametrize(
    ("sent", "pointer"),
    [({}, "/case"), ({"case": {}, "seed": 7}, "/seed"), ({"case": None, "priority": "low"}, "/priority")],
)
def test_nothing_else_is_corrected(service: Service, sent: dict[str, Any], pointer: str) -> None:
    job_id = submitted(service, case=CASE)
    answer = service.http.patch(f"/v1/jobs/{job_id}", json=sent)
    assert pointers(is_problem(answer, 422, "invalid_request")) == [pointer]
    assert service.http.get(f"/v1/jobs/{job_id}").json()["case"] == SHOWN


def test_who_may_not_correct(guarded: Service, bearer: Any) -> None:
    job_id = submitted(guarded, bearer("submit"), case=CASE)
    is_problem(correct(guarded, job_id, {"ticket": "x"}, **bearer("read")), 403, "forbidden")
    is_problem(correct(guarded, job_id, {"ticket": "x"}, **bearer("submit", tenant="other")), 404, "job_not_found")
    assert correct(guarded, job_id, {"ticket": "x"}, **bearer("submit")).status_code == 200


def test_lists_by_ticket_and_by_what_is_due(service: Service, tmp_path: Path) -> None:
    soon = (datetime.now(UTC) - timedelta(days=1), datetime.now(UTC) + timedelta(days=400))
    overdue, later = (submitted(service, case={"ticket": "T-due", "due_at": each.isoformat()}) for each in soon)

    def listed(path: str = "/v1/jobs", **params: str) -> list[str]:
        answer = service.http.get(path, params={"limit": "100"} | params)
        assert answer.status_code == 200, answer.text
        return [item["id"] for item in answer.json()["data"]]

    assert listed(ticket="T-due") == [later, overdue]
    assert listed(ticket="T-due", overdue="true") == [overdue]
    assert listed(ticket="T-due", due_before=soon[1].isoformat()) == [overdue]
    assert [id_ for id_ in listed(due_before="2199-01-01T00:00:00Z") if id_ in (overdue, later)] == [overdue, later]
    tag = service.http.get(f"/v1/jobs/{overdue}").headers["etag"]
    assert tag == '"1-overdue"'
    table = service.http.get("/parts/jobs", params={"find": "T-due"}).text
    assert table.count('<span class="badge overdue">overdue</span>') == 1
    assert later in table
    only = service.http.get("/parts/jobs", params={"find": "T-due", "overdue": "yes"}).text
    assert overdue in only
    assert later not in only
    generator = publish(service, overdue, train(service.store, overdue), tmp_path, "fail")
    assert listed(ticket="T-due", overdue="true") == [overdue]
    service.http.post(f"/v1/generators/{generator}/release", json={"reason": "reviewed by hand"})
    assert listed(ticket="T-due", overdue="true") == []
    assert service.http.get(f"/v1/jobs/{overdue}").json()["overdue"] is False
    found = {"ticket": "T-due", "verdict": "fail", "concept": "Sneaker", "base_model": "fashion"}
    assert listed("/v1/generators", **found) == [generator]
    assert listed("/v1/generators", **found | {"concept": "Bag"}) == []
    assert listed("/v1/generators", id=generator[-7:]) == [generator]
    for find in ("T-due", generator[-6:]):
        page = service.http.get("/generators", params={"find": find, "verdict": "fail"}).text
        assert f"/generators/{generator}" in page
    assert "No such generator" in service.http.get("/generators", params={"find": "<x>"}).text
    # What was answered stays so once the generator is deleted, also where a mistake in the case is put right then.
    gone = service.http.request("DELETE", f"/v1/generators/{generator}", json={"reason": "the contract has ended"})
    assert gone.status_code == 200
    assert correct(service, overdue, {"note": "By mail."}).json()["overdue"] is False
    assert listed(ticket="T-due", overdue="true") == []


@pytest.mark.parametrize(
    ("path", "params", "pointer"),
    [
        ("/v1/jobs", {"overdue": "false"}, "/overdue"),
        ("/v1/jobs", {"due_before": "2026-12-01T00:00:00"}, "/due_before"),
        ("/v1/jobs", {"ticket": "x" * 101}, "/ticket"),
        ("/v1/generators", {"verdict": "good"}, "/verdict"),
        ("/v1/generators", {"id": "12345"}, "/id"),
        ("/v1/generators", {"overdue": "true"}, "/overdue"),
    ],
)
def test_a_question_that_is_wrong(service: Service, path: str, params: dict[str, str], pointer: str) -> None:
    document = is_problem(service.http.get(path, params=params), 422, "invalid_request")
    assert pointers(document) == [pointer]


def test_it_is_in_no_card_and_no_record(service: Service, tmp_path: Path) -> None:
    """Neither of them can be corrected, and both are handed out."""
    job_id = submitted(service, case=CASE)
    generator = publish(service, job_id, train(service.store, job_id), tmp_path)
    for path in (f"/v1/generators/{generator}", f"/v1/generators/{generator}/record", f"/generators/{generator}"):
        answer = service.http.get(path)
        assert answer.status_code == 200
        assert "T-4711" not in answer.text
        assert "Ada" not in answer.text
    assert "case" not in service.store.get(job_id).request
    assert published(service, tmp_path)
