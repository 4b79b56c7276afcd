"""What keeps large pictures from filling a GPU: they are decoded, and asked of the teacher, some at a time."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

from sfd_core.families import autoencoder
from sfd_core.families.loading import load_base
from sfd_core.families.protocol import LoadedBase
from sfd_core.families.text import base_sampler as teacher
from sfd_core.families.text.base_sampler import GuidedSampler
from tests.support.tiny_text_model import make_tiny_text_model

SIDE = 16


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> LoadedBase:
    return load_base(make_tiny_text_model(tmp_path_factory.mktemp("model")))


@pytest.fixture
def batches(base: LoadedBase, monkeypatch: pytest.MonkeyPatch) -> dict[str, list[int]]:
    """How many images each call of the U-Net and of the decoder has."""
    seen: dict[str, list[int]] = {"unet": [], "decoder": []}
    parts = base.text
    for name, owner, method in (("unet", base.network, "forward"), ("decoder", parts.autoencoder.vae, "decode")):
        original = getattr(owner, method)

        def counting(x: Any, *args: Any, _name: str = name, _call: Any = original, **kwargs: Any) -> Any:
            seen[_name].append(len(x))
            return _call(x, *args, **kwargs)

        monkeypatch.setattr(owner, method, counting)
    return seen


@pytest.mark.parametrize(
    ("pixels", "expected"),
    [(SIDE**2 * 100, [5]), (SIDE**2 * 2, [2, 2, 1]), (SIDE**2 * 2 + 1, [2, 2, 1]), (1, [1, 1, 1, 1, 1])],
)
def test_pictures_are_decoded_some_at_a_time(
    base: LoadedBase,
    batches: dict[str, list[int]],
    monkeypatch: pytest.MonkeyPatch,
    pixels: int,
    expected: list[int],
) -> None:
    latents = torch.randn(5, 4, 8, 8, generator=torch.Generator().manual_seed(0))
    together = base.text.autoencoder.pictures(latents)
    batches["decoder"].clear()
    monkeypatch.setattr(autoencoder, "DECODED_TOGETHER", pixels)
    apart = base.text.autoencoder.pictures(latents)
    assert batches["decoder"] == expected
    assert apart.shape == (5, SIDE, SIDE, 3)
    assert np.abs(apart.astype(int) - together).max() <= 1


def test_four_pictures_of_512_pixels_are_decoded_together() -> None:
    assert autoencoder.DECODED_TOGETHER // 512**2 == 4


@pytest.mark.parametrize(("cells", "expected"), [(64 * 100, [5]), (64 * 2, [2, 2, 1]), (1, [1, 1, 1, 1, 1])])
def test_the_teacher_is_asked_for_some_at_a_time(
    base: LoadedBase,
    batches: dict[str, list[int]],
    monkeypatch: pytest.MonkeyPatch,
    cells: int,
    expected: list[int],
) -> None:
    asker, prompts = GuidedSampler(base, 1, 2.0), ["a red apple", "an old castle", "a cat", "a dog", "a house"]
    together = asker.sample_prompts(prompts, range(5))
    batches["unet"].clear()
    monkeypatch.setattr(teacher, "CELLS_TOGETHER", cells)
    apart = asker.sample_prompts(prompts, range(5))
    assert batches["unet"] == [2 * n for n in expected]  # guided: both sides of each
    assert np.abs(apart.astype(int) - together).max() <= 1
