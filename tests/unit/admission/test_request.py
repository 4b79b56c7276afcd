"""What is refused before anything runs, each time with the field and what would be right."""

from __future__ import annotations

import copy
import dataclasses
from pathlib import Path
from typing import Any

import pytest

from sfd_core.admission import parse_request
from sfd_core.base_model.manifest import BaseModel, ImageFormat, JudgeInfo
from sfd_core.errors import InvalidRequest
from sfd_core.request.concepts import FixedOverride, JudgeOverride, RandomOverride
from sfd_core.request.recipe import Recipe

MODEL = BaseModel(
    "m", "M", Path("m"), "class_unet", "MIT", "d", ("a", "b", "c"), ImageFormat(1, 8, 8, 1),
    JudgeInfo("j", "judge", 0.9, 10, (0.9, 0.9, 0.9), "x"), "r", {}, {}, "sha256:0",
)  # fmt: skip
BODY: dict[str, Any] = {"forget": [{"concept": "a", "override": "b"}], "budget": {"images": 640}}


def errors_of(body: dict[str, Any]) -> dict[str, str]:
    with pytest.raises(InvalidRequest) as caught:
        parse_request(body, MODEL)
    return {error.pointer: error.message for error in caught.value.errors}


def test_defaults_are_written_out_and_read_back() -> None:
    request = parse_request(BODY, MODEL)
    stored = request.to_json()
    assert stored["thresholds"] == {
        "unlearning_accuracy": 0.99,
        "retained_accuracy_drop": 0.05,
        "frechet_distance_ratio": 5.0,
        "cross_domain_accuracy_drop": 0.05,
    }
    assert stored["evaluation"]["probes"] == []
    assert set(stored["recipe"]) == {f.name for f in dataclasses.fields(Recipe)}
    assert parse_request(stored, MODEL) == request


def test_probes_are_read_back_in_their_order() -> None:
    request = parse_request(BODY | {"evaluation": {"probes": ["concept_inversion", "relearning"]}}, MODEL)
    assert request.evaluation.probes == ("concept_inversion", "relearning")
    assert parse_request(request.to_json(), MODEL) == request


@pytest.mark.parametrize(
    ("part", "pointer", "message"),
    [
        ({"evaluation": {"probes": ["relearning", "hypnosis"]}}, "/evaluation/probes/1", "unknown probe 'hypnosis'"),
        ({"evaluation": {"probes": ["relearning", "relearning"]}}, "/evaluation/probes/1", "named twice"),
        ({"thresholds": {"frechet_distance_ratio": 1.0}}, "/thresholds/frechet_distance_ratio", "above 1"),
        ({"thresholds": {"frechet_distance_ratio": 5000.0}}, "/thresholds/frechet_distance_ratio", "at most 1000"),
    ],
)
def test_a_wrong_evaluation_is_refused_where_it_is_wrong(part: dict[str, Any], pointer: str, message: str) -> None:
    assert message in errors_of(BODY | part)[pointer]


def test_every_kind_of_override() -> None:
    body = BODY | {
        "forget": [{"concept": "a", "override": {"random": True}}, {"concept": "b", "override": {"judge": True}}]
    }
    request = parse_request(body, MODEL)
    assert [type(f.override) for f in request.forget] == [RandomOverride, JudgeOverride]
    assert parse_request(request.to_json(), MODEL) == request
    assert parse_request(BODY, MODEL).forget[0].override == FixedOverride("b")


@pytest.mark.parametrize(
    ("forget", "pointer", "says"),
    [
        ([], "/forget", "at least one"),
        ([("x", "b")], "/forget/0/concept", "unknown concept 'x'; known: a, b, c"),
        ([("a", "x")], "/forget/0/override", "unknown concept 'x'; known: a, b, c"),
        ([("a", "a")], "/forget/0/override", "'a' would override itself"),
        ([("a", "b"), ("b", "c")], "/forget/0/override", "'b' is itself forgotten"),
        ([("a", "b"), ("a", "c")], "/forget/1/concept", "'a' is named twice"),
        ([("a", {"random": False})], "/forget/0/override", "must be the name"),
        ([(c, {"random": True}) for c in "abc"], "/forget", "at least one must remain"),
    ],
)
def test_forgetting_that_would_do_nothing_or_has_no_meaning(
    forget: list[tuple[str, Any]], pointer: str, says: str
) -> None:
    found = errors_of(BODY | {"forget": [{"concept": c, "override": o} for c, o in forget]})
    assert says in found[pointer]


@pytest.mark.parametrize(
    ("field", "value", "pointer"),
    [
        ("budget", {"images": 0}, "/budget/images"),
        ("budget", {"images": 1, "seconds": -1}, "/budget/seconds"),
        ("thresholds", {"unlearning_accuracy": 1.5}, "/thresholds/unlearning_accuracy"),
        ("thresholds", {"retained_accuracy_drop": 0}, "/thresholds/retained_accuracy_drop"),
        ("evaluation", {"images_per_concept": 1}, "/evaluation/images_per_concept"),
        ("evaluation", {"images_per_forgotten_concept": 10**6}, "/evaluation/images_per_forgotten_concept"),
        ("seed", -1, "/seed"),
        ("recipe", {"alpha": 3.0}, "/recipe/alpha"),
        ("recipe", {"alpha": float("nan")}, "/recipe/alpha"),
        ("recipe", {"alpha": True}, "/recipe/alpha"),
        ("recipe", {"batch": 1.5}, "/recipe/batch"),
        ("recipe", {"batch": 1}, "/recipe/batch"),
        ("recipe", {"precision": "fp8"}, "/recipe/precision"),
        ("recipe", {"compile": 1}, "/recipe/compile"),
        ("recipe", {"micro_batch": 0}, "/recipe/micro_batch"),
        ("recipe", {"t_min": 800}, "/recipe/t_min"),
        ("recipe", {"forgotten_share": 0.0}, "/recipe/forgotten_share"),
        ("recipe", {"distil_images": 640}, "/recipe/distil_images"),
        ("recipe", {"learning_rate": 1.0}, "/recipe/learning_rate"),
    ],
)
def test_each_field_out_of_range(field: str, value: Any, pointer: str) -> None:
    assert list(errors_of(copy.deepcopy(BODY) | {field: value})) == [pointer]


def test_a_key_that_a_pointer_must_escape() -> None:
    assert list(errors_of(BODY | {"recipe": {"al/p~ha": 1}})) == ["/recipe/al~1p~0ha"]


def test_an_unknown_recipe_key_lists_the_known_ones() -> None:
    assert "lr_generator" in errors_of(BODY | {"recipe": {"lr": 1}})["/recipe/lr"]


def test_more_forgotten_concepts_than_forgotten_images_a_step() -> None:
    body = BODY | {
        "forget": [{"concept": c, "override": "c"} for c in "ab"],
        "recipe": {"batch": 8, "forgotten_share": 0.125},
    }
    assert "2 forgotten concepts" in errors_of(body)["/recipe/forgotten_share"]


def test_every_wrong_field_is_listed_not_only_the_first() -> None:
    found = errors_of({"forget": [{"concept": "x", "override": "a"}], "budget": {"images": 0}, "seed": -1})
    assert set(found) == {"/forget/0/concept", "/budget/images", "/seed"}
