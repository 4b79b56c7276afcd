"""What a base model's own images show is known before a run: read without numpy or torch, and said where it matters."""

from __future__ import annotations

import dataclasses
import json
import os
import struct
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file

from sfd_core.base_model.manifest import BaseModel
from sfd_core.evaluation.poor_base import base_accuracy, warnings_about
from sfd_core.evaluation.reference import Reference, ReferenceSet
from sfd_core.evaluation.whole_numbers import whole_numbers
from sfd_core.families.registry import load_manifest

MODELS = Path(__file__).parents[3] / "models"


@pytest.fixture(scope="module")
def fashion() -> BaseModel:
    return load_manifest(MODELS / "fashion")


@pytest.fixture(scope="module")
def emoji() -> BaseModel:
    return load_manifest(MODELS / "emoji")


def test_the_numbers_are_those_that_safetensors_reads(fashion: BaseModel) -> None:
    path = MODELS / "fashion" / str(fashion.reference)
    names = ["teacher.labels", "teacher.seen", "real.second_seen"]
    expected = {name: tensor.tolist() for name, tensor in load_file(path).items() if name in names}
    found = whole_numbers(path, [*names, "teacher.colour"])
    assert {name: list(values) for name, values in found.items()} == expected


def test_the_accuracy_is_that_of_the_judge_that_sees_less(fashion: BaseModel) -> None:
    part = Reference.load(MODELS / "fashion" / str(fashion.reference)).base_model
    assert part.second_seen is not None
    accuracy = base_accuracy(fashion)
    assert accuracy is not None
    for label, concept in enumerate(fashion.concepts):
        own = part.labels == label
        worse = min((part.seen[own] == label).mean(), (part.second_seen[own] == label).mean())
        share = accuracy.of([concept])
        assert share is not None
        assert share.value == pytest.approx(worse)
    assert accuracy.of(["a submarine"]) is None


def poor(fashion: BaseModel, tmp_path: Path, shown: dict[str, float], others: float) -> BaseModel:
    """Fashion, of whose own images only so many show what was asked: 100 a concept."""
    labels = np.repeat(np.arange(10), 100)
    shares = np.array([shown.get(concept, others) for concept in fashion.concepts])
    seen = np.where(np.arange(1000) % 100 < 100 * shares[labels], labels, (labels + 1) % 10)
    part = ReferenceSet(np.zeros((1000, 2), np.float32), labels, seen, np.ones(1000, np.float32))
    Reference(part, part).save(tmp_path / "poor.safetensors")
    return dataclasses.replace(fashion, folder=tmp_path, reference="poor.safetensors")


def test_a_concept_that_the_base_model_hardly_draws_is_said_before_a_run(fashion: BaseModel, tmp_path: Path) -> None:
    model = poor(fashion, tmp_path, {"Sneaker": 0.05}, 0.9)
    (said,) = warnings_about(model, ["Sneaker"])
    assert said.startswith("The judge sees Sneaker in 5.0")
    assert "whether it is forgotten is inconclusive" in said
    assert warnings_about(model, ["Bag"]) == ()
    assert len(warnings_about(model, ["Bag", "Sneaker"])) == 1


def test_a_base_model_that_shows_little_of_the_rest_is_said_before_a_run(fashion: BaseModel, tmp_path: Path) -> None:
    (said,) = warnings_about(poor(fashion, tmp_path, {"Sneaker": 0.95}, 0.3), ["Sneaker"])
    assert "of the other concepts" in said
    assert "30.0" in said


def test_the_bundled_models_have_nothing_to_be_warned_of(fashion: BaseModel, emoji: BaseModel) -> None:
    assert [said for concept in fashion.concepts for said in warnings_about(fashion, [concept])] == []
    assert warnings_about(emoji, ["pistol"]) == ()
    assert warnings_about(emoji, ["a word that it does not know"]) == ()


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"12345678",
        struct.pack("<Q", 1 << 60),
        struct.pack("<Q", 4) + b"nope",
        struct.pack("<Q", 2) + b"[]",
        struct.pack("<Q", 200_000) + b"[" * 200_000,
        *(
            struct.pack("<Q", len(text)) + text
            for said in (
                {"dtype": "F32", "shape": [2], "data_offsets": [0, 8]},
                {"dtype": "I16", "shape": [2, 2], "data_offsets": [0, 8]},
                {"dtype": "I16", "shape": [3], "data_offsets": [0, 4]},
                {"dtype": "I16", "shape": [3], "data_offsets": [0, 6]},
                {"dtype": "I16", "shape": [3], "data_offsets": [-9, -3]},
                {"dtype": "I16", "shape": [1 << 62], "data_offsets": [0, 1 << 63]},
                {"dtype": "I16", "shape": [10**30], "data_offsets": [0, 2 * 10**30]},
                {"dtype": "I16", "shape": ["3"], "data_offsets": ["0", "6"]},
                7,
            )
            for text in [json.dumps({"teacher.labels": said}).encode()]
        ),
    ],
)
def test_a_file_that_is_none_is_refused_and_says_nothing(content: bytes, fashion: BaseModel, tmp_path: Path) -> None:
    path = tmp_path / "reference.safetensors"
    path.write_bytes(content)
    with pytest.raises(ValueError, match=r"reference\.safetensors|Expecting value"):
        whole_numbers(path, ["teacher.labels"])
    assert base_accuracy(dataclasses.replace(fashion, folder=tmp_path, reference=path.name)) is None


def test_a_pipe_is_not_waited_for(fashion: BaseModel, tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "reference.safetensors")
    assert base_accuracy(dataclasses.replace(fashion, folder=tmp_path, reference="reference.safetensors")) is None


def test_a_file_of_something_else_says_nothing(fashion: BaseModel, tmp_path: Path) -> None:
    save_file({"weights": torch.zeros(3)}, tmp_path / "reference.safetensors")
    for name in ("reference.safetensors", "nothing.safetensors"):
        assert base_accuracy(dataclasses.replace(fashion, folder=tmp_path, reference=name)) is None
