"""Values in the configurations of a model's parts that nothing could be made of: refused before anything is built,
fetched or drawn from them."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import pytest

from sfd_core.base_model import safe_files
from sfd_core.base_model.manifest import file_sha256
from sfd_core.errors import ModelRefused
from sfd_core.evaluation.judge import ImageJudge
from sfd_core.families.class_unet.generator import OneStepGenerator
from sfd_core.families.class_unet.loading import load_class_unet
from sfd_core.families.class_unet.networks import STOCK
from sfd_core.families.loading import load_base, load_generator
from sfd_core.families.registry import load_manifest
from sfd_core.families.stable_diffusion import DESCRIPTION
from sfd_core.families.stable_diffusion.family import FAMILY
from sfd_core.families.text.tokens import CLIP, prompt_tokenizer
from tests.support.tiny_model import CONCEPTS, make_tiny_model
from tests.support.tiny_text_model import make_tiny_text_model

HUB: Any = DESCRIPTION.hubs[0]


def change(path: Path, **values: object) -> None:
    path.write_text(json.dumps({**json.loads(path.read_text()), **values}))


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    folder = tmp_path_factory.mktemp("models")
    make_tiny_model(folder / "classes")
    make_tiny_text_model(folder / "text")
    return folder / "classes", folder / "text"


def copied(source: Path, folder: Path) -> Path:
    """The same folder, its large files by hard links: only JSON is changed."""
    for path in source.rglob("*"):
        if path.is_file():
            to = folder / path.relative_to(source)
            to.parent.mkdir(parents=True, exist_ok=True)
            if path.suffix == ".json":
                to.write_bytes(path.read_bytes())
            else:
                to.hardlink_to(path)
    return folder


@pytest.fixture
def classes(made: tuple[Path, Path], tmp_path: Path) -> Path:
    return copied(made[0], tmp_path / "classes")


@pytest.fixture
def text(made: tuple[Path, Path], tmp_path: Path) -> Path:
    return copied(made[1], tmp_path / "text")


def restate(folder: Path) -> None:
    """The owner of the folder also writes its manifest."""
    files = json.loads((folder / "manifest.json").read_text())["files"]
    change(folder / "manifest.json", files={name: file_sha256(folder / name) for name in files})


TEXT: list[tuple[str, dict[str, Any], str]] = [
    *(
        ("vae/config.json", {"scaling_factor": factor}, "scaling_factor is .*, must be a finite number above 0")
        for factor in (0, -0.18, math.nan, math.inf, None, "0.18215", True, [1.0])
    ),
    ("vae/config.json", {"shift_factor": 0.1}, "shift_factor is 0.1, must be null: the pipeline only scales"),
    ("vae/config.json", {"latents_mean": [0.0] * 4}, "latents_mean is .*, must be null"),
    ("vae/config.json", {"latents_std": [1.0] * 4}, "latents_std is .*, must be null"),
    ("vae/config.json", {"out_channels": 1}, "out_channels is 1, must be 3"),
    ("vae/config.json", {"block_out_channels": []}, "block_out_channels is .*, must be 1 to 8 whole numbers"),
    ("vae/config.json", {"block_out_channels": ["8"]}, "block_out_channels is .*, must be 1 to 8 whole numbers"),
    ("vae/config.json", {"norm_num_groups": [[math.inf]]}, "norm_num_groups is .*, must be finite"),
    ("vae/config.json", {"layers_per_block": 10**9}, "layers_per_block is 1000000000, must be finite and at most 256"),
    *(
        ("unet/config.json", {"sample_size": size}, "sample_size is .*, must be 1 to 4096, whole")
        for size in (0, -8, 4097, None, "8", True, [8, 8])
    ),
    ("unet/config.json", {"sample_size": 4096}, "the pipeline makes pictures of 8192 x 8192, at most 4096 are made"),
    ("unet/config.json", {"sample_size": 10**9}, "sample_size is 1000000000, must be 1 to 4096"),
    ("unet/config.json", {"cross_attention_dim": None}, "cross_attention_dim is None, must be 1 to 1048576, whole"),
    ("unet/config.json", {"class_embed_type": "timestep"}, "class_embed_type is 'timestep', must be null"),
    ("unet/config.json", {"num_class_embeds": 4}, "num_class_embeds is 4, must be null"),
    ("unet/config.json", {"addition_embed_type": "text"}, "addition_embed_type is 'text', must be null"),
    ("unet/config.json", {"time_cond_proj_dim": 256}, "time_cond_proj_dim is 256, must be null"),
    ("unet/config.json", {"transformer_layers_per_block": [[1, 10**9]]}, "transformer_layers_per_block is .*, must"),
    (
        "text_encoder/config.json",
        {"num_hidden_layers": 10**9},
        "num_hidden_layers is 1000000000, must be finite and at most 256",
    ),
    ("text_encoder/config.json", {"max_position_embeddings": 10**9}, "max_position_embeddings is 1000000000, must"),
    ("text_encoder/config.json", {"max_position_embeddings": "77"}, "max_position_embeddings is '77', must be 3 to"),
    ("scheduler/scheduler_config.json", {"num_train_timesteps": 10**9}, "num_train_timesteps is 1000000000, must be"),
    ("scheduler/scheduler_config.json", {"_class_name": "DDIMScheduler"}, "scheduler is .*PNDM.* says .*DDIM"),
    ("model_index.json", {"scheduler": None}, "scheduler is None, scheduler/scheduler_config.json says"),
    ("model_index.json", {"tokenizer": ["my_code", "CLIPTokenizer"]}, "tokenizer is .*, must be a CLIPTokenizer"),
    ("model_index.json", {"tokenizer": 3}, "tokenizer is 3, must be a CLIPTokenizer"),
    ("model_index.json", {"vae": ["diffusers", "AutoencoderTiny"]}, "vae is .*, must be"),
]


@pytest.mark.parametrize(("file", "values", "says"), TEXT)
def test_a_pipeline_is_refused_by_its_configurations_and_before_its_weights_are_read(
    text: Path, file: str, values: dict[str, Any], says: str
) -> None:
    for weights in text.rglob("*.safetensors"):
        weights.unlink()  # as of a hub's model, before they are fetched
    change(text / file, **values)
    with pytest.raises(ModelRefused, match=says):
        HUB.check(text) or HUB.image(text)


def test_every_fault_of_a_part_is_told_at_once(text: Path) -> None:
    change(text / "vae/config.json", scaling_factor=0, shift_factor=1.0, in_channels=4)
    with pytest.raises(ModelRefused, match=r"vae/config\.json: scaling_factor .*; shift_factor .*; in_channels "):
        FAMILY.load_text(text)


def test_loading_looks_at_the_same(text: Path) -> None:
    change(text / "unet/config.json", sample_size=4)
    restate(text)
    with pytest.raises(ModelRefused, match="the manifest's image is 3 x 16 x 16, the pipeline makes 3 x 8 x 8"):
        load_base(load_manifest(text))


@pytest.mark.parametrize("length", [2, 0, -1, "77", 77.0])
def test_prompts_of_no_length(text: Path, length: object) -> None:
    change(text / "tokenizer/tokenizer_config.json", model_max_length=length)
    with pytest.raises(ModelRefused, match="tokenizer"):
        FAMILY.load_text(text)


def test_a_tokenizer_that_says_no_length_has_the_text_encoders(text: Path) -> None:
    change(text / "tokenizer/tokenizer_config.json", model_max_length=None)
    assert FAMILY.load_text(text).longest == 77
    reader = prompt_tokenizer(text / "tokenizer", CLIP)
    assert reader is not None
    assert reader.longest == 77


@pytest.mark.parametrize(
    ("file", "values", "says"),
    [
        *(
            ("unet/config.json", {"sample_size": size}, "sample_size is .*, must be 1 to 4096, or two of them")
            for size in (0, -8, 10**9, None, "8", True, [8], [8, 8, 8], [8, "8"])
        ),
        ("unet/config.json", {"sample_size": 16}, "sample_size is 16, the manifest's image and patch make 8 x 8"),
        ("unet/config.json", {"num_class_embeds": None}, "num_class_embeds is None, must be 4, one a concept"),
        ("unet/config.json", {"num_class_embeds": "4"}, "num_class_embeds is '4', must be 4"),
        ("unet/config.json", {"class_embed_type": "identity"}, "class_embed_type is 'identity', must be null"),
        (
            "unet/config.json",
            {"layers_per_block": 10**9},
            "layers_per_block is 1000000000, must be finite and at most 256",
        ),
        ("unet/config.json", {"block_out_channels": [8] * 1000}, "block_out_channels has 1000 entries, must have at"),
        ("unet/config.json", {"norm_eps": math.nan}, "norm_eps is nan, must be"),
        ("scheduler/scheduler_config.json", {"_class_name": "EDMEulerScheduler"}, "an EDM scheduler"),
        ("scheduler/scheduler_config.json", {"num_train_timesteps": 10**9}, "num_train_timesteps is 1000000000"),
    ],
)
def test_a_class_model_is_refused(classes: Path, file: str, values: dict[str, Any], says: str) -> None:
    change(classes / file, **values)
    restate(classes)
    with pytest.raises(ModelRefused, match=says):
        load_base(load_manifest(classes))


def test_a_schedule_is_refused_before_the_network_is_read(classes: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(safe_files, "load_file", lambda path: pytest.fail("read"))
    change(classes / "scheduler/scheduler_config.json", beta_end=math.nan)
    restate(classes)
    with pytest.raises(ModelRefused, match="beta_end is nan"):
        load_base(load_manifest(classes))


@pytest.mark.parametrize("patch", [None, "1", 0, -1, 2, True, 1.0])
def test_a_generator_of_cells_that_its_network_does_not_have(classes: Path, patch: object, tmp_path: Path) -> None:
    base = load_base(load_manifest(classes))
    OneStepGenerator.of(base.network, base.schedule, 30, base.model).save(tmp_path / "published")
    change(tmp_path / "published" / "model_index.json", patch=patch)
    with pytest.raises(ModelRefused, match=r"patch is .*, must be a whole number whose square divides .* 1 channels"):
        load_generator(tmp_path / "published")


def test_a_network_of_another_number_of_classes(classes: Path) -> None:
    assert load_class_unet(classes, len(CONCEPTS), STOCK).config.num_class_embeds == 4
    with pytest.raises(ModelRefused, match="num_class_embeds is 4, must be 5"):
        load_class_unet(classes, 5, STOCK)


@pytest.mark.parametrize("side", [10**9, 0, -1, None, "8", True, 8.0])
def test_a_judge_that_sees_images_at_no_size(classes: Path, side: object) -> None:
    (classes / "judge/preprocessor_config.json").write_text(json.dumps({"size": {"height": 8, "width": side}}))
    with pytest.raises(ModelRefused, match=r"judge/preprocessor_config\.json: size is .*, must be 1 to 4096"):
        ImageJudge.load(load_manifest(classes))


def test_a_judge_of_a_thousand_million_layers(classes: Path) -> None:
    change(classes / "judge/config.json", depths=[10**9])
    with pytest.raises(
        ModelRefused, match=r"judge/config\.json: depths is \[1000000000\], must be finite and at most 256"
    ):
        ImageJudge.load(load_manifest(classes))


@pytest.mark.parametrize(
    ("values", "says"),
    [
        ({"image": {"channels": 1, "height": 8, "width": 8, "patch": None}}, "image.patch must be a int"),
        ({"image": {"channels": 1, "height": 8, "width": 8, "patch": "1"}}, "image.patch must be a int"),
        ({"image": {"channels": 1, "height": 8, "width": 10**9, "patch": 1}}, "image.width must be from 1 to 4096"),
        ({"teacher": {"network_evaluations": 10**9}}, "teacher: network_evaluations is 1000000000, must be 1 to 1000"),
        ({"teacher": {"network_evaluations": None, "guidance": "much"}}, "network_evaluations is None.*; guidance is"),
    ],
)
def test_a_manifest_that_says_no_number(classes: Path, values: dict[str, Any], says: str) -> None:
    change(classes / "manifest.json", **values)
    with pytest.raises(ModelRefused, match=says):
        load_manifest(classes)


@pytest.mark.parametrize("content", ['{"a": ' + "9" * 5000 + "}", "[" * 100_000])
@pytest.mark.parametrize("file", ["manifest.json", "scheduler/scheduler_config.json"])
def test_json_that_python_does_not_read(classes: Path, file: str, content: str) -> None:
    (classes / file).write_text(content, "utf-8")
    if file != "manifest.json":
        restate(classes)
    with pytest.raises(ModelRefused, match="not readable as JSON"):
        load_base(load_manifest(classes))
