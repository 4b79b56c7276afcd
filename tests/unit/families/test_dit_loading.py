"""Folders of diffusion transformers: which are read, and which are refused, with every fault at once and before a
weight is read."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file

from sfd_core.base_model import safe_files
from sfd_core.base_model.manifest import file_sha256
from sfd_core.errors import ModelRefused
from sfd_core.evaluation.subject import open_generator
from sfd_core.families.dit.base_sampler import GuidedDdimSampler
from sfd_core.families.dit.family import FAMILY
from sfd_core.families.dit.generator import DitGenerator
from sfd_core.families.dit.layout import check_pipeline
from sfd_core.families.loading import load_base, load_generator
from sfd_core.families.registry import load_manifest
from tests.support.tiny_dit_model import CONCEPTS, ID2LABEL, make_tiny_dit_model

TRANSFORMER, VAE, SCHEDULER = "transformer/config.json", "vae/config.json", "scheduler/scheduler_config.json"
WEIGHTS = "transformer/diffusion_pytorch_model.safetensors"
EARLIER = {
    "_class_name": "Transformer2DModel",
    "cross_attention_dim": None,
    "num_vector_embeds": None,
    "only_cross_attention": False,
    "use_linear_projection": False,
}
"""What ``facebook/DiT-XL-2-256`` has beside the fields of today."""


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_tiny_dit_model(tmp_path_factory.mktemp("models") / "tiny").folder


@pytest.fixture
def folder(made: Path, tmp_path: Path) -> Path:
    """The same folder, its large files by hard links: only JSON is changed."""
    for path in made.rglob("*"):
        if path.is_file():
            to = tmp_path / "tiny" / path.relative_to(made)
            to.parent.mkdir(parents=True, exist_ok=True)
            if path.suffix == ".json":
                to.write_bytes(path.read_bytes())
            else:
                to.hardlink_to(path)
    return tmp_path / "tiny"


def change(path: Path, **values: object) -> None:
    """Set fields; ``...`` takes one away."""
    whole = {**json.loads(path.read_text()), **values}
    path.write_text(json.dumps({name: value for name, value in whole.items() if value is not ...}))


def restate(folder: Path) -> None:
    """The owner of the folder also writes its manifest."""
    files = json.loads((folder / "manifest.json").read_text())["files"]
    change(folder / "manifest.json", files={name: file_sha256(folder / name) for name in files})


REFUSED: list[tuple[str, dict[str, Any], str]] = [
    ("model_index.json", {"_class_name": "SiTPipeline"}, "_class_name is 'SiTPipeline', must be 'DiTPipeline'"),
    ("model_index.json", {"transformer": ["my_code", "DiT"]}, "transformer is .*, must be .'diffusers', 'DiTTransf"),
    ("model_index.json", {"vae": None}, "vae is None, must be .*AutoencoderKL"),
    ("model_index.json", {"scheduler": ["diffusers", "PNDMScheduler"]}, "scheduler is .*, must be .*DDIMScheduler"),
    ("model_index.json", {"id2label": list(ID2LABEL)}, "id2label is .*, must be null or an object of the names"),
    ("model_index.json", {"id2label": {**ID2LABEL, "4": 4}}, "id2label is .*, must be null or an object of the names"),
    ("model_index.json", {"id2label": {**ID2LABEL, "5": "cow"}}, "must name the classes 0 to 4, .*: .'5'. is in one"),
    ("model_index.json", {"id2label": {"0": "goldfish"}}, "must name the classes 0 to 4, .* are in one of the two"),
    (
        "model_index.json",
        {"id2label": {**ID2LABEL, "0": "tench", "3": "goldfish"}},
        "calls class 0 'tench', the manifest's concept is 'goldfish'; id2label calls class 3 'goldfish', .*'tench'",
    ),
    (TRANSFORMER, {"_class_name": "UNet2DModel"}, "_class_name is 'UNet2DModel', must be 'DiTTransformer2DModel'"),
    (TRANSFORMER, {"_class_name": "Transformer2DModel", "norm_type": ...}, "norm_type is missing, must be 'ada_norm"),
    (TRANSFORMER, {"norm_type": "ada_norm_single"}, "norm_type is 'ada_norm_single', must be 'ada_norm_zero'"),
    (TRANSFORMER, {"cross_attention_dim": 768}, "cross_attention_dim is 768, must be None: this is another kind"),
    (TRANSFORMER, {"num_embeds_ada_norm": 4}, "num_embeds_ada_norm is 4, must be 5, one a concept; the null class"),
    (TRANSFORMER, {"num_embeds_ada_norm": None}, "num_embeds_ada_norm is None, must be 5"),
    (TRANSFORMER, {"num_embeds_ada_norm": ...}, "num_embeds_ada_norm is 1000, must be 5"),
    *(
        (TRANSFORMER, {"sample_size": size}, "sample_size is .*, must be 1 to 4096, whole")
        for size in (0, -8, 10**9, None, "8", True, [8, 8])
    ),
    (TRANSFORMER, {"sample_size": 9}, "sample_size is 9, must be a multiple of patch_size, 2"),
    (TRANSFORMER, {"sample_size": 258}, "sample_size 258 and patch_size 2 make more than 16384 patches"),
    *((TRANSFORMER, {"patch_size": size}, "patch_size is .*, must be 1 to 64") for size in (0, 65, None, 2.0)),
    (TRANSFORMER, {"in_channels": 0}, "in_channels is 0, must be 1 to 1024"),
    (VAE, {"latent_channels": 7}, "transformer/config.json: in_channels is 4, the autoencoder's latents have 7"),
    *(
        (TRANSFORMER, {"out_channels": many}, "out_channels is .*, must be null, 4 or, with a learned range, 8")
        for many in (3, 12, "8", 8.0, True)
    ),
    (TRANSFORMER, {"num_layers": 10**9}, "num_layers is 1000000000, must be 1 to 256"),
    (TRANSFORMER, {"num_attention_heads": 0}, "num_attention_heads is 0, must be 1 to 1024"),
    (TRANSFORMER, {"attention_head_dim": 10**9}, "attention_head_dim is 1000000000, must be 1 to 1024"),
    (TRANSFORMER, {"num_attention_heads": 1000, "attention_head_dim": 20}, "make tokens of 20000 channels, must be"),
    (TRANSFORMER, {"num_attention_heads": 1, "attention_head_dim": 6}, "tokens of 6 channels, must .*multiple of 4"),
    (TRANSFORMER, {"activation_fn": "relu"}, "activation_fn is 'relu', must be one of gelu, "),
    *((TRANSFORMER, {"dropout": share}, "dropout is .*, must be at least 0") for share in (1, -0.1, None, math.nan)),
    *((TRANSFORMER, {"norm_eps": eps}, "norm_eps is .*, must be a finite") for eps in (0, math.inf, "1e-5")),
    (TRANSFORMER, {"attention_bias": "yes"}, "attention_bias is 'yes', must be true or false"),
    (TRANSFORMER, {"auto_map": {"x": "y"}}, "auto_map asks for code of its own"),
    (VAE, {"scaling_factor": 0}, "scaling_factor is 0, must be a finite number above 0"),
    (VAE, {"shift_factor": 0.1}, "shift_factor is 0.1, must be null"),
    (SCHEDULER, {"_class_name": "EDMEulerScheduler"}, "an EDM scheduler"),
    (SCHEDULER, {"variance_type": "learned_range"}, "variance_type is 'learned_range', must be"),
]


@pytest.mark.parametrize(("file", "values", "says"), REFUSED)
def test_a_pipeline_is_refused_by_its_configurations_and_before_its_weights_are_read(
    folder: Path, monkeypatch: pytest.MonkeyPatch, file: str, values: dict[str, Any], says: str
) -> None:
    for read in ("load_file", "safe_open"):
        monkeypatch.setattr(safe_files, read, lambda *_, **__: pytest.fail("read"))
    change(folder / file, **values)
    restate(folder)
    with pytest.raises(ModelRefused, match=says):
        load_base(load_manifest(folder))


def test_every_fault_of_every_file_is_told_at_once(folder: Path) -> None:
    change(folder / "model_index.json", _class_name="Evil", id2label=3)
    change(folder / SCHEDULER, beta_start=2)
    change(folder / TRANSFORMER, patch_size=0, dropout=2)
    change(folder / VAE, scaling_factor=0, in_channels=4)
    said = (
        r"model_index\.json: _class_name .*; id2label .*; .*scheduler_config\.json: beta_start .*; "
        r".*transformer/config\.json: patch_size .*; dropout .*; .*vae/config\.json: scaling_factor .*; in_channels "
    )
    with pytest.raises(ModelRefused, match=said):
        check_pipeline(folder, CONCEPTS)


def test_the_untouched_folder_is_read(folder: Path) -> None:
    base = load_base(load_manifest(folder))
    assert base.schedule.steps == 1000
    assert base.network.config.num_embeds_ada_norm == len(CONCEPTS)


def test_its_earlier_name_is_read_and_gives_the_same_network(folder: Path) -> None:
    expected = load_base(load_manifest(folder)).network
    change(folder / TRANSFORMER, **EARLIER)
    index = json.loads((folder / "model_index.json").read_text())
    change(folder / "model_index.json", transformer=["diffusers", "Transformer2DModel"])
    assert index["transformer"] == ["diffusers", "DiTTransformer2DModel"]
    restate(folder)
    found = load_base(load_manifest(folder)).network
    x, t, c = torch.randn(2, 4, 8, 8), torch.tensor([3, 700]), torch.tensor([0, 5])
    with torch.no_grad():
        assert torch.equal(found(x, t, c).sample, expected(x, t, c).sample)


def test_an_index_without_labels_is_read(folder: Path) -> None:
    change(folder / "model_index.json", id2label=...)
    restate(folder)
    load_base(load_manifest(folder))


@pytest.mark.parametrize(
    ("image", "says"),
    [
        (
            {"channels": 3, "height": 32, "width": 16, "patch": 1},
            "3 x 32 x 16, the pipeline makes 3 x 16 x 16",
        ),
        ({"channels": 1, "height": 16, "width": 16, "patch": 1}, "image is 1 x 16 x 16"),
        (
            {"channels": 3, "height": 16, "width": 16, "patch": 2},
            "image.patch is 2, must be 1: the network sees latents",
        ),
    ],
)
def test_a_manifest_of_another_image(folder: Path, image: dict[str, int], says: str) -> None:
    change(folder / "manifest.json", image=image)
    with pytest.raises(ModelRefused, match=says):
        load_base(load_manifest(folder))


def test_latents_of_another_autoencoder(folder: Path) -> None:
    """Its weights fit; the transformer's do not fit them."""
    change(folder / TRANSFORMER, in_channels=2, out_channels=8)
    restate(folder)
    with pytest.raises(ModelRefused, match="out_channels is 8, must be null, 2 or, with a learned range, 4"):
        load_base(load_manifest(folder))


@pytest.mark.parametrize(
    ("name", "value", "says"),
    [
        ("proj_out_2.bias", None, "1 weights are missing, the first is proj_out_2.bias"),
        ("extra", torch.zeros(1), "1 weights are not the network's, the first is extra"),
        ("proj_out_2.bias", torch.zeros(2), r"proj_out_2.bias has shape \[2\], the network needs \[32\]"),
        ("proj_out_2.bias", torch.full((32,), math.nan), "proj_out_2.bias holds NaN"),
    ],
)
def test_weights_that_do_not_fit(folder: Path, name: str, value: torch.Tensor | None, says: str) -> None:
    weights = load_file(folder / WEIGHTS)
    weights.pop(name, None)
    (folder / WEIGHTS).unlink()
    save_file(weights if value is None else {**weights, name: value}, folder / WEIGHTS)
    restate(folder)
    with pytest.raises(ModelRefused, match=says):
        load_base(load_manifest(folder))


class TestPublished:
    @pytest.fixture
    def published(self, made: Path, tmp_path: Path) -> Path:
        base = load_base(load_manifest(made))
        FAMILY.generator(base.network, base, 440).save(tmp_path / "published")
        return tmp_path / "published"

    @pytest.mark.parametrize(
        ("file", "change_to", "says"),
        [
            ("model_index.json", {"_class_name": "Evil"}, "_class_name is 'Evil'"),
            ("model_index.json", {"id2label": ["a"]}, "not the folder of a class-conditional generator"),
            ("model_index.json", {"id2label": {"0": "a", "1": "a"}}, "name each class from 0 on, all differently"),
            ("model_index.json", {"id2label": {"0": "a", "1": "b"}}, "num_embeds_ada_norm is 5, must be 2"),
            (SCHEDULER, {"_class_name": "DDIMScheduler"}, "must be 'EulerDiscreteScheduler'"),
            (SCHEDULER, {"timestep_spacing": "leading"}, "timestep_spacing is 'leading', must be 'trailing'"),
            (TRANSFORMER, {"auto_map": {"x": "y"}}, "auto_map"),
            (TRANSFORMER, {"custom": 1}, "unknown fields: custom"),
            (VAE, {"scaling_factor": -1}, "scaling_factor is -1"),
        ],
    )
    def test_a_folder_that_was_tampered_with_is_refused(
        self, published: Path, file: str, change_to: dict[str, Any], says: str
    ) -> None:
        change(published / file, **change_to)
        with pytest.raises(ModelRefused, match=says):
            load_generator(published)

    def test_its_own_pipeline_file_is_never_executed(self, published: Path) -> None:
        (published / "pipeline.py").write_text("raise SystemExit('executed')")
        assert isinstance(load_generator(published), DitGenerator)

    def test_it_is_opened_beside_its_base_model_and_so_is_the_base_model(self, made: Path, published: Path) -> None:
        base = load_base(load_manifest(made))
        assert open_generator(published, base).kind == "one_step"
        in_steps = open_generator(made, base, steps=3)
        assert (in_steps.kind, in_steps.network_evaluations) == ("many_steps", 6)
        assert isinstance(FAMILY.open_elsewhere(made, base, None, "cpu"), GuidedDdimSampler)
        with pytest.raises(ModelRefused, match="a one-step generator; it cannot be sampled in 2 steps"):
            open_generator(published, base, steps=2)

    def test_another_model_is_not_opened_beside_it(self, made: Path, published: Path, folder: Path) -> None:
        base = load_base(load_manifest(made))
        change(folder / SCHEDULER, beta_end=0.01)
        with pytest.raises(ModelRefused, match=r"beta_end is 0\.01, the base model's 0\.02"):
            open_generator(folder, base)
        change(published / "model_index.json", id2label=dict(enumerate("abcde")))
        with pytest.raises(ModelRefused, match="makes a, b, c, d, e; the base model goldfish, "):
            open_generator(published, base)
