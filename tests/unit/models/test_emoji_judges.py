"""The emoji model's judges: stock folders that know real pictures of seeds that no training saw, imperfect ones too."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import numpy as np
import pytest
import torch

from models.emoji import imperfections, pictures, train_judge
from sfd_core.base_model.manifest import BaseModel, ImageFormat, JudgeInfo
from sfd_core.evaluation.judge import ImageJudge
from sfd_core.families.images import to_uint8

EMOJI = Path(train_judge.__file__).parent

DOMAINS = ("object", "style")
FOLDERS = [(domain, f"{kind}-{domain}") for domain in DOMAINS for kind in ("judge", "second-judge")]
NONE = imperfections.Strength(bend=0, blur=0, noise=0, colour=0, hole=0)


def model_of(domain: str, folder: str) -> BaseModel:
    info = JudgeInfo("", folder, 0.0, 0, (), "")
    image = ImageFormat(3, 64, 64)
    return BaseModel(
        "emoji", "", EMOJI, "class_unet", "", "", train_judge.CONCEPTS[domain], image, info, "", {}, {}, ""
    )


@pytest.fixture(scope="module")
def seen_by_none() -> tuple[torch.Tensor, torch.Tensor]:
    """A real picture of each drawing, of a seed that neither training nor measuring uses."""
    drawings = pictures.atlas().flatten(0, 1)
    return pictures.augmented(drawings, torch.Generator().manual_seed(77)), torch.arange(len(drawings))


@pytest.mark.parametrize(("domain", "folder"), FOLDERS)
def test_it_knows_real_pictures_and_imperfect_ones(
    domain: str, folder: str, seen_by_none: tuple[torch.Tensor, torch.Tensor]
) -> None:
    x, drawings = seen_by_none
    labels = train_judge.labels_of(domain, drawings).numpy()
    judge = ImageJudge.load(model_of(domain, folder))
    ones = torch.ones(len(x))
    noisy = imperfections.noisy(x, 0.15 * ones, torch.Generator().manual_seed(0))
    for made in (x, imperfections.blurred(x, ones), noisy):
        right = (judge.judge(to_uint8(made)).seen == labels).mean()
        assert right >= 0.98
    # Its answer is the picture's, not the order of the labels.
    turned_round = judge.judge(to_uint8(x.flip(0))).seen
    assert (turned_round == labels).mean() < 0.5


def test_the_judge_that_decides_is_less_sure_where_nothing_is_shown(
    seen_by_none: tuple[torch.Tensor, torch.Tensor],
) -> None:
    judge = ImageJudge.load(model_of("object", "judge-object"))
    noise = np.random.default_rng(0).integers(0, 256, (40, 64, 64, 3), dtype=np.uint8)
    white = np.full((1, 64, 64, 3), 255, np.uint8)
    sure = judge.judge(to_uint8(seen_by_none[0])).probabilities.max(axis=1).mean()
    assert sure > 0.85
    for nothing in (noise, white):
        assert judge.judge(nothing).probabilities.max(axis=1).mean() < sure - 0.2


def test_two_judges_of_a_domain_are_not_alike() -> None:
    for domain in DOMAINS:
        kinds = {
            json.loads((EMOJI / folder / "config.json").read_text())["model_type"]
            for of, folder in FOLDERS
            if of == domain
        }
        assert len(kinds) == 2


@pytest.mark.parametrize(("domain", "folder"), FOLDERS)
def test_it_is_small_and_of_the_models_concepts_in_their_order(domain: str, folder: str) -> None:
    assert (EMOJI / folder / "model.safetensors").stat().st_size <= 2_000_000
    model = model_of(domain, folder)
    assert ImageJudge.load(model).order is None


def test_no_strength_leaves_a_picture_as_it_is(seen_by_none: tuple[torch.Tensor, torch.Tensor]) -> None:
    x = seen_by_none[0][:8]
    torch.testing.assert_close(imperfections.imperfect(x, NONE, torch.Generator().manual_seed(0)), x, atol=1e-4, rtol=0)


@pytest.mark.parametrize("of", [{"bend": 6}, {"blur": 2.0}, {"noise": 0.3}, {"colour": 0.2}, {"hole": 20}])
def test_each_imperfection_changes_a_picture_and_keeps_it_in_range(
    of: dict[str, float], seen_by_none: tuple[torch.Tensor, torch.Tensor]
) -> None:
    x = seen_by_none[0][:32]
    made = imperfections.imperfect(x, dataclasses.replace(NONE, **of), torch.Generator().manual_seed(0))
    assert made.shape == x.shape
    assert float(made.min()) >= -1.001
    assert float(made.max()) <= 1.001
    assert float((made - x).abs().mean()) > 0.005


def test_a_blur_has_the_width_that_is_asked_for() -> None:
    """The blur of a single bright pixel is a Gaussian: its variance along an axis is sigma squared."""
    x = torch.zeros(2, 3, 64, 64)
    x[:, :, 32, 32] = 1
    made = imperfections.blurred(x, torch.tensor([1.0, 2.0]))
    places = torch.arange(64) - 32.0
    for picture, sigma in zip(made, (1.0, 2.0), strict=True):
        profile = picture[0].sum(0)
        assert float(profile.sum()) == pytest.approx(1, abs=1e-4)
        assert float((profile * places**2).sum()) == pytest.approx(sigma**2, rel=0.05)


def test_a_shift_of_the_seed_is_another_picture_and_the_same_seed_the_same() -> None:
    drawings = pictures.atlas().flatten(0, 1)[:4]
    once, again, other = (pictures.augmented(drawings, torch.Generator().manual_seed(seed)) for seed in (1, 1, 2))
    assert torch.equal(once, again)
    assert float((once - other).abs().mean()) > 0.05


def test_the_atlas_has_a_drawing_of_every_object_in_every_style() -> None:
    drawings = pictures.atlas()
    assert drawings.shape == (48, 3, 4, 64, 64)
    # No drawing is empty, and no two are the same.
    assert float(drawings[:, :, 3].mean((2, 3)).min()) > 0.05
    flat = drawings.flatten(0, 1).flatten(1)
    apart = torch.cdist(flat, flat) + torch.eye(len(flat)) * 1e6
    assert float(apart.min()) > 1
