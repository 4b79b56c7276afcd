"""What a job's training takes, counted before anything is loaded, beside what networks really have and a process really
took."""

from __future__ import annotations

import dataclasses
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch

from benchmarks.memory import counted
from benchmarks.shared.bench import SETTINGS, Bench, Setting
from benchmarks.shared.experiment import CPU
from benchmarks.shared.sd15 import SHAPES
from jobs.settings import BUNDLED_MODELS
from sfd_core.base_model.weight_shapes import MAX_HEADER_BYTES, weight_shapes
from sfd_core.families.loading import load_base
from sfd_core.families.memory import STEP_SHARE, Kept, Sizes, kept, memory_needed, training_bytes
from sfd_core.families.registry import describe, load_manifest, recipe_of, unfetched
from sfd_core.request.recipe import Recipe
from sfd_core.training.state import start
from tests.support.tiny_model import make_tiny_model
from tests.support.tiny_text_model import make_tiny_text_model

SMALL = SHAPES["small"].trained


@pytest.mark.parametrize("setting", SETTINGS, ids=lambda setting: setting.name)
def test_what_is_kept_is_what_a_step_keeps(setting: Setting) -> None:
    """Counted by the storages that real networks, optimisers and gradients have after two steps."""
    bench = Bench(setting, 2, 1, CPU, SMALL)
    for _ in range(2):
        bench.step()
    shapes = {name: tuple(weight.shape) for name, weight in bench.base_model.named_parameters()}
    sizes = Sizes.of(shapes, describe(SMALL.family).adapters)
    assert kept(sizes, bench.recipe) == Kept(*bench.kept())


@pytest.mark.parametrize("name", ["fashion", "emoji", "emoji_flow", "fashion_edm"])
def test_headers_say_what_is_loaded(name: str) -> None:
    model = load_manifest(BUNDLED_MODELS / name)
    base = load_base(model)
    sizes = Sizes.of_model(model)
    assert sizes is not None
    assert sizes.network == sum(weight.numel() for weight in base.network.state_dict().values())
    assert (sizes.adapter > 0) == (sizes.beside > 0) == describe(model.family).takes_prompts


@pytest.mark.parametrize("deep", [0, 1])
@pytest.mark.parametrize("rank", [(0, 0), (2, 0), (0, 2), (2, 2)])
def test_a_pair_that_is_shipped_has_weights_of_its_own(rank: tuple[int, int], deep: float) -> None:
    """By a state that is started from the bundled pair, each storage once."""
    model = load_manifest(BUNDLED_MODELS / "emoji")
    adapters = {"lora_rank_generator": rank[0], "lora_rank_fake_score": rank[1], "deep_weight": deep}
    recipe = recipe_of(model.family, model.recipe, adapters)
    base = load_base(model)
    state = start(base, recipe, 0, CPU)
    networks = (base.network, state.generator, state.fake_score, state.average)
    weights = {w.untyped_storage()._cdata: w.nbytes for net in networks for w in net.parameters()}
    sizes = Sizes.of_model(model)
    assert sizes is not None
    theta_0 = 4 * sizes.network if deep else 0
    assert kept(sizes, recipe, distilled=True).weights == sum(weights.values()) + theta_0


@pytest.mark.slow
def test_the_need_is_a_lower_bound_of_every_counted_step() -> None:
    """A floor: no counted step takes less, whatever is trained."""
    for setting in SETTINGS:
        with torch.device("meta"):
            network = SMALL.network()
        sizes = Sizes.of({n: tuple(w.shape) for n, w in network.named_parameters()}, describe(SMALL.family).adapters)
        row = counted(setting, 1, SMALL)
        recipe = dataclasses.replace(
            describe(SMALL.family).recipe, precision=setting.precision, **setting.changes(SMALL.rank)
        )
        assert row.kept.total + STEP_SHARE * 4 * sizes.network <= row.peak
        assert training_bytes(sizes, recipe) <= row.peak


def test_what_is_not_here_is_not_known(tmp_path: Path) -> None:
    model = make_tiny_model(tmp_path)
    recipe = recipe_of(model.family)
    assert memory_needed(model, recipe) is not None
    assert memory_needed(unfetched("stable_diffusion", "hub:a/b@0", "B"), Recipe()) is None
    weights = tmp_path / "unet/diffusion_pytorch_model.safetensors"
    whole = weights.read_bytes()
    for broken in (whole[:100], (MAX_HEADER_BYTES + 1).to_bytes(8, "little"), b"\2\0\0\0\0\0\0\0[]", b""):
        weights.write_bytes(broken)
        assert memory_needed(model, recipe) is None
        with pytest.raises(ValueError, match="safetensors"):
            weight_shapes(weights)
    weights.unlink()
    assert memory_needed(model, recipe) is None


def test_text_models_count_what_stands_by(tmp_path: Path) -> None:
    model = make_tiny_text_model(tmp_path)
    sizes = Sizes.of_model(model)
    assert sizes is not None
    base: Any = load_base(model)
    beside = [base.text.autoencoder.vae, *(reader.encoder for reader in base.text.readers)]
    assert sizes.beside == pytest.approx(sum(w.numel() for net in beside for w in net.parameters()), rel=0.01)
    fp32 = training_bytes(sizes, recipe_of(model.family, None, {"precision": "fp32"}))
    assert training_bytes(sizes, recipe_of(model.family)) - fp32 == round(STEP_SHARE * 4 * sizes.network)


TRAIN = """
import json, sys
from pathlib import Path
from diffusers import UNet2DModel
from tests.support.tiny_model import make_tiny_model
from benchmarks.shared.experiment import Experiment

def network(classes):
    return UNet2DModel(
        sample_size=8, in_channels=1, out_channels=1, block_out_channels=(WIDTH,), layers_per_block=1,
        down_block_types=("DownBlock2D",), up_block_types=("UpBlock2D",), norm_num_groups=4,
        num_class_embeds=classes, add_attention=False,
    )
WIDTH = 8
body = {"forget": [{"concept": "red", "override": "blue"}], "budget": {"images": 16}}
body["recipe"] = {"batch": 2, "forgotten_share": 0.5, "deep_share": 0.5, "precision": "fp32"}
def most():
    # Not getrusage's, which also counts what the process that started this one had.
    status = dict(line.split(":") for line in Path("/proc/self/status").read_text().splitlines())
    return int(status["VmHWM"].split()[0]) * 1024
def run(name):
    experiment = Experiment.of(make_tiny_model(Path(sys.argv[1]) / name, network=network), body)
    steps = experiment.steps(experiment.start())
    for _ in range(3):
        next(steps)
    return experiment
run("small")  # what libraries and kernels take by themselves
before = most()
WIDTH = 384
experiment = run("large")
print(json.dumps(most() - before))
"""
"""Three steps of a network whose weights are nearly all that it takes, in a process of its own."""


@pytest.mark.skipif(sys.platform != "linux", reason="what a process had at the most is read from /proc")
@pytest.mark.slow
def test_a_process_takes_what_was_counted(tmp_path: Path) -> None:
    script = [sys.executable, "-c", TRAIN, str(tmp_path)]
    took = json.loads(subprocess.run(script, check=True, capture_output=True, text=True).stdout.splitlines()[-1])
    model = load_manifest(tmp_path / "large")
    recipe = recipe_of(model.family, None, {"batch": 2, "forgotten_share": 0.5, "precision": "fp32"})
    needed = memory_needed(model, recipe)
    assert needed is not None
    assert needed > 500e6, "large enough to be seen beside everything else"
    assert needed < took < 1.3 * needed, (needed, took)
