"""A judge sees an image as transformers' own processor would hand it over: held to that, in uint8."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from transformers import ViTImageProcessor

from sfd_core.base_model.manifest_parts import ImageFormat
from sfd_core.errors import ModelRefused
from sfd_core.evaluation.preprocessing import Preprocessing, read_preprocessing
from sfd_core.families.images import from_uint8

IMAGES = np.random.default_rng(0).integers(0, 256, (2, 8, 8, 3), dtype=np.uint8)
RGB = ImageFormat(3, 8, 8)


def write(folder: Path, **values: Any) -> Path:
    (folder / "preprocessor_config.json").write_text(json.dumps(values))
    return folder


@pytest.mark.parametrize(
    "values",
    [
        {"image_mean": [0.485, 0.456, 0.406], "image_std": [0.229, 0.224, 0.225]},
        {"image_mean": [0.5] * 3, "image_std": [0.5] * 3},
        {"do_normalize": False},
        {"do_rescale": False, "do_normalize": False},
        {"rescale_factor": 1 / 127.5, "image_mean": [1.0] * 3, "image_std": [1.0] * 3},
    ],
    ids=["ImageNet's", "ours", "not normalised", "not rescaled", "to [-1, 1]"],
)
def test_pixels_are_what_the_stock_processor_makes_of_them(tmp_path: Path, values: dict[str, Any]) -> None:
    processor = ViTImageProcessor(do_resize=False, **values)
    expected = torch.as_tensor(np.stack(processor(list(IMAGES))["pixel_values"]))
    seen = read_preprocessing(write(tmp_path, do_resize=False, **values), RGB, 3)(from_uint8(IMAGES))
    torch.testing.assert_close(seen.double(), expected.double(), rtol=1e-5, atol=1e-5 * float(expected.abs().max()))


def test_what_is_ours_already_is_left_as_it_is_to_the_bit(tmp_path: Path) -> None:
    x = from_uint8(IMAGES)
    half = {"image_mean": [0.5] * 3, "image_std": [0.5] * 3, "rescale_factor": 1 / 255}
    assert read_preprocessing(write(tmp_path, size={"height": 8, "width": 8}, **half), RGB, 3)(x) is x
    assert read_preprocessing(tmp_path / "nothing", RGB, 3)(x) is x


@pytest.mark.parametrize(
    ("values", "shape"),
    [
        ({"size": {"height": 12, "width": 16}}, (12, 16)),
        ({"size": 12}, (12, 12)),
        ({"size": {"shortest_edge": 16}}, (16, 16)),
        ({"size": {"shortest_edge": 16}, "do_center_crop": True, "crop_size": {"height": 10, "width": 12}}, (10, 12)),
        ({"size": {"shortest_edge": 16}, "do_center_crop": True, "crop_size": 14}, (14, 14)),
        ({"size": {"height": 12, "width": 16}, "do_resize": False}, (8, 8)),
    ],
)
def test_sizes(tmp_path: Path, values: dict[str, Any], shape: tuple[int, int]) -> None:
    assert read_preprocessing(write(tmp_path, **values), RGB, 3)(from_uint8(IMAGES)).shape == (2, 3, *shape)


def test_the_middle_is_what_is_left_of_a_cut() -> None:
    x = torch.arange(64.0).view(1, 1, 8, 8)
    assert Preprocessing((8, 8), crop=(2, 4))(x).tolist() == [[[[26, 27, 28, 29], [34, 35, 36, 37]]]]


def test_lines_are_not_lost_where_an_image_shrinks() -> None:
    stripes = torch.tensor([-1.0, 1.0]).repeat(8).expand(1, 1, 16, 16)
    assert float(Preprocessing((4, 4))(stripes).abs().max()) < 0.2


def test_gradients_reach_the_image(tmp_path: Path) -> None:
    x = from_uint8(IMAGES).requires_grad_()
    read_preprocessing(write(tmp_path, size=16, image_mean=[0.4] * 3, image_std=[0.2] * 3), RGB, 3)(x).sum().backward()
    assert x.grad is not None
    assert bool((x.grad > 0).all())


@pytest.mark.parametrize(
    ("values", "says"),
    [
        ({"size": {"height": 0, "width": 8}}, "size is"),
        ({"size": "large"}, "size is 'large'"),
        ({"image_mean": [0.5], "image_std": [0.0] * 3}, "image_mean is .*; image_std is"),
        ({"rescale_factor": 0}, "rescale_factor is 0"),
        ({"do_center_crop": True, "crop_size": 9}, "must fit into"),
        ({"do_normalize": "yes"}, "do_normalize is 'yes'"),
    ],
)
def test_what_is_wrong(tmp_path: Path, values: dict[str, Any], says: str) -> None:
    with pytest.raises(ModelRefused, match=says):
        read_preprocessing(write(tmp_path, **values), RGB, 3)
