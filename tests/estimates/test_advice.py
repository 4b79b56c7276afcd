"""What is advised, by what was measured and by what helped before."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from jobs.advice import Outcome, advise, outcome
from jobs.settings import BUNDLED_MODELS
from sfd_core.admission import admit
from sfd_core.evaluation.criteria import CRITERIA
from sfd_core.families.registry import load_manifest
from sfd_core.request.reading import written

FASHION = load_manifest(BUNDLED_MODELS / "fashion")
CONCEPTS = ("Sneaker", "Sandal", "Bag")
BASE = ((0.95, 0.05, 0.0), (0.30, 0.70, 0.0), (0.0, 0.0, 1.0))
"""Three of ten sandals are taken for sneakers, and no bag is."""


def job(
    name: str = "unlearning_accuracy",
    decision: str = "fail",
    about: str | None = "Sneaker",
    job_id: str = "job_1",
    override: str = "Sandal",
    images: int = 6400,
    ended: str | None = "images",
    measured: tuple[float, float, float] | None = (0.9, 0.886, 0.912),
    **asked: Any,
) -> Outcome:
    """A job of `fashion` with one criterion that was not passed."""
    body = {
        "forget": [{"concept": "Sneaker", "override": override}],
        "budget": {"images": images},
        **asked,
    }
    interval = None if measured is None else dict(zip(("value", "low", "high"), measured, strict=True)) | {"n": 2000}
    criterion = {
        "name": name,
        "decision": decision,
        "threshold": 0.99,
        "measured": interval,
        "reason": "it is 90 %: below 99 %",
        "about": about,
    }
    report = {
        "criteria": [criterion],
        "cost": {"images": images, "ended": ended},
        "confusion": {"concepts": CONCEPTS, "base_model": BASE, "generator": BASE},
    }
    return outcome(job_id, written(admit(body, FASHION).request), report)


def changes(found: Outcome, *earlier: Outcome) -> list[Any]:
    advice = advise(found, earlier)
    assert all(each.request == {"like": found.job_id, **each.change} for each in advice)
    for each in advice:  # every one is a request that is taken
        body = {**found.request, **{k: v for k, v in each.change.items() if not isinstance(v, dict)}}
        merged = {k: {**found.request[k], **v} for k, v in each.change.items() if isinstance(v, dict)}
        admit({**body, **merged}, FASHION)
    return [each.change for each in advice]


def test_an_override_that_the_judge_tells_apart_and_more_images() -> None:
    other, longer = changes(job())
    assert [item["override"] for item in other["forget"]] == ["Bag"]
    assert longer == {"budget": {"images": 12_800}}
    (why, _) = (each.why for each in advise(job(), ()))
    assert "30.0" in why
    assert why.startswith("It is 90 %: below 99 %.")


def test_no_other_override_where_it_is_told_apart() -> None:
    assert changes(job(override="Bag")) == [{"budget": {"images": 12_800}}]


@pytest.mark.parametrize(
    ("name", "about", "field"),
    [
        ("unlearning_accuracy", "Sneaker", "images_per_forgotten_concept"),
        ("retained_accuracy_drop", None, "images_per_concept"),
    ],
)
def test_more_evaluation_images_where_they_would_decide(name: str, about: str | None, field: str) -> None:
    close = job(name, "inconclusive", about, override="Bag", measured=(0.985, 0.975, 0.995))
    first, *_ = changes(close)
    now = close.request["evaluation"][field]
    assert first["evaluation"][field] == pytest.approx(now * 1.2 * 4, rel=0.01), "half the width takes four times"
    assert "evaluation" not in changes(job(name, "fail", about, override="Bag"))[0]


def test_depth_is_a_matter_of_deep_weight() -> None:
    weight = float(job().request["recipe"]["deep_weight"])
    assert {"recipe": {"deep_weight": 2 * weight}} in changes(job("part_noised_excess"))
    assert {"recipe": {"deep_weight": 4.0}} in changes(job("part_noised_excess", recipe={"deep_weight": 0}))


def test_what_helped_before_comes_first() -> None:
    helped = job(decision="pass", job_id="job_2", override="Bag", images=9600, recipe={"deep_weight": 8})
    first, *_ = advise(job(), [job(job_id="job_3"), helped])
    assert first.change["forget"][0]["override"] == "Bag"
    assert first.change["budget"] == {"images": 9600, "seconds": None}
    assert first.change["recipe"] == {"deep_weight": 8}
    assert "job_2 passed it with Bag in place of Sneaker and 9 600 images" in first.why.replace("\u202f", " ").replace(
        "\xa0", " "
    )
    longest = changes(job(), *[job(decision="pass", override="Sandal", images=n) for n in (8000, 9000, 20_000)])[-1]
    assert longest["budget"]["images"] == 9000


def test_what_is_kept_forgotten_keeps_its_override() -> None:
    found = job()
    (concept,) = found.forgotten
    parent = {"generator": "gen_1", "record": "0" * 64, "kept": [concept], "t_init": 440, "steps": 1, "history": []}
    kept = replace(found, request={**found.request, "parent": parent})
    helped = job(job_id="job_2", override="Bag", decision="pass")
    assert [each.change for each in advise(kept, [helped])] == [{"budget": {"images": 12_800}}]
    assert "forget" in advise(found, [helped])[0].change


def test_how_training_ended_says_how_to_go_on() -> None:
    assert changes(job(override="Bag", ended="passed_check")) == [{"budget": {"until": "budget"}}]
    (longer,) = changes(job(override="Bag", ended="seconds", images=3200))
    assert longer == {"budget": {"images": 6400, "seconds": None}}
    assert changes(job(override="Bag", ended=None)) == []


def test_nothing_is_advised_where_nothing_was_measured_or_all_passed() -> None:
    assert changes(job(measured=None)) == []
    assert changes(job(decision="pass")) == []
    assert changes(job("a criterion of another version")) == []


def test_every_criterion_has_a_remedy() -> None:
    assert all(spec.remedies for spec in CRITERIA.values())
