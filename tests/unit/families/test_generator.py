"""The published generator: one network evaluation, the same image for the same seed, and a folder that stock diffusers
opens without any code of ours."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch

from sfd_core.errors import ModelRefused
from sfd_core.families.class_unet.generator import OneStepGenerator
from sfd_core.families.class_unet.network import ClassUnetScore
from sfd_core.families.images import from_uint8, noise_of, to_uint8
from sfd_core.families.loading import load_base
from sfd_core.families.protocol import LoadedBase
from sfd_core.families.sampling import SAMPLE_BATCH, UnknownConcept
from tests.support.alone import sampled_by_stock_diffusers
from tests.support.tiny_model import CONCEPTS, make_tiny_model

T_INIT = 440


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> LoadedBase:
    return load_base(make_tiny_model(tmp_path_factory.mktemp("models") / "tiny"))


@pytest.fixture(scope="module")
def generator(base: LoadedBase) -> OneStepGenerator:
    return OneStepGenerator.of(base.network, base.schedule, T_INIT, base.model)


@pytest.fixture(scope="module")
def folder(generator: OneStepGenerator, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("published") / "generator"
    generator.save(path)
    return path


def test_it_is_the_trainers_formula(base: LoadedBase, generator: OneStepGenerator) -> None:
    """x = f_theta(b_tinit z, t_init, c), clipped."""
    z, c = noise_of(range(6), (1, 8, 8)), torch.tensor([0, 1, 2, 3, 0, 1])
    with torch.no_grad():
        f_theta = ClassUnetScore(base.network, base.schedule)
        x = f_theta(base.schedule.b[T_INIT] * z, torch.full((6,), T_INIT), c).clamp(-1, 1)
        ours = generator.pipe.denoise(z, c, output_type="pt").images
    torch.testing.assert_close(ours, x, atol=1e-5, rtol=1e-5)


def test_one_network_evaluation_an_image(generator: OneStepGenerator) -> None:
    calls = []
    hook = generator.pipe.unet.register_forward_hook(lambda *_: calls.append(1))
    generator.sample("red", SAMPLE_BATCH, seed=0)
    hook.remove()
    assert len(calls) == 1


@pytest.mark.parametrize("threads", [1, 2])
def test_image_i_depends_on_seed_and_i_alone(generator: OneStepGenerator, threads: int) -> None:
    torch.set_num_threads(threads)
    many = generator.sample("blue", 40, seed=100)
    for i in (0, 1, 15, 16, 39):
        assert np.array_equal(generator.sample("blue", 1, seed=100 + i)[0], many[i]), i
    assert np.array_equal(generator.sample("blue", 17, seed=100), many[:17])
    assert not np.array_equal(many[0], many[1])


def test_a_saved_generator_gives_the_same_bytes(generator: OneStepGenerator, folder: Path) -> None:
    again = OneStepGenerator.load(folder)
    assert again.concepts == CONCEPTS
    assert np.array_equal(again.sample("grey", 5, seed=3), generator.sample("grey", 5, seed=3))


def test_stock_diffusers_opens_the_folder_without_our_code(
    generator: OneStepGenerator, folder: Path, tmp_path: Path
) -> None:
    theirs = sampled_by_stock_diffusers(folder, tmp_path)
    ours = [from_uint8(generator.sample(concept, 1, seed)) for concept, seed in (("red", 7), ("blue", 8))]
    # Half a grey level of 255: ours were rounded to bytes.
    np.testing.assert_allclose(theirs, torch.cat(ours).numpy(), atol=1 / 255 + 1e-5)


def test_an_unknown_concept_lists_the_known_ones(generator: OneStepGenerator) -> None:
    with pytest.raises(UnknownConcept, match="unknown concept 'pink'; known: red, green, blue, grey"):
        generator.sample("pink", 1, 0)


def test_bytes_and_floats_are_inverse() -> None:
    every = np.arange(256, dtype=np.uint8).reshape(1, 16, 16)
    assert np.array_equal(to_uint8(from_uint8(every)), every)


@pytest.mark.parametrize(
    ("file", "change", "says"),
    [
        ("model_index.json", {"_class_name": "Evil"}, "not the folder of a class-conditional generator"),
        ("model_index.json", {"id2label": ["a"]}, "not the folder"),
        ("scheduler/scheduler_config.json", {"_class_name": "DDPMScheduler"}, "must be 'EulerDiscreteScheduler'"),
        ("unet/config.json", {"auto_map": {"x": "y"}}, "auto_map"),
        ("unet/config.json", {"_class_name": "Other"}, "must be 'UNet2DModel'"),
        ("unet/config.json", {"custom": 1}, "unknown fields: custom"),
        ("unet/config.json", {"in_channels": 2}, "out_channels is 1, must be 2, as in_channels"),
        ("unet/config.json", {"block_out_channels": "x"}, "no UNet2DModel can be built"),
    ],
)
def test_a_folder_that_was_tampered_with_is_refused(
    generator: OneStepGenerator, tmp_path: Path, file: str, change: dict[str, object], says: str
) -> None:
    generator.save(tmp_path)
    path = tmp_path / file
    path.write_text(json.dumps(json.loads(path.read_text()) | change))
    with pytest.raises(ModelRefused, match=says):
        OneStepGenerator.load(tmp_path)


def test_its_own_pipeline_file_is_never_executed(generator: OneStepGenerator, tmp_path: Path) -> None:
    generator.save(tmp_path)
    (tmp_path / "pipeline.py").write_text("raise SystemExit('executed')")
    OneStepGenerator.load(tmp_path)
