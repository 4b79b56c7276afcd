"""What of a Stable Diffusion XL's folder is refused, and that it is before any weights are read."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from sfd_core.errors import ModelRefused
from sfd_core.families.loading import load_base, load_generator
from sfd_core.families.registry import load_manifest
from sfd_core.families.sdxl import DESCRIPTION
from sfd_core.families.sdxl.family import FAMILY
from sfd_core.families.sdxl.pipeline_layout import LAYOUT
from sfd_core.families.text.tokens import prompt_reader
from tests.support.tiny_sdxl import make_tiny_sdxl

HUB: Any = DESCRIPTION.hubs[0]


def change(path: Path, **values: object) -> None:
    path.write_text(json.dumps({**json.loads(path.read_text()), **values}))


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("models") / "xl"
    make_tiny_sdxl(folder)
    return folder


@pytest.fixture
def folder(made: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(made, tmp_path / "xl"))


FAULTS: list[tuple[str, dict[str, Any], str]] = [
    ("model_index.json", {"_class_name": "StableDiffusionPipeline"}, "must be 'StableDiffusionXLPipeline'"),
    ("model_index.json", {"text_encoder_2": [None, None]}, r"text_encoder_2 is \[None, None\], must be"),
    ("model_index.json", {"text_encoder_2": ["transformers", "CLIPTextModel"]}, "text_encoder_2 is .*WithProjection"),
    ("model_index.json", {"tokenizer_2": ["my_code", "CLIPTokenizer"]}, "tokenizer_2 is .*, must be a CLIPTokenizer"),
    (
        "model_index.json",
        {"force_zeros_for_empty_prompt": "yes"},
        "force_zeros_for_empty_prompt is 'yes', must be true",
    ),
    ("unet/config.json", {"addition_embed_type": None}, "addition_embed_type is None, must be 'text_time'"),
    ("unet/config.json", {"addition_embed_type": "text"}, "addition_embed_type is 'text', must be 'text_time'"),
    ("unet/config.json", {"addition_time_embed_dim": None}, "addition_time_embed_dim is None, must be 1 to"),
    ("unet/config.json", {"addition_time_embed_dim": 8}, "input_dim is 36, the other parts make 60"),
    ("unet/config.json", {"projection_class_embeddings_input_dim": 10**9}, "input_dim is 1000000000, must be 1 to"),
    ("unet/config.json", {"projection_class_embeddings_input_dim": 40}, "input_dim is 40, the other parts make 36"),
    ("unet/config.json", {"cross_attention_dim": 16}, "cross_attention_dim is 16, the other parts make 40"),
    ("unet/config.json", {"time_cond_proj_dim": 256}, "time_cond_proj_dim is 256, must be null"),
    ("unet/config.json", {"in_channels": 9}, "in_channels is 9, the other parts make 4"),
    ("text_encoder/config.json", {"hidden_size": 24}, "cross_attention_dim is 40, the other parts make 48"),
    ("text_encoder_2/config.json", {"projection_dim": 10}, "input_dim is 36, the other parts make 34"),
    ("text_encoder_2/config.json", {"num_hidden_layers": 10**9}, "text_encoder_2/config.json: num_hidden_layers is"),
    ("text_encoder_2/config.json", {"auto_map": {"AutoModel": "code.py"}}, "auto_map asks for code"),
    ("vae/config.json", {"latents_mean": [0.0] * 4, "latents_std": [1.0] * 4}, "latents_mean .*; latents_std "),
    ("scheduler/scheduler_config.json", {"_class_name": "EDMEulerScheduler"}, "scheduler is .*EDMEulerScheduler"),
]


@pytest.mark.parametrize(("file", "values", "says"), FAULTS)
def test_a_pipeline_is_refused_by_its_configurations_and_before_its_weights_are_read(
    folder: Path, file: str, values: dict[str, Any], says: str
) -> None:
    for weights in folder.rglob("*.safetensors"):
        weights.unlink()  # as of a hub's model, before they are fetched
    change(folder / file, **values)
    for check in (HUB.check, FAMILY.load_text):
        with pytest.raises(ModelRefused, match=says):
            check(folder)


def test_every_fault_of_every_part_is_told_at_once(folder: Path) -> None:
    change(folder / "unet/config.json", addition_embed_type=None, sample_size=0)
    change(folder / "text_encoder_2/config.json", projection_dim="12")
    change(folder / "vae/config.json", scaling_factor=0)
    with pytest.raises(ModelRefused) as refused:
        FAMILY.load_text(folder)
    for said in ("scaling_factor is 0", "sample_size is 0", "addition_embed_type is None", "projection_dim is '12'"):
        assert said in str(refused.value)
    change(folder / "model_index.json", unet=None, tokenizer=None)
    with pytest.raises(ModelRefused, match=r"unet is None, must be .*; tokenizer is None, must be"):
        FAMILY.load_text(folder)


def test_parts_that_do_not_fit_are_told_at_once(folder: Path) -> None:
    change(folder / "unet/config.json", cross_attention_dim=16, projection_class_embeddings_input_dim=40)
    with pytest.raises(ModelRefused, match=r"cross_attention_dim is 16, .* 40; projection_class\S+ is 40, .* 36"):
        HUB.check(folder)


def test_tokenizers_of_two_lengths(folder: Path) -> None:
    change(folder / "tokenizer_2/tokenizer_config.json", model_max_length=50)
    with pytest.raises(ModelRefused, match="tokenizer_2: prompts of 50 tokens, those of tokenizer have 77"):
        FAMILY.load_text(folder)


def test_prompts_longer_than_the_second_encoder_has_places_for(folder: Path) -> None:
    change(folder / "tokenizer_2/tokenizer_config.json", model_max_length=512)
    with pytest.raises(ModelRefused, match="tokenizer_2: prompts of 512 tokens, the text encoder has places for 77"):
        FAMILY.load_text(folder)


def test_a_tokenizer_with_more_tokens_than_its_encoder_knows(folder: Path) -> None:
    path = folder / "tokenizer_2/tokenizer.json"
    written = json.loads(path.read_text())
    written["added_tokens"].append({**written["added_tokens"][0], "id": 10_000, "content": "<my-style>"})
    path.write_text(json.dumps(written))
    known = json.loads((folder / "text_encoder_2/config.json").read_text())["vocab_size"]
    with pytest.raises(ModelRefused, match=rf"tokenizer_2: {known + 1} tokens, the text encoder knows {known}"):
        FAMILY.load_text(folder)


def test_a_manifest_of_another_image(folder: Path) -> None:
    change(folder / "manifest.json", image={"channels": 3, "height": 32, "width": 32, "patch": 1})
    with pytest.raises(ModelRefused, match="the manifest's image is 3 x 32 x 32, the pipeline makes 3 x 16 x 16"):
        load_base(load_manifest(folder))


def test_a_base_model_s_folder_is_no_one_step_generator(folder: Path) -> None:
    with pytest.raises(ModelRefused, match=r"scheduler_config\.json"):
        load_generator(folder)


def test_both_tokenizers_read_what_the_run_reads(folder: Path) -> None:
    """The second fills up with "!", which is then a token of its own wherever it stands."""
    reader = prompt_reader(folder, LAYOUT.tokenizers)
    assert reader is not None
    prompts = ["", "a pistol!", "wow!!! a cat", "!", "x " * 200]
    assert reader.read(prompts) == FAMILY.load_text(folder).tokens(prompts)
    assert reader.longest == 77
    (folder / "tokenizer_2/tokenizer.json").unlink()
    assert prompt_reader(folder, LAYOUT.tokenizers) is None, "left to the run"
