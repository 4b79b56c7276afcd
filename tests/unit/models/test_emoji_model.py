"""The bundled text-to-image model: manifest and card say what was measured, and its two networks draw what they are
asked for."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from diffusers import UNet2DConditionModel
from numpy.typing import NDArray

from models.emoji import card
from sfd_core.base_model.manifest import BaseModel
from sfd_core.base_model.safe_files import load_unet
from sfd_core.base_model.verifying import verify_files
from sfd_core.evaluation.features import EffLite0
from sfd_core.evaluation.judge import ImageJudge
from sfd_core.evaluation.reference import FeatureReference, Reference
from sfd_core.evaluation.subject import base_sampler_of
from sfd_core.families.loading import load_base
from sfd_core.families.protocol import LoadedBase
from sfd_core.families.registry import load_manifest
from sfd_core.families.text.base_sampler import GuidedSampler
from sfd_core.families.text.generator import PromptSampler, TextGenerator

EMOJI = Path(card.__file__).parent

DOMAINS = ("object", "style")
LARGEST = 10_000_000
SOME = ("apple", "cat", "pistol", "rocket", "owl", "pizza")


@pytest.fixture(scope="module")
def measured() -> dict[str, Any]:
    return json.loads((EMOJI / "measured.json").read_text())


@pytest.fixture(scope="module")
def model() -> BaseModel:
    return load_manifest(EMOJI).view("object")


@pytest.fixture(scope="module")
def base(model: BaseModel) -> LoadedBase:
    return load_base(model)


def test_the_manifest_is_what_measure_writes(measured: dict[str, Any]) -> None:
    assert json.loads((EMOJI / "manifest.json").read_text()) == card.manifest(EMOJI, measured)


def test_the_cards_figures_are_those_measured(measured: dict[str, Any]) -> None:
    text = (EMOJI / "README.md").read_text()
    assert card.with_figures(text, measured) == text


def test_every_file_has_its_digest_and_is_small_enough_for_a_repository(model: BaseModel) -> None:
    verify_files(model)
    assert max(path.stat().st_size for path in EMOJI.rglob("*") if path.is_file()) <= LARGEST


@pytest.mark.parametrize("domain", DOMAINS)
def test_the_references_hold_what_the_report_needs(domain: str) -> None:
    view = load_manifest(EMOJI).view(domain)
    assert view.reference is not None
    reference = Reference.load(EMOJI / view.reference)
    for part in (reference.real, reference.base_model):
        assert part.second_seen is not None
        assert set(part.labels) == set(range(len(view.concepts)))
    features = FeatureReference.load(EMOJI / view.features[EffLite0.name])
    assert features.real.shape == features.base_model.shape
    assert set(features.real_labels) == set(features.base_model_labels) == set(range(len(view.concepts)))


@pytest.mark.parametrize("kind", ["teacher", "distilled"])
def test_it_draws_what_it_is_asked_for(kind: str, base: LoadedBase) -> None:
    """By both judges, of objects and of styles: six objects in every style, twice."""
    objects, styles, images = drawn(network(kind, base))
    for domain, wanted in (("object", objects), ("style", styles)):
        view = base.model.view(domain)
        labels = np.array([view.concepts.index(name) for name in wanted])
        for info in (view.judge, view.second_judge):
            assert info is not None
            seen = ImageJudge.load(view, info=info).judge(images).seen
            # 36 images: were each right with probability 0.8, 33 or more would be right in 5 % of runs.
            assert (seen == labels).sum() >= 33, (domain, info.name)
            assert (seen == np.roll(labels, 7)).mean() < 0.5


def network(kind: str, base: LoadedBase) -> PromptSampler:
    if kind == "teacher":
        teacher = base_sampler_of(base, "cpu")
        assert isinstance(teacher, GuidedSampler)
        return teacher
    shipped = base.model.distilled
    assert shipped is not None
    unet = load_unet(base.model.folder / shipped.generator, UNet2DConditionModel)
    return TextGenerator.of(unet, base, shipped.t_init)


def drawn(sampler: PromptSampler) -> tuple[list[str], list[str], NDArray[np.uint8]]:
    """What was asked for, as objects and as styles, and the pictures."""
    asked = [(thing, style) for _ in range(2) for thing in SOME for style in ("noto", "twemoji", "fluent")]
    prompts = [f"{thing}, in the style of {style}" for thing, style in asked]
    images = sampler.sample_prompts(prompts, range(len(prompts)))
    return [thing for thing, _ in asked], [style for _, style in asked], images
