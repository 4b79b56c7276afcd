"""What is written is one file, whatever its size, and whoever may look into its folder may read it."""

from __future__ import annotations

import stat
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from diffusers import ModelMixin, UNet2DModel

from sfd_core.base_model.saving import save_network, save_tensors
from sfd_core.families.loading import load_base, load_generator
from sfd_core.families.registry import family_of, recipe_of
from tests.support.tiny_dit_model import make_tiny_dit_model
from tests.support.tiny_flux import make_tiny_flux
from tests.support.tiny_model import make_tiny_model
from tests.support.tiny_sdxl import make_tiny_sdxl

NETWORK = {"sample_size": 8, "block_out_channels": (8,), "down_block_types": ("DownBlock2D",), "norm_num_groups": 4}


@pytest.fixture
def large(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every network is larger than what diffusers puts into one file by itself, as those of SDXL and FLUX are."""
    save = ModelMixin.save_pretrained

    def cut(self: Any, folder: Any, *, max_shard_size: int | str = "10KB", **settings: Any) -> None:
        save(self, folder, max_shard_size=max_shard_size, **settings)

    monkeypatch.setattr(ModelMixin, "save_pretrained", cut)


def network() -> UNet2DModel:
    return UNet2DModel(**NETWORK, up_block_types=("UpBlock2D",), layers_per_block=1)


@pytest.mark.usefixtures("large")
def test_a_large_network_is_one_file(tmp_path: Path) -> None:
    network().save_pretrained(tmp_path / "cut")
    assert len(list((tmp_path / "cut").glob("*.safetensors"))) > 1, "or the test would show nothing"
    save_network(network(), tmp_path / "whole")
    assert sorted(path.name for path in (tmp_path / "whole").iterdir()) == [
        "config.json",
        "diffusion_pytorch_model.safetensors",
    ]


@pytest.mark.parametrize("make", [make_tiny_model, make_tiny_dit_model, make_tiny_sdxl, make_tiny_flux])
def test_a_large_generator_is_read_again(tmp_path: Path, make: Callable[..., Any], request: Any) -> None:
    """Of every way in which a family publishes."""
    model = make(tmp_path / "base")
    request.getfixturevalue("large")
    base, family = load_base(model), family_of(model.family)
    start = base.schedule.start(recipe_of(model.family, model.recipe))
    family.generator(base.network, base, start).save(tmp_path / "generator")
    assert not list((tmp_path / "generator").rglob("*.index.json"))
    again = load_generator(tmp_path / "generator")
    for name, weight in base.network.state_dict().items():
        assert torch.equal(again.network.state_dict()[name], weight), name


@pytest.mark.parametrize(
    ("of_folder", "of_file"), [(0o755, 0o644), (0o750, 0o640), (0o700, 0o600), (0o2775, 0o664)], ids=oct
)
def test_whoever_may_look_into_a_folder_may_read_what_is_written_there(
    tmp_path: Path, of_folder: int, of_file: int
) -> None:
    (folder := tmp_path / "folder").mkdir()
    folder.chmod(of_folder)
    save_tensors({"a": torch.zeros(2)}, folder / "a.safetensors", {"of": "nobody"})
    save_network(network(), folder)
    found = {path.name: stat.S_IMODE(path.stat().st_mode) for path in folder.glob("*.safetensors")}
    assert found == dict.fromkeys(("a.safetensors", "diffusion_pytorch_model.safetensors"), of_file)
