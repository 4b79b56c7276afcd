"""What of a Stable Diffusion pipeline's folder is refused before anything of it is used."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from sfd_core.errors import ModelRefused
from sfd_core.families.loading import load_generator
from sfd_core.families.stable_diffusion.family import FAMILY
from tests.support.tiny_text_model import make_tiny_text_model


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    make_tiny_text_model(tmp_path)
    return tmp_path


def change(path: Path, **values: object) -> None:
    path.write_text(json.dumps({**json.loads(path.read_text()), **values}))


def test_another_pipeline(folder: Path) -> None:
    change(folder / "model_index.json", _class_name="StableDiffusionXLPipeline")
    with pytest.raises(ModelRefused, match="_class_name is 'StableDiffusionXLPipeline', must be"):
        FAMILY.load_text(folder)


def test_a_part_that_is_not_stock(folder: Path) -> None:
    change(folder / "model_index.json", unet=["my_code", "MyUNet"])
    with pytest.raises(ModelRefused, match=r"unet is \['my_code', 'MyUNet'\], must be"):
        FAMILY.load_text(folder)


def test_code_of_its_own(folder: Path) -> None:
    change(folder / "text_encoder" / "config.json", auto_map={"AutoModel": "code.py"})
    with pytest.raises(ModelRefused, match="auto_map"):
        FAMILY.load_text(folder)


def test_pickled_weights(folder: Path) -> None:
    (folder / "vae" / "diffusion_pytorch_model.safetensors").rename(folder / "vae" / "diffusion_pytorch_model.bin")
    with pytest.raises(ModelRefused, match="safetensors only"):
        FAMILY.load_text(folder)


def test_weights_that_are_not_finite(folder: Path) -> None:
    path = folder / "text_encoder" / "model.safetensors"
    weights = load_file(path)
    name = sorted(weights)[0]
    save_file({**weights, name: torch.full_like(weights[name], float("nan"))}, path, {"format": "pt"})
    with pytest.raises(ModelRefused, match="NaN or infinite"):
        FAMILY.load_text(folder)


def test_prompts_longer_than_the_encoder_has_places_for(folder: Path) -> None:
    change(folder / "tokenizer" / "tokenizer_config.json", model_max_length=512)
    with pytest.raises(ModelRefused, match="prompts of 512 tokens, the text encoder has places for 77"):
        FAMILY.load_text(folder)


def test_a_generators_folder_of_another_kind(folder: Path) -> None:
    change(folder / "model_index.json", _class_name="DDPMPipeline")
    with pytest.raises(ModelRefused, match=r"_class_name is 'DDPMPipeline', scheduler is .*; a generator's are"):
        load_generator(folder)
