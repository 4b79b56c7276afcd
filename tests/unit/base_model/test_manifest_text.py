"""The manifest of a text-to-image model: domains, their judges, the distilled pair, and names of a hub."""

from __future__ import annotations

import copy
import json
from pathlib import Path
from typing import Any

import pytest

from sfd_core.base_model.hub_name import Hub, parse_hub_name
from sfd_core.base_model.manifest import BaseModel, Distilled, digest_of
from sfd_core.errors import InvalidRequest, ModelRefused
from sfd_core.families.registry import load_manifest
from sfd_core.families.stable_diffusion import plain_text_model
from sfd_core.request.concepts import Forget
from sfd_core.request.overrides.empty import EmptyOverride

VOCABULARY = {
    "domains": {
        "object": [{"name": "apple"}, {"name": "pistol", "synonyms": ["gun"]}, {"name": "owl"}],
        "style": [{"name": "noto"}, {"name": "fluent"}],
    },
    "templates": ["{object}, {style} style"],
}
FILES = dict.fromkeys(
    (
        "vocabulary.json",
        "unet/config.json",
        "judge-object/config.json",
        "second/config.json",
        "judge-style/config.json",
        "reference-object.safetensors",
        "reference-style.safetensors",
        "features.safetensors",
        "distilled/generator/config.json",
        "distilled/fake_score/config.json",
    ),
    "0" * 64,
)


def judge(folder: str, concepts: int) -> dict[str, Any]:
    digest = digest_of({f"{folder}/config.json": "0" * 64})
    by_concept = [0.9] * concepts
    return {
        "name": folder,
        "folder": folder,
        "accuracy": 0.9,
        "accuracy_images": 10,
        "by_concept": by_concept,
        "digest": digest,
    }


PLAIN: dict[str, Any] = {
    "schema_version": 1,
    "name": "drawings",
    "title": "Drawings",
    "family": "stable_diffusion",
    "license": "MIT",
    "data": "none",
    "image": {"channels": 3, "height": 64, "width": 64, "patch": 1},
    "files": FILES,
}
WHOLE: dict[str, Any] = PLAIN | {
    "vocabulary": "vocabulary.json",
    "domains": {
        "object": {
            "judge": judge("judge-object", 3),
            "second_judge": judge("second", 3),
            "reference": "reference-object.safetensors",
            "features": {"Eff": "features.safetensors"},
            "teacher": {"network_evaluations": 20, "guidance": 2.5, "accuracy": 0.9},
        },
        "style": {
            "judge": judge("judge-style", 2),
            "reference": "reference-style.safetensors",
            "teacher": {"network_evaluations": 20, "guidance": 2.0, "accuracy": 0.8},
        },
    },
    "distilled": {"generator": "distilled/generator", "fake_score": "distilled/fake_score", "t_init": 625},
    "recipe": {"batch": 64, "kappa4": 2.5},
}


def load(folder: Path, manifest: dict[str, Any]) -> BaseModel:
    (folder / "vocabulary.json").write_text(json.dumps(VOCABULARY))
    (folder / "manifest.json").write_text(json.dumps(manifest))
    return load_manifest(folder)


def forget(*names: str) -> tuple[Forget, ...]:
    return tuple(Forget(name, EmptyOverride()) for name in names)


def test_the_whole_model_knows_every_concept_and_has_no_judge(tmp_path: Path) -> None:
    model = load(tmp_path, WHOLE)
    assert model.concepts == ("apple", "pistol", "owl", "noto", "fluent")
    assert (model.judge, model.second_judge, model.reference, model.domain) == (None, None, None, None)
    assert model.figures == {"network_evaluations": 20}, "what the domains do not share is none of the whole model's"
    assert model.distilled == Distilled("distilled/generator", "distilled/fake_score", 625)
    assert model.recipe == {"batch": 64, "kappa4": 2.5}
    assert model.digest == digest_of(FILES)


def test_a_view_is_the_model_in_one_domain(tmp_path: Path) -> None:
    model = load(tmp_path, WHOLE)
    seen = model.view("object")
    assert (seen.domain, seen.concepts, seen.concept_index("owl")) == ("object", ("apple", "pistol", "owl"), 2)
    assert seen.judge is not None
    assert seen.second_judge is not None
    assert (seen.judge.folder, seen.second_judge.folder) == ("judge-object", "second")
    assert (seen.reference, seen.features) == ("reference-object.safetensors", {"Eff": "features.safetensors"})
    assert seen.figures["accuracy"] == 0.9
    other = model.view("style")
    assert (other.second_judge, other.features, other.figures["guidance"]) == (None, {}, 2.0)
    assert (other.digest, other.vocabulary, other.domains) == (model.digest, model.vocabulary, model.domains)
    with pytest.raises(KeyError):
        model.view("colour")


def test_the_view_is_that_of_what_is_forgotten(tmp_path: Path) -> None:
    model = load(tmp_path, WHOLE)
    assert model.view_for(forget("pistol", "owl")).domain == "object"
    assert model.view_for(forget("noto")).domain == "style"
    assert model.view_for(forget("teapot")) is model
    assert model.view_for(()) is model
    assert model.view_for(forget("noto", "pistol")).domain == "style", "the first one's"
    with pytest.raises(InvalidRequest) as caught:
        model.view_for(forget("pistol", "teapot"))
    (error,) = caught.value.errors
    assert error.pointer == "/forget/1/concept"
    assert "submit a job for each" in error.message


def test_a_plain_pipeline_needs_nothing_more(tmp_path: Path) -> None:
    model = load(tmp_path, PLAIN)
    assert (model.concepts, model.judge, model.vocabulary, model.distilled) == ((), None, None, None)
    assert (model.domains, model.recipe, model.figures) == ({}, {}, {})
    assert model.view_for(forget("pistol")) is model


def test_a_vocabulary_may_come_without_judges(tmp_path: Path) -> None:
    model = load(tmp_path, PLAIN | {"vocabulary": "vocabulary.json"})
    assert model.concepts == ("apple", "pistol", "owl", "noto", "fluent")
    assert model.view_for(forget("pistol")) is model


def test_one_domain_may_have_judges_and_the_other_none(tmp_path: Path) -> None:
    model = load(tmp_path, WHOLE | {"domains": {"style": WHOLE["domains"]["style"]}})
    assert model.concepts == ("noto", "fluent")
    assert model.view_for(forget("fluent")).domain == "style"
    assert model.view_for(forget("pistol")) is model


@pytest.mark.parametrize(
    ("at", "value", "says"),
    [
        (("family",), "gan", "unknown family 'gan'; known: class_unet, "),
        (("vocabulary",), "words.json", "vocabulary names 'words.json', which is not among files"),
        (("vocabulary",), None, "vocabulary must be a str"),
        (("domains", "colour"), {}, "domains.colour is no domain of the vocabulary"),
        (("domains", "style", "judge", "by_concept"), [0.9], "domains.style.judge.by_concept has 1 entries"),
        (("domains", "style", "judge", "digest"), "x", "domains.style.judge.digest is x"),
        (("domains", "style", "reference"), "no", "domains.style.reference names 'no', which is not among files"),
        (("domains", "object", "features", "Eff"), "no", "domains.object.features.Eff names 'no'"),
        (("domains", "object", "features", "Eff"), "../no", "must be a path inside the folder"),
        (("domains", "style", "teacher"), None, "domains.style.teacher must be a dict"),
        (("domains", "style"), None, "domains.style must be a dict"),
        (("distilled", "generator"), "elsewhere", "distilled.generator names 'elsewhere', of which no file"),
        (("distilled", "fake_score"), "elsewhere", "distilled.fake_score names 'elsewhere', of which no file"),
        (("distilled", "t_init"), 0, "distilled.t_init is 0, must be a number above 0, at most 4096"),
        (("distilled", "t_init"), "625", "distilled.t_init is '625', must be a number above 0"),
        (("distilled", "t_init"), True, "distilled.t_init is True, must be a number above 0"),
        (("recipe", "batch"), "many", "recipe: /recipe/batch: must be a whole number"),
        (("recipe", "speed"), 1, "recipe: /recipe/speed: unknown field"),
        (("image", "patch"), 3, "image.patch 3 does not divide 64x64"),
    ],
)
def test_a_wrong_manifest_is_refused_where_it_is_wrong(
    tmp_path: Path, at: tuple[str, ...], value: Any, says: str
) -> None:
    raw = copy.deepcopy(WHOLE)
    part: Any = raw
    for key in at[:-1]:
        part = part[key]
    part[at[-1]] = value
    with pytest.raises(ModelRefused) as caught:
        load(tmp_path, raw)
    assert says in str(caught.value)


def test_domains_need_a_vocabulary(tmp_path: Path) -> None:
    with pytest.raises(ModelRefused, match=r"domains\.object is no domain of the vocabulary"):
        load(tmp_path, PLAIN | {"domains": WHOLE["domains"]})


def test_a_name_of_a_hub() -> None:
    revision = "0123456789abcdef" * 2 + "01234567"
    assert parse_hub_name(f"hub:org/sd-1.5_x@{revision}") == Hub("org/sd-1.5_x", revision)
    model = plain_text_model(f"hub:org/name@{revision}", "name")
    assert (model.family, model.concepts, model.files) == ("stable_diffusion", (), {})


@pytest.mark.parametrize(
    "name",
    [
        "hub:org/name",
        "hub:org/name@main",
        "hub:org/name@" + "a" * 39,
        "hub:org/name@" + "a" * 41,
        "hub:org/name@" + "A" * 40,
        "hub:org/name@" + "a" * 40 + "\n",
        "hub:name@" + "a" * 40,
        "hub:a/b/c@" + "a" * 40,
        "hub:../name@" + "a" * 40,
        "hub:/name@" + "a" * 40,
        "org/name@" + "a" * 40,
        "hub:örg/name@" + "a" * 40,
    ],
)
def test_a_name_of_a_hub_that_may_mean_something_else_is_refused(name: str) -> None:
    with pytest.raises(InvalidRequest) as caught:
        parse_hub_name(name)
    (error,) = caught.value.errors
    assert error.pointer == "/base_model"
    assert "40 hexadecimal digits" in error.message
