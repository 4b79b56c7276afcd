"""One file of a whole pipeline becomes a folder by diffusers' own converter, or is refused in words."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file

from sfd_core.adding.add import add_model
from sfd_core.adding.one_file import convert
from sfd_core.adding.said import Said
from sfd_core.errors import ModelRefused
from sfd_core.families.loading import load_base
from sfd_core.families.registry import family_of, load_manifest
from tests.support.one_file import save_in_one_file
from tests.support.tiny_text_model import make_tiny_text_model

UNET = "unet/diffusion_pytorch_model.safetensors"


@pytest.fixture
def stock(tmp_path: Path) -> Path:
    make_tiny_text_model(tmp_path / "stock")
    return tmp_path / "stock"


def without_weights(folder: Path) -> None:
    for path in folder.rglob("*.safetensors"):
        path.unlink()


def test_a_file_becomes_a_model_with_the_configurations_of_another(stock: Path, tmp_path: Path) -> None:
    file = tmp_path / "tuned.safetensors"
    before, untouched = load_file(stock / UNET), load_base(load_manifest(stock))
    save_in_one_file(stock, file)
    without_weights(stock)
    convert(file, stock, tmp_path / "made")
    base = load_base(add_model(tmp_path / "made", tmp_path / "models", Said(name="tuned")))
    assert base.model.family == "stable_diffusion"
    assert all(torch.equal(value, before[name]) for name, value in base.network.state_dict().items())
    ours, theirs = (family_of("stable_diffusion").base_sampler(each, "cpu", 2) for each in (base, untouched))
    images = [sampler.sample_prompts(["a cat"], [0]) for sampler in (ours, theirs)]
    assert np.array_equal(*images)


def test_without_a_folder_like_it(stock: Path, tmp_path: Path) -> None:
    save_in_one_file(stock, tmp_path / "tuned.safetensors")
    with pytest.raises(ModelRefused, match=r"one file holds weights alone: name a folder .* \(--like\)"):
        convert(tmp_path / "tuned.safetensors", None, tmp_path / "made")


@pytest.mark.parametrize(("name", "content", "says"), [
    ("tuned.ckpt", b"\x80\x04", "never from pickles"),
    ("tuned.safetensors", b"\x80\x04pickle", "not a readable safetensors file"),
])  # fmt: skip
def test_a_file_of_something_else(stock: Path, tmp_path: Path, name: str, content: bytes, says: str) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(ModelRefused, match=says):
        convert(tmp_path / name, stock, tmp_path / "made")


def test_weights_of_something_else(stock: Path, tmp_path: Path) -> None:
    save_file({"weight": torch.zeros(2)}, tmp_path / "tuned.safetensors")
    with pytest.raises(ModelRefused, match=r"no StableDiffusionPipeline like .* can be made of it"):
        convert(tmp_path / "tuned.safetensors", stock, tmp_path / "made")
