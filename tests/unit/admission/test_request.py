"""What is refused before anything runs, each time with the field and what would be right."""

from __future__ import annotations

import copy
import dataclasses
from pathlib import Path
from typing import Any

import pytest

from sfd_core.admission import admit
from sfd_core.base_model.manifest import BaseModel, ImageFormat, JudgeInfo
from sfd_core.errors import InvalidRequest
from sfd_core.evaluation.criteria import CRITERIA
from sfd_core.request.overrides.fixed import FixedOverride
from sfd_core.request.overrides.judge import JudgeOverride
from sfd_core.request.overrides.random import RandomOverride
from sfd_core.request.reading import written
from sfd_core.request.recipe import Recipe

MODEL = BaseModel(
    "m", "M", Path("m"), "class_unet", "MIT", "d", ("a", "b", "c"), ImageFormat(1, 8, 8, 1),
    JudgeInfo("j", "judge", 0.9, 10, (0.9, 0.9, 0.9), "x"), "r", {}, {}, "sha256:0",
)  # fmt: skip
BODY: dict[str, Any] = {"forget": [{"concept": "a", "override": "b"}], "budget": {"images": 640}}


def errors_of(body: dict[str, Any]) -> dict[str, str]:
    with pytest.raises(InvalidRequest) as caught:
        admit(body, MODEL)
    return {error.pointer: error.message for error in caught.value.errors}


def test_defaults_are_written_out_and_read_back() -> None:
    request = admit(BODY, MODEL).request
    stored = written(request)
    assert stored["thresholds"] == {name: spec.default for name, spec in CRITERIA.items()}
    assert stored["thresholds"]["unlearning_accuracy"] == 0.99
    assert stored["evaluation"]["probes"] == []
    assert set(stored["recipe"]) == {f.name for f in dataclasses.fields(Recipe)}
    assert admit(stored, MODEL).request == request


def test_probes_are_read_back_in_their_order() -> None:
    request = admit(BODY | {"evaluation": {"probes": ["concept_inversion", "relearning"]}}, MODEL).request
    assert request.evaluation.probes == ("concept_inversion", "relearning")
    assert admit(written(request), MODEL).request == request


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
    request = admit(body, MODEL).request
    assert [type(f.override) for f in request.forget] == [RandomOverride, JudgeOverride]
    assert admit(written(request), MODEL).request == request
    assert admit(BODY, MODEL).request.forget[0].override == FixedOverride("b")


@pytest.mark.parametrize(
    ("forget", "pointer", "says"),
    [
        ([], "/forget", "at least 1 item"),
        ([("x", "b")], "/forget/0/concept", "unknown concept 'x'; known: a, b, c"),
        ([("a", "x")], "/forget/0/override", "unknown concept 'x'; known: a, b, c"),
        ([("a, b", "c")], "/forget/0/concept", "'a, b' names 2 things: give each an item of its own"),
        ([("a", "Random")], "/forget/0/override", "looks like the override 'random': write {\"random\": true}"),
        ([("a", "JUDGE")], "/forget/0/override", 'write {"judge": true} (on the command line judge)'),
        ([("a", "a")], "/forget/0/override", "'a' would override itself"),
        ([("a", "b"), ("b", "c")], "/forget/0/override", "'b' is itself forgotten"),
        ([("a", "b"), ("a", "c")], "/forget/1/concept", "'a' is named twice"),
        ([("a", {"random": False})], "/forget/0/override/random", "must be true"),
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
        ("recipe", {"fake_score_updates": 0}, "/recipe/fake_score_updates"),
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


def test_concepts_take_turns_where_there_are_more_than_images_a_step() -> None:
    concepts = tuple(f"c{i}" for i in range(101))
    many = dataclasses.replace(MODEL, concepts=concepts)
    body = {
        "forget": [{"concept": c, "override": "c100"} for c in concepts[:100]],
        "budget": {"images": 200},
        "recipe": {"batch": 8, "forgotten_share": 0.5},
    }
    assert len(admit(body, many).request.forget) == 100
    with pytest.raises(InvalidRequest) as caught:
        admit(body | {"budget": {"images": 192}}, many)
    (error,) = caught.value.errors
    assert error.pointer == "/budget/images"
    assert "192 leave some of 100 concepts without an image: 4 of 8 images a step" in error.message
    assert error.message.endswith("takes at least 200")


def test_a_budget_in_which_every_step_distils_is_refused() -> None:
    body = BODY | {"budget": {"images": 128}, "recipe": {"batch": 64, "distil_images": 65}}
    assert errors_of(body)["/budget/images"].endswith("takes at least 192")
    assert admit(body | {"budget": {"images": 192}}, MODEL).request.recipe.distil_images == 65


def test_guidance_of_the_loss_at_all_times_is_refused_where_there_is_none() -> None:
    assert "text-to-image models only" in errors_of(BODY | {"recipe": {"deep_kappa": 2}})["/recipe/deep_kappa"]


def test_every_wrong_field_is_listed_not_only_the_first() -> None:
    found = errors_of({"forget": [{"concept": "x", "override": "a"}], "budget": {"images": 0}, "seed": -1})
    assert set(found) == {"/forget/0/concept", "/budget/images", "/seed"}


def test_a_mistake_of_shape_hides_none_of_meaning() -> None:
    found = errors_of(
        {
            "forget": [{"concept": "x", "override": "b"}],
            "budget": {"images": "640"},
            "recipe": {"alpha": 9, "distil_image": 1},
            "thresholds": {"fid": 1},
            "evaluation": {"nsfw": True},
            "seed": True,
            "retain": {"prompts": ["a cat"]},
            "urgency": 1,
        }
    )
    assert list(found) == [
        *("/forget/0/concept", "/budget/images", "/recipe/alpha", "/recipe/distil_image", "/thresholds/fid"),
        *("/evaluation/nsfw", "/seed", "/retain", "/urgency"),
    ]
    assert "known: base_model, forget" in found["/urgency"]


def test_a_request_goes_by_the_models_name_and_its_notes_are_not_part_of_it() -> None:
    request = admit(BODY | {"base_model": "models/m", "metadata": {"ticket": "T-123"}}, MODEL).request
    assert request.base_model == "m"
    assert "metadata" not in written(request)


def test_messages_say_what_would_be_right() -> None:
    assert errors_of(BODY | {"recipe": {"distil_images": 640}}) == {
        "/recipe/distil_images": "must be smaller than budget.images (640), not 640"
    }
    assert errors_of(BODY | {"recipe": {"kappa1": 2}}) == {
        "/recipe/kappa1": "supported for guided models only: this one knows no empty condition to be guided from"
    }
    assert errors_of(BODY | {"recipe": {"lora_rank_generator": 2, "attention_slicing": True}}) == {
        f"/recipe/{name}": "supported for text-to-image models only"
        for name in ("attention_slicing", "lora_rank_generator")
    }
    assert errors_of(BODY | {"recipe": []}) == {"/recipe": "must be an object"}


def test_several_steps_are_of_families_whose_generators_make_them() -> None:
    with pytest.raises(InvalidRequest, match="/recipe/steps: supported for flow-matching models only"):
        admit({**BODY, "recipe": {"steps": 4}}, MODEL)


def test_what_a_parent_had_forgotten_cannot_be_left_out() -> None:
    parent = {"generator": "gen_1", "record": "0" * 64, "kept": ["a", "c"], "t_init": 440, "steps": 1}
    assert errors_of(BODY | {"forget": [{"concept": "a", "override": "b"}], "parent": parent})["/forget"] == (
        "leaves out c, which gen_1 has forgotten: `lethe undo` forgets without"
    )
    both = [{"concept": concept, "override": "b"} for concept in ("a", "c")]
    assert admit(BODY | {"forget": both, "parent": parent}, MODEL).request.kept == {"a", "c"}


def test_what_a_parent_had_forgotten_is_asked_for_as_it_was() -> None:
    parent = {"generator": "gen_1", "record": "0" * 64, "kept": ["a", "c"], "t_init": 440, "steps": 1}
    kept = [{"concept": "a", "override": "b"}, {"concept": "c", "override": {"random": True}}]
    same = BODY | {"forget": kept, "parent": parent}
    assert admit(same, MODEL, kept).request.kept == {"a", "c"}
    changed = [{"concept": "c", "override": "b"}, {"concept": "a", "override": {"random": True}, "words": ["b"]}]
    with pytest.raises(InvalidRequest) as refused:
        admit(BODY | {"forget": changed, "parent": parent, "budget": {"images": -1}}, MODEL, kept)
    as_it_is = "is kept forgotten as gen_1 has forgotten it: leave it as it is"
    said = {error.pointer: error.message for error in refused.value.errors if as_it_is in error.message}
    assert said == {
        "/forget/0/override": f"'c' {as_it_is}",
        "/forget/1/override": f"'a' {as_it_is}",
        "/forget/1/words": f"'a' {as_it_is}",
    }
    assert "/budget/images" in {error.pointer for error in refused.value.errors}


def test_what_is_taken_back_is_known_and_not_to_be_forgotten() -> None:
    undoes = {"generator": "gen_1", "concepts": ["a", "b", "z"]}
    wrong = errors_of(BODY | {"undoes": undoes})
    assert wrong["/undoes/concepts/0"] == "is to be forgotten by this request: leave it out here, or there"
    assert wrong["/undoes/concepts/2"].startswith("unknown concept 'z'")
    assert set(wrong) == {"/undoes/concepts/0", "/undoes/concepts/2"}
    right = admit(
        BODY | {"forget": [{"concept": "a", "override": "b"}], "undoes": {**undoes, "concepts": ["c"]}}, MODEL
    )
    assert right.request.undoes is not None
    assert right.request.undoes.concepts == ("c",)
