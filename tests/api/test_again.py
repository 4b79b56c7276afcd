"""An earlier job's request with changes, and what to try after one that did not pass."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from sqlalchemy import update

from api.again import merged
from jobs import schema
from tests.api.making import is_problem, pointers, publish, published, submitted, train
from tests.support.serving import Service


def request_of(service: Service, job_id: str) -> dict[str, Any]:
    return dict(service.store.get(job_id).request)


def test_changes_are_merged_and_the_whole_request_is_kept(service: Service) -> None:
    first = submitted(
        service,
        recipe={"alpha": 1.1, "batch": 32},
        evaluation={"probes": ["relearning", "image_to_image"]},
        metadata={"ticket": "T-1", "by": "me"},
    )
    changes = {
        "forget": [{"concept": "Bag", "override": "Coat"}],
        "recipe": {"alpha": 1.3},
        "budget": {"seconds": 60},
        "evaluation": {"probes": ["relearning"]},
        "metadata": {"ticket": "T-2"},
    }
    answer = service.http.post("/v1/jobs", json={"like": first, **changes})
    assert answer.status_code == 202, answer.text
    again = answer.json()
    old, new = request_of(service, first), request_of(service, again["id"])
    assert new["forget"] == [{**old["forget"][0], "concept": "Bag", "override": "Coat"}]
    assert (new["recipe"]["alpha"], new["recipe"]["batch"]) == (1.3, 32)
    assert new["budget"] == {**old["budget"], "seconds": 60}
    assert new["evaluation"] == {**old["evaluation"], "probes": ["relearning"]}
    assert again["metadata"] == {"ticket": "T-2", "by": "me"}
    assert "like" not in new
    unchanged = service.http.post("/v1/jobs", json={"like": first}).json()
    assert request_of(service, unchanged["id"]) == old


def test_what_it_cannot_be_like(
    service: Service, guarded: Service, bearer: Callable[..., dict[str, str]], tmp_path: Path
) -> None:
    others = submitted(guarded, bearer("submit", tenant="other"))
    for path in ("/v1/jobs", "/v1/estimates"):
        mine = bearer("submit", tenant="acme")
        is_problem(guarded.http.post(path, json={"like": others}, headers=mine), 404, "job_not_found")
        assert pointers(is_problem(service.http.post(path, json={"like": 7}), 422, "invalid_request")) == ["/like"]
    wrong = service.http.post("/v1/jobs", json={"like": submitted(service), "budget": {"images": -1}, "colour": 1})
    assert pointers(is_problem(wrong, 422, "invalid_request")) == ["/budget/images", "/colour"]


def test_changes_are_a_merge_patch() -> None:
    changes = {"a": {"c": [3], "x": None}, "d": None, "e": {"f": 1, "g": None}, "h": {"i": 2}}
    old = {"a": {"b": 1, "c": [1, 2], "x": 1}, "d": 1, "h": 3, "n": None}
    assert merged(old, changes) == {"a": {"b": 1, "c": [3]}, "e": {"f": 1}, "h": {"i": 2}, "n": None}


def test_a_recipe_is_taken_over_or_begins_anew(service: Service) -> None:
    before = submitted(service, recipe={"alpha": 1.3})

    def alpha(**changes: Any) -> Any:
        answer = service.http.post("/v1/jobs", json={"like": before, **changes})
        assert answer.status_code == 202, answer.text
        return answer.json()["recipe"]["alpha"]

    own = service.store.get(submitted(service)).request["recipe"]["alpha"]
    assert (alpha(), alpha(base_model="fashion"), alpha(recipe=None)) == (1.3, 1.3, own)
    assert own != 1.3


def test_where_it_began_must_still_be_there(service: Service, tmp_path: Path) -> None:
    """A job that went on from a generator is like itself while that is there; with its base model it begins anew."""
    generator = publish(service, first := submitted(service), train(service.store, first), tmp_path)
    job = submitted(service, forget=[{"concept": "Bag", "override": "Coat"}], recipe={"alpha": 1.3})
    request = {**service.store.get(job).request, "forget": [{"concept": "Bag", "override": "Coat"}]}
    parent = {"generator": generator, "record": "0" * 64, "kept": ["Bag"], "t_init": 440, "steps": 1, "history": []}
    with service.engine.begin() as connection:
        of_job = update(schema.jobs).where(schema.jobs.c.id == job)
        connection.execute(of_job.values(request={**request, "parent": parent}))
    for same in ({}, {"base_model": generator}):
        assert service.http.post("/v1/jobs", json={"like": job, **same}).json()["parent"] == generator
    anew = service.http.post("/v1/jobs", json={"like": job, "base_model": "fashion"}).json()
    assert (anew["parent"], [item["concept"] for item in anew["forget"]]) == (None, ["Bag"])
    assert anew["recipe"]["alpha"] != 1.3
    gone = service.http.request("DELETE", f"/v1/generators/{generator}", json={"reason": "asked to, by mail"})
    assert gone.status_code == 200
    is_problem(service.http.post("/v1/jobs", json={"like": job}), 410, "deleted")


def test_what_is_kept_forgotten_stays_as_the_generator_has_forgotten_it(service: Service, tmp_path: Path) -> None:
    """Else it would be judged by other words, or with another override, under the same name."""
    generator = publish(service, first := submitted(service), train(service.store, first), tmp_path)
    (kept,) = request_of(service, first)["forget"]
    asked = {"concept": "Bag", "override": "Coat"}
    job = submitted(service, forget=[asked])
    parent = {
        **{"generator": generator, "record": "0" * 64, "kept": [kept["concept"]], "history": []},
        **{name: service.store.get(job).request["recipe"][name] for name in ("t_init", "steps")},
    }
    with service.engine.begin() as connection:
        of_job = update(schema.jobs).where(schema.jobs.c.id == job)
        request = {**request_of(service, job), "forget": [asked, kept], "parent": parent}
        connection.execute(of_job.values(request=request))
    other = {"concept": "Dress", "override": "Coat"}
    same = service.http.post("/v1/jobs", json={"like": job, "forget": [other, kept]})
    assert same.status_code == 202, same.text
    for path in ("/v1/jobs", "/v1/estimates"):
        answer = service.http.post(path, json={"like": job, "forget": [other, {**kept, "override": "Pullover"}]})
        wrong = is_problem(answer, 422, "invalid_request")
        assert pointers(wrong) == ["/forget/1/override"]
        assert f"is kept forgotten as {generator} has forgotten it" in wrong["errors"][0]["detail"]


def test_advice_is_there_with_the_report_and_can_be_submitted(service: Service, tmp_path: Path) -> None:
    passed = submitted(service, forget=[{"concept": "Sneaker", "override": "Bag"}])
    publish(service, passed, train(service.store, passed), tmp_path)
    assert service.http.get(f"/v1/jobs/{passed}/advice").json()["data"] == []
    failed = submitted(service)
    is_problem(service.http.get(f"/v1/jobs/{failed}/advice"), 409, "report_not_ready")
    publish(service, failed, train(service.store, failed), tmp_path, "fail")
    (helped,) = service.http.get(f"/v1/jobs/{failed}/advice").json()["data"]
    assert helped["why"].startswith("Unlearning accuracy of Sneaker is 90.00 %")
    assert f"{passed} passed it with Bag in place of Sneaker." in helped["why"]
    assert helped["request"] == {"like": failed, **helped["change"]}
    again = service.http.post("/v1/jobs", json=helped["request"])
    assert again.status_code == 202, again.text
    assert again.json()["forget"][0]["override"] == "Bag"
    page = service.http.get(f"/jobs/{failed}").text
    assert "What to try" in page
    assert "Run again with changes" in page


def test_advice_is_the_tenants_own(guarded: Service, bearer: Callable[..., dict[str, str]], tmp_path: Path) -> None:
    theirs, mine = bearer("admin", tenant="other"), bearer("admin", tenant="acme")
    published(guarded, tmp_path, headers=theirs)
    failed = submitted(guarded, mine, forget=[{"concept": "Sneaker", "override": "Coat"}])
    publish(guarded, failed, train(guarded.store, failed), tmp_path, "fail")
    assert guarded.http.get(f"/v1/jobs/{failed}/advice", headers=mine).json()["data"] == []
    is_problem(guarded.http.get(f"/v1/jobs/{failed}/advice", headers=theirs), 404, "job_not_found")
