"""A text-to-image model is added with its words and with judges of what they name: a vocabulary and a judge for each of
its domains, or one judge whose labels are the vocabulary."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from sfd_core.adding.add import add_model
from sfd_core.adding.measuring import FIRST_SEED, Judges, keep, measure_model
from sfd_core.adding.prospects import prospects
from sfd_core.adding.real_images import read_real_images
from sfd_core.adding.said import Said
from sfd_core.adding.words import TEMPLATES, UNSEEN_TEMPLATES
from sfd_core.base_model.manifest import BaseModel
from sfd_core.base_model.verifying import verify_files
from sfd_core.base_model.vocabulary import EvaluationPrompts
from sfd_core.errors import ModelRefused
from sfd_core.evaluation.reference import Reference
from sfd_core.families.loading import load_base
from sfd_core.families.registry import family_of, load_manifest
from tests.support.foreign import save_class_model, save_classifier, save_pictures
from tests.support.tiny_text_model import OBJECTS, STYLES, VOCABULARY, make_tiny_text_model

EACH = 2


@pytest.fixture
def pipeline(tmp_path: Path) -> Path:
    """A stock pipeline, without a manifest of ours."""
    make_tiny_text_model(tmp_path / "mine")
    (tmp_path / "mine/manifest.json").unlink()
    return tmp_path / "mine"


def classifier(folder: Path, labels: tuple[str, ...] = OBJECTS, *, second: bool = False) -> Path:
    save_classifier(folder, labels, second=second)
    return folder


def written(folder: Path, **changes: Any) -> Path:
    (folder / "words.json").write_text(json.dumps({**VOCABULARY, **changes}))
    return folder / "words.json"


def measured(model: BaseModel, domain: str, real: Path | None = None) -> BaseModel:
    view = model.view(domain)
    pictures = None if real is None else read_real_images(real, view.concepts, view.image, 10)
    (*_, (_, _, found)) = measure_model(view, pictures, EACH)
    assert found is not None
    keep(view, found)
    return load_manifest(model.folder)


def test_the_labels_of_a_judge_are_the_vocabulary(pipeline: Path, tmp_path: Path) -> None:
    said = Said(judges={"": classifier(tmp_path / "judge")}, steps=2, guidance=3.0)
    model = add_model(pipeline, tmp_path / "models", said)
    verify_files(model)
    assert (model.concepts, tuple(model.domains)) == (OBJECTS, ("object",))
    assert model.figures == {"network_evaluations": 2, "guidance": 3.0}
    vocabulary = model.vocabulary
    assert vocabulary is not None
    assert (vocabulary.templates, vocabulary.unseen_templates) == (TEMPLATES, UNSEEN_TEMPLATES)
    assert vocabulary.asked(TEMPLATES[0], {"object": vocabulary.domains["object"][0]}) == "a photo of an apple"
    assert model.view("object").judge is not None


def test_each_domain_of_a_vocabulary_has_judges_of_its_own(pipeline: Path, tmp_path: Path) -> None:
    said = Said(
        vocabulary=written(tmp_path),
        judges={"object": classifier(tmp_path / "things"), "style": classifier(tmp_path / "styles", STYLES)},
        second_judges={"object": classifier(tmp_path / "again", second=True)},
    )
    model = add_model(pipeline, tmp_path / "models", said)
    assert model.concepts == (*OBJECTS, *STYLES)
    things, styles = model.view("object"), model.view("style")
    assert things.judge is not None
    assert things.judge.name == "ResNetForImageClassification of things"
    assert things.second_judge is not None
    assert styles.second_judge is None
    assert [one.domain for one in prospects(model)] == ["object", "style"]


def test_a_vocabulary_without_judges_names_the_concepts(pipeline: Path, tmp_path: Path) -> None:
    model = add_model(pipeline, tmp_path / "models", Said(vocabulary=written(tmp_path)))
    assert (model.concepts, dict(model.domains)) == ((*OBJECTS, *STYLES), {})


def test_what_is_measured_of_a_domain_is_what_its_prompts_draw(pipeline: Path, tmp_path: Path) -> None:
    said = Said(
        vocabulary=written(tmp_path),
        judges={"object": classifier(tmp_path / "things"), "style": classifier(tmp_path / "styles", STYLES)},
        steps=2,
    )
    save_pictures(tmp_path / "real", OBJECTS, each=3)
    model = measured(add_model(pipeline, tmp_path / "models", said), "object", tmp_path / "real")
    verify_files(model)
    assert model.view("style").reference is None
    things, vocabulary = model.view("object"), model.vocabulary
    assert vocabulary is not None
    assert things.reference is not None
    labels = np.repeat(np.arange(len(OBJECTS)), EACH)
    seeds = range(FIRST_SEED, FIRST_SEED + len(labels))
    prompts = EvaluationPrompts(vocabulary, "object").texts(labels.tolist(), seeds)
    sampler: Any = family_of(model.family).base_sampler(load_base(things), "cpu")
    assert sampler.steps == 2
    images = sampler.sample_prompts(prompts, seeds)
    kept = Reference.load(things.folder / things.reference)
    assert np.array_equal(kept.base_model.seen, Judges.load(things).first.judge(images).seen)
    assert things.judge is not None
    assert things.judge.accuracy_images == 3 * len(OBJECTS)
    again = measured(measured(model, "style"), "object", tmp_path / "real")
    assert len(list(again.folder.glob("reference-object-*"))) == 1
    assert again.view("style").reference is not None


def said_wrong(row: Mapping[str, Any], folder: Path) -> Said:
    made = {name: value(folder) if callable(value) else value for name, value in row.items()}
    return Said(**made)


def judges_of(**labels: tuple[str, ...]) -> Any:
    return lambda folder: {
        domain.removeprefix("_"): classifier(folder / f"judge{domain}", names) for domain, names in labels.items()
    }


WRONG: dict[str, tuple[dict[str, Any], str]] = {
    "a judge of one of several domains": (
        {"vocabulary": written, "judges": judges_of(_=OBJECTS)},
        "say --judge object=FOLDER; domains are object, style",
    ),
    "a domain that is none": (
        {"vocabulary": written, "judges": judges_of(objekt=OBJECTS)},
        "unknown domain 'objekt' (did you mean 'object'?)",
    ),
    "several domains without a vocabulary": (
        {"judges": judges_of(object=OBJECTS, style=STYLES)},
        "take a vocabulary whose templates name each: say --vocabulary",
    ),
    "a name that no template can have": ({"judges": {"Big things": Path("x")}}, "'Big things' is no name of a domain"),
    "a name that means something else": (
        {"judges": judges_of(adjective=OBJECTS)},
        "its labels are no vocabulary: domains: adjective has another meaning in a template: say one (--vocabulary)",
    ),
    "labels that are no words": ({"judges": judges_of(_=("apple", "--"))}, "must be words: say one (--vocabulary)"),
    "another's labels": (
        {"vocabulary": written, "judges": judges_of(object=("apple", "banana", "gun", "castle"))},
        "its labels are not the model's concepts: it lacks pistol and it has gun",
    ),
    "a second judge alone": (
        {"second_judges": judges_of(_=OBJECTS)},
        "a second judge stands beside a judge: say --judge too",
    ),
    "a vocabulary that is none": (
        {"vocabulary": lambda folder: written(folder, domains={})},
        "domains must be an object of lists of concepts",
    ),
    "a vocabulary that is not there": ({"vocabulary": Path("nowhere.json")}, "nowhere.json: no such file"),
}


@pytest.mark.parametrize("row", WRONG.values(), ids=WRONG)
def test_what_is_refused(row: tuple[dict[str, Any], str], pipeline: Path, tmp_path: Path) -> None:
    said, why = row
    with pytest.raises(ModelRefused) as refused:
        add_model(pipeline, tmp_path / "models", said_wrong(said, tmp_path))
    assert why in str(refused.value)
    assert not [path for path in (tmp_path / "models").glob("*") if path.name != ".lock"]


def test_what_means_nothing_to_a_class_model_is_said_all_at_once(tmp_path: Path) -> None:
    save_class_model(tmp_path / "cars")
    said = Said(vocabulary=written(tmp_path), judges={"object": tmp_path}, guidance=2.0)
    with pytest.raises(ModelRefused) as refused:
        add_model(tmp_path / "cars", tmp_path / "models", said)
    for why in ("has no domain object: say --judge FOLDER", "has no vocabulary", "leave --guidance out"):
        assert why in str(refused.value)
