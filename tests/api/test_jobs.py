"""Looking at jobs, and moving them as a user may."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone

import pytest

from tests.api.making import failed, is_problem, pointers, submitted, train
from tests.support.serving import Service

NOBODY = "job_" + "0" * 32


def test_a_job_says_how_far_it_is(service: Service) -> None:
    job_id = submitted(service)
    train(service.store, job_id, 1024)
    job = service.http.get(f"/v1/jobs/{job_id}").json()
    assert (job["status"], job["phase"], job["attempt"]) == ("running", "training", 1)
    assert job["progress"]["images"] == 1024
    assert job["progress"]["of"] == 6400
    assert job["progress"]["eta_seconds"] == pytest.approx(168)
    assert job["progress"]["unlearning_accuracy"] == pytest.approx(0.32)
    assert "worker" not in job
    assert "tenant" not in job


def test_an_etag_changes_with_the_job_and_only_then(service: Service) -> None:
    job_id = submitted(service)
    first = service.http.get(f"/v1/jobs/{job_id}")
    tag = first.headers["etag"]
    for given in (tag, f"W/{tag}", f'"other", {tag}', "*"):
        same = service.http.get(f"/v1/jobs/{job_id}", headers={"If-None-Match": given})
        assert (same.status_code, same.content, same.headers["etag"]) == (304, b"", tag)
    train(service.store, job_id)
    changed = service.http.get(f"/v1/jobs/{job_id}", headers={"If-None-Match": tag})
    assert changed.status_code == 200
    assert changed.headers["etag"] != tag


@pytest.mark.parametrize("job_id", [NOBODY, "job_1", "gen_" + "0" * 32, "%00", "x" * 500])
def test_a_job_that_is_not_there(service: Service, job_id: str) -> None:
    is_problem(service.http.get(f"/v1/jobs/{job_id}"), 404, "job_not_found")
    is_problem(service.http.post(f"/v1/jobs/{job_id}/cancel"), 404, "job_not_found")
    is_problem(service.http.post(f"/v1/jobs/{job_id}/retry"), 404, "job_not_found")
    is_problem(service.http.get(f"/v1/jobs/{job_id}/events"), 404, "job_not_found")
    is_problem(service.http.get(f"/v1/jobs/{job_id}/report"), 404, "job_not_found")


def test_cancel_gives_the_same_answer_twice(service: Service) -> None:
    waiting = submitted(service)
    answers = [service.http.post(f"/v1/jobs/{waiting}/cancel") for _ in range(2)]
    assert [answer.status_code for answer in answers] == [200, 200]
    assert answers[0].json() == answers[1].json()
    assert answers[0].json()["status"] == "cancelled"
    running = submitted(service)
    train(service.store, running)
    answers = [service.http.post(f"/v1/jobs/{running}/cancel") for _ in range(2)]
    assert [answer.json()["status"] for answer in answers] == ["cancelling", "cancelling"]


def test_retry_is_for_what_failed_or_was_cancelled(service: Service) -> None:
    job_id = submitted(service)
    document = is_problem(service.http.post(f"/v1/jobs/{job_id}/retry"), 409, "job_conflict")
    assert document["job_status"] == "queued"
    failed(service.store, job_id)
    job = service.http.get(f"/v1/jobs/{job_id}").json()
    assert job["error"] == {"code": "training_diverged", "message": "loss is NaN at step 12", "retryable": False}
    again = service.http.post(f"/v1/jobs/{job_id}/retry").json()
    assert (again["status"], again["error"], again["failures"]) == ("queued", None, 0)


def test_the_list_is_newest_first_and_pages_cover_it_once(service: Service) -> None:
    made = [submitted(service) for _ in range(7)]
    seen: list[str] = []
    after: dict[str, str] = {}
    while True:
        page = service.http.get("/v1/jobs", params={"limit": 3, **after}).json()
        assert page["object"] == "list"
        seen += [job["id"] for job in page["data"]]
        if not page["has_more"]:
            assert page["next"] is None
            break
        submitted(service)  # what arrives meanwhile moves no page
        after = {"after": page["next"]}
    assert len(seen) == len(set(seen))
    assert [job_id for job_id in seen if job_id in made] == list(reversed(made))


def test_the_list_by_status_and_base_model(service: Service) -> None:
    job_id = submitted(service)
    service.store.request_cancel(job_id)
    cancelled = service.http.get("/v1/jobs", params={"status": "cancelled", "base_model": "fashion"}).json()["data"]
    assert cancelled[0]["id"] == job_id
    assert {job["status"] for job in cancelled} == {"cancelled"}
    assert service.http.get("/v1/jobs", params={"base_model": "none\0"}).json()["data"] == []


def test_the_list_by_ticket_concept_verdict_time_and_id(service: Service) -> None:
    job_id = submitted(service, metadata={"ticket": "T-list", "team & co": "a=b"})
    other = submitted(service, metadata={"ticket": "T-other"}, forget=[{"concept": "Bag", "override": "Sandal"}])
    created_at = service.http.get(f"/v1/jobs/{job_id}").json()["created_at"]

    def listed(**params: str) -> list[str]:
        answer = service.http.get("/v1/jobs", params=params)
        assert answer.status_code == 200, answer.text
        return [job["id"] for job in answer.json()["data"] if job["id"] in (job_id, other)]

    assert listed(**{"metadata.ticket": "T-list"}) == listed(**{"metadata.team & co": "a=b"}) == [job_id]
    assert listed(**{"metadata.ticket": "T-list", "metadata.team & co": "b"}) == []
    assert listed(concept="Bag") == [other]
    assert listed(id=job_id[-12:]) == [job_id]
    assert listed(created_after=created_at, limit="100") == [other, job_id]
    assert listed(created_before=created_at) == listed(verdict="pass") == []
    # One of the same instant in another zone, and pages of what was found.
    zone = datetime.fromisoformat(created_at).astimezone(timezone(timedelta(hours=5)))
    assert listed(created_before=zone.isoformat()) == []
    first = service.http.get("/v1/jobs", params={"created_after": created_at, "limit": 1}).json()
    again = {"created_after": created_at, "limit": 1, "after": first["next"]}
    assert [first["data"][0]["id"], service.http.get("/v1/jobs", params=again).json()["data"][0]["id"]] == [
        other,
        job_id,
    ]


@pytest.mark.parametrize("find", ["T-page", "job id", "Trouser"])
def test_the_table_is_found_by_what_one_has_at_hand(service: Service, find: str) -> None:
    wanted = submitted(service, metadata={"ticket": "T-page"}, forget=[{"concept": "Trouser", "override": "Sandal"}])
    other = submitted(service, metadata={"ticket": "<T-page>"})
    params = {"find": f" {wanted[-8:] if find == 'job id' else find} ", "status": "queued", "verdict": "maybe"}
    for path in ("/", "/parts/jobs"):
        page = service.http.get(path, params=params).text
        assert f"/jobs/{wanted}" in page
        assert other not in page
    nothing = service.http.get("/parts/jobs", params={**params, "find": "<none>", "verdict": "pass"}).text
    assert "No such job" in nothing
    assert "&lt;T-page&gt;" in service.http.get("/parts/jobs", params={"find": "<T-page>"}).text


@pytest.mark.parametrize(
    ("params", "pointer"),
    [
        ({"verdict": "good"}, "/verdict"),
        ({"concept": "x" * 201}, "/concept"),
        ({"created_after": "yesterday"}, "/created_after"),
        ({"created_before": "2026-11-28T12:00:00"}, "/created_before"),
        ({"id": "12345"}, "/id"),
        ({"metadata": "T-1"}, "/metadata"),
        ({"metadata.": "T-1"}, "/metadata."),
        ({"limit": 0}, "/limit"),
        ({"limit": 101}, "/limit"),
        ({"limit": "ten"}, "/limit"),
        ({"status": "done"}, "/status"),
        ({"state": "queued"}, "/state"),
        ({"after": "x" * 201}, "/after"),
    ],
)
def test_a_query_that_is_wrong(service: Service, params: dict[str, str], pointer: str) -> None:
    document = is_problem(service.http.get("/v1/jobs", params=params), 422, "invalid_request")
    assert pointers(document) == [pointer]
    assert document["errors"][0]["in"] == "query"


@pytest.mark.parametrize(
    ("query", "said"),
    [
        ("metadata.ticket=a&metadata.ticket=b", "metadata.ticket must be given once"),
        ("&".join(f"metadata.k{i}=x" for i in range(17)), "17 keys of metadata are asked for; a job has at most 16"),
    ],
)
def test_metadata_that_no_job_can_have(service: Service, query: str, said: str) -> None:
    document = is_problem(service.http.get(f"/v1/jobs?{query}"), 422, "invalid_request")
    assert [(error["in"], error["detail"]) for error in document["errors"]] == [("query", said)]


@pytest.mark.parametrize("cursor", ["", "nonsense", "Z2VuXzA", "%00", "ÿ"])
def test_a_cursor_that_is_none(service: Service, cursor: str) -> None:
    is_problem(service.http.get("/v1/jobs", params={"after": cursor}), 422, "bad_cursor")


def test_base_models(service: Service) -> None:
    page = service.http.get("/v1/base-models").json()
    assert [model["name"] for model in page["data"]] == ["fashion"]
    model = service.http.get("/v1/base-models/fashion").json()
    assert model == page["data"][0]
    assert "Sneaker" in model["concepts"]
    assert model["judge"]["by_concept"]["Bag"] == 0.93
    assert "folder" not in str(model)
    is_problem(service.http.get("/v1/base-models/shoes"), 404, "not_found")
