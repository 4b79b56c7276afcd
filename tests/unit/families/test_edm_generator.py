"""A published EDM generator: the trainer's formula in one step of a stock scheduler, in a folder that stock diffusers
opens without our code; and the base model at its own sampler."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from diffusers import EDMEulerScheduler

from sfd_core.base_model.layout import INDEX, SCHEDULER
from sfd_core.errors import ModelRefused
from sfd_core.families.class_unet.generator import OneStepGenerator
from sfd_core.families.class_unet.network import ClassUnetScore
from sfd_core.families.images import from_uint8, noise_of, to_uint8
from sfd_core.families.loading import load_base, load_generator
from sfd_core.families.protocol import ClassGenerator, LoadedBase
from sfd_core.families.registry import family_of
from tests.support.alone import sampled_by_stock_diffusers
from tests.support.tiny_model import make_tiny_edm_model, make_tiny_song_model

START = 2.5
FAMILY = family_of("edm")


@pytest.fixture(scope="module", params=["epsilon", "v_prediction", "song"])
def base(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> LoadedBase:
    folder = tmp_path_factory.mktemp("models")
    if request.param == "song":
        return load_base(make_tiny_song_model(folder))
    return load_base(make_tiny_edm_model(folder, prediction_type=request.param))


@pytest.fixture(scope="module")
def generator(base: LoadedBase) -> OneStepGenerator:
    made = FAMILY.generator(base.network, base, START)
    assert isinstance(made, OneStepGenerator)
    return made


@pytest.fixture(scope="module")
def folder(generator: OneStepGenerator, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("published") / "generator"
    generator.save(path)
    return path


def test_it_is_the_trainers_formula(base: LoadedBase, generator: OneStepGenerator) -> None:
    z, c = noise_of(range(6), (1, 8, 8)), torch.tensor([0, 1, 2, 3, 0, 1])
    with torch.no_grad():
        x = ClassUnetScore(base.network, base.schedule)(START * z, torch.full((6,), START), c).clamp(-1, 1)
        ours = generator.pipe.denoise(z, c, output_type="pt").images
    torch.testing.assert_close(ours, x, atol=1e-5, rtol=1e-5)


def test_a_saved_generator_is_found_to_be_of_the_family(generator: OneStepGenerator, folder: Path) -> None:
    again = load_generator(folder)
    assert isinstance(again, ClassGenerator)
    assert (again.start, again.concepts) == (START, generator.concepts)
    assert np.array_equal(again.sample_labels([3] * 5, range(5)), generator.sample_labels([3] * 5, range(5)))
    kind, index = type(generator.network).__name__, json.loads((folder / INDEX).read_text())
    own = {"UNet2DModel": set(), "SongUNet": {"unet/song_unet.py"}}[kind]
    assert index["unet"] == ["song_unet" if own else "diffusers", kind]
    assert set(FAMILY.files(folder)) == own | {
        "model_index.json",
        "pipeline.py",
        "scheduler/scheduler_config.json",
        "unet/config.json",
        "unet/diffusion_pytorch_model.safetensors",
    }


def test_stock_diffusers_opens_the_folder_without_our_code(
    generator: OneStepGenerator, folder: Path, tmp_path: Path
) -> None:
    theirs = sampled_by_stock_diffusers(folder, tmp_path)
    ours = [from_uint8(generator.sample(concept, 1, seed)) for concept, seed in (("red", 7), ("blue", 8))]
    np.testing.assert_allclose(theirs, torch.cat(ours).numpy(), atol=1 / 255 + 1e-5)


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"_class_name": "EulerDiscreteScheduler"}, "_class_name must be 'EDMEulerScheduler'"),
        ({"sigma_max": 0.001}, "sigma_min is 0.002, must be below sigma_max"),
        (
            {"final_sigmas_type": "sigma_min"},
            "final_sigmas_type is 'sigma_min', must be 'zero'",
        ),
        ({"sigma_schedule": "exponential", "rho": 5}, "sigma_schedule is 'exponential', must be 'karras'"),
        ({"sigma_data": 0, "rho": None}, "sigma_data is 0, must be a number above 0, at most 10000; rho is None"),
    ],
)
def test_a_folder_whose_only_step_is_another_is_refused(
    folder: Path, tmp_path: Path, change: dict[str, Any], says: str
) -> None:
    load_generator(folder).save(tmp_path)
    path = tmp_path / SCHEDULER
    path.write_text(json.dumps(json.loads(path.read_text()) | change))
    with pytest.raises(ModelRefused) as refused:
        load_generator(tmp_path)
    assert says in str(refused.value)


def test_no_python_of_a_folder_is_executed(generator: OneStepGenerator, folder: Path, tmp_path: Path) -> None:
    shutil.copytree(folder, tmp_path, dirs_exist_ok=True)
    for path in tmp_path.rglob("*.py"):
        path.write_text("raise SystemExit('executed')")
    assert np.array_equal(load_generator(tmp_path).sample_labels([0], [1]), generator.sample_labels([0], [1]))


def test_a_folder_of_its_own_is_opened_beside_the_base_model(base: LoadedBase, folder: Path) -> None:
    """As a generator that was made elsewhere, and as the untouched network in many steps."""
    one = FAMILY.open_elsewhere(folder, base, None, "cpu")
    assert np.array_equal(one.sample_labels([2], [5]), load_generator(folder).sample_labels([2], [5]))
    many = FAMILY.open_elsewhere(base.model.folder, base, 3, "cpu")
    assert np.array_equal(many.sample_labels([2], [5]), FAMILY.base_sampler(base, "cpu", 3).sample_labels([2], [5]))


def test_the_sampler_is_stock_diffusers(base: LoadedBase) -> None:
    """Euler's steps over Karras' levels, written out."""
    label, seeds, steps = 2, [5, 6], 4
    sampler = FAMILY.base_sampler(base, "cpu", steps)
    ours = sampler.sample_labels([label] * 2, seeds)
    stock: Any = EDMEulerScheduler.from_pretrained(base.model.folder / "scheduler")
    stock.set_timesteps(steps)
    x, sd = noise_of(seeds, (1, 8, 8)) * (80**2 + 1) ** 0.5, 0.5
    sign = -1 if stock.config.prediction_type == "v_prediction" else 1
    for i, sigma in enumerate(stock.sigmas[:-1]):
        with torch.no_grad():
            spread, c = (sigma**2 + sd**2).sqrt(), torch.full((2,), label)
            out = sign * base.network(x / spread, sigma.log() / 4, class_labels=c).sample
        x0 = sd**2 / spread**2 * x + sigma * sd / spread * out
        x = x + (stock.sigmas[i + 1] - sigma) * (x - x0) / sigma
    assert np.abs(ours.astype(int) - to_uint8(x).astype(int)).max() <= 1
    assert ours.std() > 1
    assert (sampler.steps, sampler.network_evaluations) == (steps, steps)
    assert FAMILY.base_sampler(base, "cpu").steps == 4, "as its manifest says"
