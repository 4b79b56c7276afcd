"""Submitting: what is refused and where, and that the same request twice is one job."""

from __future__ import annotations

import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from jobs.deleting import Order, delete_job
from sfd_core.evaluation.criteria import CRITERIA
from tests.api.making import body, is_problem, pointers, submitted
from tests.support.serving import CONCEPTS, Service

KEY = "Idempotency-Key"


def test_a_job_is_accepted(service: Service) -> None:
    answer = service.http.post(
        "/v1/jobs",
        json=body(
            forget=[{"concept": "Sneaker", "override": "Sandal"}, {"concept": "Bag", "override": {"random": True}}],
            budget={"images": 6400, "seconds": 600, "until": "budget"},
            recipe={"alpha": 1.1},
            thresholds={"unlearning_accuracy": 0.98},
            evaluation={"images_per_concept": 300, "probes": ["image_to_image", "relearning"]},
            seed=7,
            metadata={"ticket": "T-123"},
        ),
    )
    assert answer.status_code == 202
    job = answer.json()
    assert answer.headers["location"] == job["links"]["self"] == f"/v1/jobs/{job['id']}"
    assert (job["object"], job["status"], job["phase"], job["verdict"]) == ("job", "queued", None, None)
    assert job["budget"] == {"images": 6400, "seconds": 600.0, "until": "budget"}
    bag = {
        "concept": "Bag",
        "override": {"random": True},
        "words": [],
        "prompts": 0,
        "topic": None,
        "outside_vocabulary": False,
        "kept": False,
    }
    assert job["forget"][1] == bag
    assert job["recipe"]["alpha"] == 1.1
    assert job["thresholds"] == {name: spec.default for name, spec in CRITERIA.items()} | {"unlearning_accuracy": 0.98}
    assert job["evaluation"] == {
        "images_per_concept": 300,
        "images_per_forgotten_concept": 2000,
        "probes": ["image_to_image", "relearning"],
        "nsfw": False,
    }
    assert (job["seed"], job["metadata"]) == (7, {"ticket": "T-123"})
    assert job["progress"]["of"] == 6400
    assert job["base_model_digest"].startswith("sha256:")
    assert job["report"] is job["generator"] is job["error"] is None
    # Committed before the answer came: another connection sees it.
    assert service.store.get(job["id"]).tenant == "default"


SNEAKER = {"concept": "Sneaker", "override": "Sandal"}
WRONG: list[tuple[str, Any, str]] = [
    ("base_model", 3, "/base_model"),
    ("base_model", "", "/base_model"),
    ("base_model", "x" * 300, "/base_model"),
    ("base_model", None, "/base_model"),
    ("forget", [], "/forget"),
    ("forget", {}, "/forget"),
    ("forget", ["Sneaker"], "/forget/0"),
    ("forget", [{"override": "Sandal"}], "/forget/0/concept"),
    ("forget", [{"concept": "Sneaker"}], "/forget/0/override"),
    ("forget", [{"concept": "Sneaker", "override": 3}], "/forget/0/override"),
    ("forget", [{"concept": "Sneaker", "override": None}], "/forget/0/override"),
    ("forget", [{"concept": "Sneaker", "override": {"random": False}}], "/forget/0/override/random"),
    ("forget", [{"concept": "Sneaker", "override": {"random": 1}}], "/forget/0/override/random"),
    ("forget", [{"concept": "Sneaker", "override": {"prompts": ["a", 3]}}], "/forget/0/override/prompts/1"),
    ("forget", [{"concept": "Sneaker", "override": {"negative": "ugly"}}], "/forget/0/override"),
    ("forget", [{"concept": "Sneaker", "override": {}}], "/forget/0/override"),
    ("forget", [{"concept": 7, "override": "Sandal"}], "/forget/0/concept"),
    ("forget", [{"concept": "Loafer", "override": "Sandal"}], "/forget/0/concept"),
    ("forget", [{"concept": "Sneaker", "override": "Loafer"}], "/forget/0/override"),
    ("forget", [{"concept": "Sneaker", "override": "Sneaker"}], "/forget/0/override"),
    ("forget", [SNEAKER, SNEAKER], "/forget/1/concept"),
    ("forget", [SNEAKER, {"concept": "Bag", "override": "Sneaker"}], "/forget/1/override"),
    ("forget", [{**SNEAKER, "extra": 1}], "/forget/0/extra"),
    ("forget", [{"concept": c, "override": {"random": True}} for c in CONCEPTS], "/forget"),
    ("budget", [], "/budget"),
    ("budget", 6400, "/budget"),
    ("budget", {"images": 0}, "/budget/images"),
    ("budget", {"images": "6400"}, "/budget/images"),
    ("budget", {"images": 6400.5}, "/budget/images"),
    ("budget", {"images": True}, "/budget/images"),
    ("budget", {"images": 10**9}, "/budget/images"),
    ("budget", {"images": 10**30}, "/budget/images"),
    ("budget", {"images": 64, "seconds": 0}, "/budget/seconds"),
    ("budget", {"images": 64, "seconds": "ten"}, "/budget/seconds"),
    ("budget", {"images": 64, "seconds": 1e12}, "/budget/seconds"),
    ("budget", {"images": 64, "stop_when_unlearned": 1}, "/budget/stop_when_unlearned"),
    ("budget", {"images": 64, "until": "Pass"}, "/budget/until"),
    ("budget", {"images": 64, "steps": 1}, "/budget/steps"),
    ("recipe", [], "/recipe"),
    ("recipe", {"alfa": 1}, "/recipe/alfa"),
    ("recipe", {"alpha": "1.2"}, "/recipe/alpha"),
    ("recipe", {"alpha": 99}, "/recipe/alpha"),
    ("recipe", {"batch": 2.5}, "/recipe/batch"),
    ("recipe", {"t_min": 800}, "/recipe/t_min"),
    ("recipe", {"compile": "yes"}, "/recipe/compile"),
    ("recipe", {"precision": ["fp32"]}, "/recipe/precision"),
    ("recipe", {"forgotten_share": 0.0}, "/recipe/forgotten_share"),
    ("recipe", {"distil_images": 6400}, "/recipe/distil_images"),
    ("recipe", {"start": "teacher"}, "/recipe/start"),
    ("recipe", {"start": "distilled"}, "/recipe/start"),
    ("recipe", {"kappa1": 2}, "/recipe/kappa1"),
    ("thresholds", {"unlearning_accuracy": 1}, "/thresholds/unlearning_accuracy"),
    ("thresholds", {"unlearning_accuracy": "0.9"}, "/thresholds/unlearning_accuracy"),
    ("thresholds", {"retained_accuracy_drop": -0.1}, "/thresholds/retained_accuracy_drop"),
    ("thresholds", {"frechet_distance_ratio": 1}, "/thresholds/frechet_distance_ratio"),
    ("thresholds", {"frechet_distance_ratio": 1e9}, "/thresholds/frechet_distance_ratio"),
    ("thresholds", {"fid": 3}, "/thresholds/fid"),
    ("evaluation", {"images_per_concept": 1}, "/evaluation/images_per_concept"),
    ("evaluation", {"images_per_forgotten_concept": 10**6}, "/evaluation/images_per_forgotten_concept"),
    ("evaluation", {"n": 3}, "/evaluation/n"),
    ("evaluation", {"probes": ["hope"]}, "/evaluation/probes/0"),
    ("evaluation", {"probes": ["relearning", "token_search"]}, "/evaluation/probes/1"),
    ("evaluation", {"probes": ["relearning", "relearning"]}, "/evaluation/probes/1"),
    ("evaluation", {"probes": ["relearning", 3]}, "/evaluation/probes/1"),
    ("evaluation", {"probes": "relearning"}, "/evaluation/probes"),
    ("evaluation", {"probes": None}, "/evaluation/probes"),
    ("evaluation", {"probes": ["relearning"] * 21}, "/evaluation/probes"),
    ("seed", -1, "/seed"),
    ("seed", 2**32, "/seed"),
    ("seed", 1.5, "/seed"),
    ("seed", None, "/seed"),
    ("metadata", {"a": 1}, "/metadata/a"),
    ("metadata", {"a": "x" * 501}, "/metadata/a"),
    ("metadata", {f"k{i}": "v" for i in range(17)}, "/metadata"),
    ("metadata", {"a": "nul \0"}, "/metadata/a"),
    ("metadata", {"nul \0": "a"}, "/metadata/nul \0"),
    ("metadata", "T-123", "/metadata"),
    ("webhook", "https://hooks.example/", "/webhook"),
    ("webhook", {}, "/webhook/url"),
    ("webhook", {"url": "http://127.1/"}, "/webhook/url"),
    ("webhook", {"url": "https://hooks.example/", "events": ["job.queued"]}, "/webhook/events"),
    ("webhook", {"url": "https://hooks.example/", "kind": "slack"}, "/webhook/kind"),
    ("priority", 1, "/priority"),
    ("a/b~c", 1, "/a~1b~0c"),
]


@pytest.fixture
def nothing_stored(service: Service) -> Iterator[None]:
    """Checks that the test stored nothing."""
    tables = ("jobs", "events", "outbox", "idempotency_keys")
    before = [service.count(table) for table in tables]
    yield
    assert [service.count(table) for table in tables] == before


@pytest.mark.usefixtures("nothing_stored")
@pytest.mark.parametrize(("field", "value", "pointer"), WRONG)
def test_each_field_wrong_in_turn(service: Service, field: str, value: Any, pointer: str) -> None:
    answer = service.http.post("/v1/jobs", json=body(**{field: value}), headers={KEY: f"wrong-{field}"})
    assert answer.status_code == 422
    document = is_problem(answer, 422, answer.json()["code"])
    assert document["code"] in ("invalid_request", "unknown_base_model")
    assert pointer in pointers(document)
    assert all(error["in"] == "body" and error["detail"] for error in document["errors"])


@pytest.mark.usefixtures("nothing_stored")
@pytest.mark.parametrize("field", ["base_model", "forget"])
def test_each_needed_field_missing(service: Service, field: str) -> None:
    sent = body()
    del sent[field]
    document = is_problem(service.http.post("/v1/jobs", json=sent), 422, "invalid_request")
    assert pointers(document) == [f"/{field}"]
    assert document["errors"][0]["detail"] == "is required"


@pytest.mark.parametrize("budget", [{}, {"budget": {}}, {"budget": {"until": "pass"}}])
def test_a_budget_that_is_left_out_is_the_familys(service: Service, budget: dict[str, Any]) -> None:
    sent = body() | budget
    if not budget:
        del sent["budget"]
    answer = service.http.post("/v1/jobs", json=sent)
    assert answer.json()["budget"] == {"images": 25_600, "seconds": None, "until": "pass"}


def test_a_budget_of_before_until_is_read_as_it_was_meant(service: Service) -> None:
    sent = body(budget={"images": 640, "stop_when_unlearned": False})
    assert service.http.post("/v1/jobs", json=sent).json()["budget"]["until"] == "budget"


@pytest.mark.usefixtures("nothing_stored")
def test_every_wrong_field_is_named_at_once(service: Service) -> None:
    sent = body(
        forget=[{"concept": "Loafer", "override": "Sandal"}],
        budget={"images": "64"},
        recipe={"alfa": 1, "batch": 1},
        metadata={"a": 1},
    )
    document = is_problem(service.http.post("/v1/jobs", json=sent), 422, "invalid_request")
    said = {error["pointer"]: error["detail"] for error in document["errors"]}
    assert said.keys() == {"/forget/0/concept", "/budget/images", "/recipe/alfa", "/recipe/batch", "/metadata/a"}
    assert "known: T-shirt, Trouser" in said["/forget/0/concept"]
    assert "known: alpha, t_init" in said["/recipe/alfa"]


def test_a_byte_order_mark_before_the_body_makes_no_difference(service: Service) -> None:
    content = b"\xef\xbb\xbf" + json.dumps(body()).encode()
    answer = service.http.post("/v1/jobs", content=content, headers={"Content-Type": "application/json"})
    assert answer.status_code == 202, answer.text


@pytest.mark.usefixtures("nothing_stored")
def test_an_unknown_base_model_lists_the_known(service: Service) -> None:
    document = is_problem(service.http.post("/v1/jobs", json=body(base_model="shoes")), 422, "unknown_base_model")
    assert pointers(document) == ["/base_model"]
    assert document["known"] == ["fashion"]


@pytest.mark.usefixtures("nothing_stored")
@pytest.mark.parametrize(
    ("content", "content_type", "status", "code"),
    [
        (b'{"base_model": ', "application/json", 400, "malformed"),
        (b"\xff\xfe", "application/json", 400, "malformed"),
        (b'{"seed": ' + b"1" * 5000 + b"}", "application/json", 400, "malformed"),
        (b"[" * 100_000, "application/json", 400, "malformed"),
        (b"[]", "application/json", 422, "invalid_request"),
        (b"", "application/json", 422, "invalid_request"),
        (json.dumps(body()).encode(), "text/plain", 415, "unsupported_media_type"),
        (b'{"budget": {"images": 64, "seconds": NaN}}', "application/json", 422, "invalid_request"),
        (b'{"metadata": {"a": "\\ud800"}}', "application/json", 422, "invalid_request"),
        (b" " * (1 << 20) + b"{}", "application/json", 413, "too_large"),
    ],
)
def test_bodies_that_are_no_submission(
    service: Service, content: bytes, content_type: str, status: int, code: str
) -> None:
    answer = service.http.post("/v1/jobs", content=content, headers={"content-type": content_type})
    is_problem(answer, status, code)


@pytest.mark.usefixtures("nothing_stored")
def test_text_that_postgres_cannot_hold(service: Service) -> None:
    sent = json.dumps(body(metadata={"a": "x"})).replace('"x"', '"\\ud800"')
    answer = service.http.post("/v1/jobs", content=sent, headers={"content-type": "application/json"})
    assert pointers(is_problem(answer, 422, "invalid_request")) == ["/metadata/a"]


@pytest.mark.usefixtures("nothing_stored")
def test_a_large_body_of_unknown_length_is_cut_off(service: Service) -> None:
    def chunks() -> Iterator[bytes]:
        for _ in range(40):
            yield b" " * 65_536

    answer = service.http.post("/v1/jobs", content=chunks(), headers={"content-type": "application/json"})
    assert is_problem(answer, 413, "too_large")["detail"] == "a body may have 1048576 bytes"


@pytest.mark.usefixtures("nothing_stored")
@pytest.mark.parametrize("key", ["", "two words", "x" * 256, "ümlaut"])
def test_keys_that_are_refused(service: Service, key: str) -> None:
    answer = service.http.post("/v1/jobs", json=body(), headers=[(KEY.encode(), key.encode())])
    document = is_problem(answer, 422, "invalid_request")
    assert document["errors"][0] | {"detail": ""} == {"pointer": "/Idempotency-Key", "detail": "", "in": "header"}


def test_the_same_key_and_body_are_one_job(service: Service) -> None:
    headers = {KEY: "order-1"}
    first = service.http.post("/v1/jobs", json=body(seed=1), headers=headers)
    turned = json.dumps(dict(reversed(body(seed=1).items())), indent=3)
    again = service.http.post("/v1/jobs", content=turned, headers={**headers, "content-type": "application/json"})
    assert (first.status_code, again.status_code) == (202, 202)
    assert first.json() == again.json()
    assert "idempotent-replayed" not in first.headers
    assert again.headers["idempotent-replayed"] == "true"
    assert again.headers["location"] == first.headers["location"]


def test_the_same_key_with_another_body_is_refused(service: Service) -> None:
    service.http.post("/v1/jobs", json=body(seed=1), headers={KEY: "order-2"})
    before = service.count("jobs")
    answer = service.http.post("/v1/jobs", json=body(seed=2), headers={KEY: "order-2"})
    is_problem(answer, 422, "idempotency_conflict")
    assert service.count("jobs") == before


def test_a_replay_needs_nothing_that_was_there(service: Service) -> None:
    """The job whose request a submission is like is deleted: sent again it is the same job all the same."""
    earlier = submitted(service)
    service.store.request_cancel(earlier)
    sent = {"like": earlier, "seed": 8}
    first = service.http.post("/v1/jobs", json=sent, headers={KEY: "order-4"})
    assert first.status_code == 202, first.text
    delete_job(service.engine, earlier, "default", Order("somebody", "no reason"))
    is_problem(service.http.post("/v1/jobs", json=sent, headers={KEY: "order-5"}), 410, "deleted")
    again = service.http.post("/v1/jobs", json=sent, headers={KEY: "order-4"})
    assert (again.status_code, again.json()) == (202, first.json()), again.text
    assert again.headers["idempotent-replayed"] == "true"
    another = service.http.post("/v1/jobs", json=sent | {"seed": 9}, headers={KEY: "order-4"})
    is_problem(another, 422, "idempotency_conflict")


def test_fifty_at_once_with_one_key_are_one_job(service: Service) -> None:
    before = service.count("jobs")

    def submit(_: int) -> tuple[int, str]:
        answer = service.http.post("/v1/jobs", json=body(seed=3), headers={KEY: "order-3"})
        return answer.status_code, answer.json()["id"]

    with ThreadPoolExecutor(16) as pool:
        answers = set(pool.map(submit, range(50)))
    assert len(answers) == 1
    assert service.count("jobs") == before + 1


def test_without_a_key_every_submission_is_a_job(service: Service) -> None:
    assert submitted(service) != submitted(service)
