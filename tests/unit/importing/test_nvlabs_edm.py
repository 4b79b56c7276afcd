"""Networks of NVlabs/edm: imported, they draw what a second implementation draws of the same weights, and nothing of
the file is run; every other form of them is refused in words."""

from __future__ import annotations

import io
import json
import pickle
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from sfd_core.adding.add import add_model
from sfd_core.adding.said import Said
from sfd_core.base_model.manifest import BaseModel
from sfd_core.base_model.verifying import verify_files
from sfd_core.errors import ModelRefused
from sfd_core.families.edm.scheduler_config import EdmConfig, read_edm_scheduler
from sfd_core.families.edm.song.network import load_song_unet
from sfd_core.families.loading import load_base
from sfd_core.families.registry import load_manifest, recipe_of
from sfd_core.importing.importer import Imported, import_checkpoint
from sfd_core.importing.layout import Choices
from sfd_core.importing.layouts.nvlabs_edm import find
from sfd_core.training.state import start
from tests.support.song import FILTER, Weights, predicted, random_weights, shapes
from tests.unit.importing.edm_like import network, opened_as_a_pickle, saved, snapshot

TINY = shapes(width=8, multipliers=[1, 2], attends=[8], classes=4, size=16, blocks=1, channels=3)
PUBLISHED = shapes(width=128, multipliers=[2, 2, 2], attends=[16], classes=10, size=32, blocks=4, channels=3)
CIFAR10 = {
    "_class_name": "SongUNet",
    "sample_size": 32,
    "in_channels": 3,
    "out_channels": 3,
    "num_class_embeds": 10,
    "model_channels": 128,
    "channel_mult": [2, 2, 2],
    "channel_mult_emb": 4,
    "num_blocks": 4,
    "attn_resolutions": [16],
}


def tiny(seed: int = 0) -> Weights:
    """Of the architecture at a tiny width, with the weights of augmentation labels."""
    return {**random_weights(TINY, seed), "map_augment.weight": torch.ones(8, 9)}


def wrapped(value: Any) -> dict[str, Any]:
    """As the training of NVlabs/edm saves it."""
    return {"ema": value, "loss_fn": None, "augment_pipe": None, "dataset_kwargs": {"path": "x", "resolution": 32}}


def imported(path: Path, out: Path, **choices: Any) -> Imported:
    return import_checkpoint(path, out, None, Choices(**choices))


def of_torch(value: Any) -> bytes:
    out = io.BytesIO()
    torch.save(value, out)
    return out.getvalue()


def prefixed(weights: Weights, prefix: str) -> Weights:
    return {f"{prefix}{name}": weight for name, weight in weights.items()}


@pytest.mark.parametrize(
    "write",
    [
        lambda weights: saved(wrapped(network(weights))),
        lambda weights: saved(network(weights)),
        lambda weights: of_torch(prefixed(weights, "model.")),
        lambda weights: of_torch({"ema": prefixed(weights, "module.model.")}),
        lambda weights: pickle.dumps(weights),
    ],
    ids=["a snapshot", "the network alone", "its state dict", "a state dict in a snapshot", "the inner one's"],
)
def test_the_network_is_the_same(tmp_path: Path, write: Any) -> None:
    """In whichever form it was saved; weights of augmentation labels add nothing."""
    weights, path = tiny(), tmp_path / "edm-cifar10-32x32-cond-vp.pkl"
    path.write_bytes(write(weights))
    done = imported(path, tmp_path / "out")
    assert done.base_model
    assert done.notes[0].startswith("16 x 16 pixels and 4 classes")
    assert "augmentation labels" in done.notes[1]
    unet = load_song_unet(tmp_path / "out/unet").eval()
    x, t, c = torch.randn(3, 3, 16, 16), torch.tensor([0.002, 2.5, 80.0]).log() / 4, torch.tensor([0, 3, 1])
    with torch.no_grad():
        ours = unet(x, t, c).sample
        elsewhere = unet(x, t, c.roll(1)).sample
    theirs = predicted(weights, x, t, c)
    assert theirs.std() > 0.1
    torch.testing.assert_close(ours.double(), theirs, rtol=1e-4, atol=1e-4)
    assert (elsewhere - ours).abs().max() > 1e-3, "the class is heard"
    assert read_edm_scheduler(tmp_path / "out") == EdmConfig()


def test_nothing_of_the_file_is_run(tmp_path: Path) -> None:
    canary, path = tmp_path / "ran", tmp_path / "a.pkl"
    path.write_bytes(saved(wrapped(network(tiny(), f"open({str(canary)!r}, 'w').close()"))))
    imported(path, tmp_path / "out")
    assert not canary.exists()
    opened_as_a_pickle(path.read_bytes())
    assert canary.exists(), "the control: NVlabs' own reader runs it"


def test_the_published_network_on_cifar10(tmp_path: Path) -> None:
    """``edm-cifar10-32x32-cond-vp.pkl``: its names and shapes, and the configuration that they make."""
    weights = {name: torch.zeros(shape) for name, shape in PUBLISHED.items()}
    filters = {
        f"{name.removesuffix('.weight')}.resample_filter": FILTER
        for name in weights
        if "_up.conv0.weight" in name or "_down.skip.weight" in name
    }
    found = find({"ema": prefixed({**weights, **filters}, "model.")}, "a.pkl", Choices()).base_model
    assert found is not None
    assert found.config == CIFAR10
    assert {name: tuple(weight.shape) for name, weight in found.weights.items()} == PUBLISHED
    assert sum(weight.numel() for weight in found.weights.values()) == 55_734_147


def test_the_preconditioning_is_the_networks_own(tmp_path: Path) -> None:
    path = tmp_path / "a.pkl"
    path.write_bytes(saved(wrapped(network(tiny(), sigma_data=np.float64(0.7)))))
    imported(path, tmp_path / "out")
    assert read_edm_scheduler(tmp_path / "out") == EdmConfig(sigma_data=0.7)
    for i, wrong in enumerate((0.0, float("nan"), "0.5", None, np.float32(0.5))):
        path.write_bytes(saved(wrapped(network(tiny(), sigma_data=wrong))))
        with pytest.raises(ModelRefused, match=r"sigma_data is .*, must be a finite number above 0"):
            imported(path, tmp_path / f"out-{i}")
    path.write_bytes(saved(wrapped(network(tiny(), sigma_data=1e5))))
    with pytest.raises(ModelRefused, match=r"sigma_data is 100000\.0, must be a number above 0, at most 10000"):
        imported(path, tmp_path / "far")


def added(tmp_path: Path) -> BaseModel:
    """A base model that was imported and added."""
    path = tmp_path / "base.pkl"
    path.write_bytes(saved(wrapped(network(tiny()))))
    imported(path, tmp_path / "out")
    return add_model(tmp_path / "out", tmp_path / "models", Said(name="song", steps=2))


def test_a_generator_of_sid_becomes_the_distilled_start(tmp_path: Path) -> None:
    """A snapshot of one is saved as that of a base model is: which it is, whoever imports it says."""
    model, path = added(tmp_path), tmp_path / "network-snapshot-1.200000-102400.pkl"
    path.write_bytes(saved({"ema": network(tiny(seed=1))}))
    done = import_checkpoint(path, None, model.folder, Choices())
    assert not done.base_model
    assert "no fake score" in done.notes[-1]
    model = load_manifest(model.folder)
    verify_files(model)
    assert model.distilled is not None
    assert (model.distilled.fake_score, model.distilled.t_init) == ("unet", 2.5)
    state = start(load_base(model), recipe_of(model.family, model.recipe), 0, torch.device("cpu"))
    assert torch.equal(state.generator.map_label.weight, tiny(seed=1)["map_label.weight"]), "a job starts there"
    assert torch.equal(state.fake_score.map_label.weight, tiny()["map_label.weight"])


@pytest.mark.parametrize("whole", [True, False])
def test_a_training_state_of_sid_has_the_fake_score_too(tmp_path: Path, whole: bool) -> None:
    """As its loop saves it, networks whole; or their state dicts."""
    model, path = added(tmp_path), tmp_path / "training-state-102400.pt"
    last, average, fake = (
        network(tiny(seed=seed)) if whole else prefixed(tiny(seed=seed), "model.") for seed in (1, 2, 3)
    )
    state = {"fake_score": fake, "G": last, "G_ema": average, "g_optimizer_state": {"state": {}, "param_groups": []}}
    path.write_bytes(saved(state, of_torch))
    for choice, seed in ((True, 2), (False, 1)):
        import_checkpoint(path, None, model.folder, Choices(moving_average=choice))
        distilled = load_manifest(model.folder).distilled
        assert distilled is not None
        for part, of in ((distilled.generator, seed), (distilled.fake_score, 3)):
            weight = load_song_unet(model.folder / part).map_layer0.weight
            assert torch.equal(weight, tiny(seed=of)["map_layer0.weight"])


def test_a_generator_of_other_images_is_refused(tmp_path: Path) -> None:
    model, path = added(tmp_path), tmp_path / "a.pkl"
    other = shapes(width=8, multipliers=[1, 2], attends=[8], classes=5, size=32, blocks=1, channels=3)
    path.write_bytes(pickle.dumps({"ema": random_weights(other)}))
    with pytest.raises(ModelRefused, match="sample_size is 32, the base model's 16; num_class_embeds is 5, the base"):
        import_checkpoint(path, None, model.folder, Choices())


def test_it_is_asked_which_it_is(tmp_path: Path) -> None:
    path = tmp_path / "a.pkl"
    path.write_bytes(saved(wrapped(network(tiny()))))
    with pytest.raises(ModelRefused) as refused:
        import_checkpoint(path, None, None, Choices())
    assert "a base model (--out: which folder it becomes), or a generator" in str(refused.value)
    with pytest.raises(ModelRefused, match="has the moving average alone"):
        imported(path, tmp_path / "out", moving_average=False)


def changed(**changes: Tensor | None) -> Weights:
    every: dict[str, Tensor | None] = {**tiny(), **changes}
    return {name: weight for name, weight in every.items() if weight is not None}


UNCONDITIONAL = {"map_label.weight": None, "map_label.bias": None}


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        (UNCONDITIONAL, r"it knows no classes \(no map_label\): those with classes are unlearned from"),
        ({"out_conv.weight": torch.zeros(3, 8, 3, 3)}, r"as that of a DhariwalUNet \(adm\)"),
        ({"map_noise.freqs": torch.zeros(8)}, r"embeds noise by random frequencies \(ncsnpp\)"),
        ({"enc.8x8_aux_residual.weight": torch.zeros(8, 3, 3, 3)}, r"carries the image along \(ncsnpp\)"),
        ({"enc.8x8_down.conv0.resample_filter": torch.full((1, 1, 4, 4), 1 / 16)}, "resamples by another filter"),
        ({"enc.8x8_down.conv0.resample_filter": torch.tensor([[[[1.0, 0], [0, 0]]]])}, "resamples by another filter"),
        ({"logvar": torch.zeros(5)}, "1 weights are not the network's, the first is logvar"),
        ({"dec.8x8_in0.qkv.bias": None}, r"the first is dec\.8x8_in0\.qkv\.bias"),
        ({"enc.8x8_block0.affine.weight": torch.zeros(32, 32)}, "has shape"),
        ({"enc.16x16_conv.weight": None}, r"has 0 weights named as enc\.32x32_conv\.weight is, must have one"),
        ({"enc.8x8_conv.weight": torch.zeros(8, 3, 3, 3)}, "has 2 weights named"),
        ({"enc.16x16_conv.weight": torch.zeros(0, 3, 3, 3)}, "model_channels is 1"),
        ({"enc.16x16_conv.weight": torch.zeros(8, 3)}, r"has no enc\.16x16_conv\.weight of 4 dimensions"),
        ({"dec.16x16_aux_conv.weight": None}, r"has no dec\.16x16_aux_conv\.weight of 4 dimensions"),
        ({"map_label.weight": torch.full((8, 4), torch.nan)}, "NaN or infinite"),
        ({"map_label.weight": torch.zeros(8, 1)}, "num_class_embeds is 1"),
        ({"map_layer0.weight": torch.zeros(32, 16)}, "has shape"),
    ],
)
def test_another_network_is_refused(tmp_path: Path, changes: Mapping[str, Tensor | None], said: str) -> None:
    path = tmp_path / "a.pt"
    path.write_bytes(of_torch(prefixed(changed(**changes), "model.")))
    with pytest.raises(ModelRefused, match=said):
        imported(path, tmp_path / "out")
    assert [entry.name for entry in tmp_path.iterdir()] == ["a.pt"], "nothing half done is left"


@pytest.mark.parametrize(
    ("how", "said"),
    [
        ({"names": ("VPPrecond", "SongUNet")}, "it is 'VPPrecond' around 'SongUNet', must be 'EDMPrecond' around"),
        ({"names": ("EDMPrecond", "DhariwalUNet")}, "it is 'EDMPrecond' around 'DhariwalUNet'"),
        ({"of_blocks": {"num_heads": 4}}, "num_heads of a block is 4.0, must be 0 or 1"),
        ({"of_blocks": {"skip_scale": 1}}, "skip_scale of a block is 1.0, must be 0.70710"),
        ({"of_blocks": {"skip_scale": np.float64(1)}}, "skip_scale of a block is 1.0"),
        ({"of_blocks": {"adaptive_scale": True}}, "adaptive_scale of a block is 1.0, must be False"),
        ({"of_blocks": {"num_heads": "one"}}, "num_heads of a block is None"),
    ],
)
def test_another_module_is_refused(tmp_path: Path, how: dict[str, Any], said: str) -> None:
    path = tmp_path / "a.pkl"
    path.write_bytes(saved(wrapped(network(tiny(), **how))))
    with pytest.raises(ModelRefused) as refused:
        imported(path, tmp_path / "out")
    assert said in str(refused.value)


def test_everything_that_differs_is_said_at_once(tmp_path: Path) -> None:
    weights = changed(**UNCONDITIONAL, **{"map_noise.freqs": torch.zeros(8)})
    path = tmp_path / "baseline-ffhq-64x64-uncond-ve.pkl"
    path.write_bytes(saved(wrapped(network(weights, names=("VEPrecond", "SongUNet"), of_blocks={"skip_scale": 1}))))
    with pytest.raises(ModelRefused) as refused:
        imported(path, tmp_path / "out")
    for said in ("'VEPrecond'", "skip_scale", "random frequencies", "no classes", "nothing of the file was run"):
        assert said in str(refused.value)


def test_a_network_of_other_weights_is_refused_and_its_source_is_not_run(tmp_path: Path) -> None:
    canary, path = tmp_path / "ran", tmp_path / "a.pkl"
    path.write_bytes(snapshot(f"open({str(canary)!r}, 'w').close()"))
    with pytest.raises(ModelRefused, match="it knows no classes"):
        imported(path, tmp_path / "out")
    assert not canary.exists()


def test_what_is_written_is_the_network_and_its_preconditioning(tmp_path: Path) -> None:
    (tmp_path / "a.pkl").write_bytes(saved(wrapped(network(tiny()))))
    imported(tmp_path / "a.pkl", tmp_path / "out")
    files = sorted(path.relative_to(tmp_path / "out").as_posix() for path in (tmp_path / "out").rglob("*.*"))
    assert files == ["scheduler/scheduler_config.json", "unet/config.json", "unet/diffusion_pytorch_model.safetensors"]
    said = json.loads((tmp_path / "out/scheduler/scheduler_config.json").read_text())
    assert said == {
        "_class_name": "EDMEulerScheduler",
        "sigma_min": 0.002,
        "sigma_max": 80.0,
        "sigma_data": 0.5,
        "prediction_type": "epsilon",
        "rho": 7.0,
        "sigma_schedule": "karras",
    }
