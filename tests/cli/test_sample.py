"""``lethe sample``: a folder here and the service's own sampler give the same pixels for the same seed."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from PIL import Image

from client import InvalidRequest, Lethe
from tests.cli.conftest import Command
from tests.cli.service import CONCEPTS, Service, claim, publish
from tests.support.workers import working


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A generator with a small random network: what is drawn does not matter here."""
    import torch
    from diffusers import EulerDiscreteScheduler, UNet2DModel

    from sfd_core.families.class_unet.generator import OneStepGenerator
    from sfd_core.families.class_unet.pipeline import ClassConditionalPipeline

    torch.manual_seed(0)
    unet = UNet2DModel(
        sample_size=8,
        in_channels=1,
        out_channels=1,
        layers_per_block=1,
        block_out_channels=(8, 16),
        norm_num_groups=4,
        down_block_types=("DownBlock2D", "DownBlock2D"),
        up_block_types=("UpBlock2D", "UpBlock2D"),
        num_class_embeds=len(CONCEPTS),
    )
    scheduler = EulerDiscreteScheduler(num_train_timesteps=441, timestep_spacing="trailing", steps_offset=1)
    labels = {str(i): concept for i, concept in enumerate(CONCEPTS)}
    target = tmp_path_factory.mktemp("generator") / "folder"
    OneStepGenerator(ClassConditionalPipeline(unet, scheduler, labels), 440).save(target)
    return target


@pytest.fixture(scope="module")
def sampler(api: Service, tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """The service's sampler, as a process of its own."""
    with working("sample", api.settings, tmp_path_factory.mktemp("sampler")):
        yield


@pytest.fixture
def generator(sampler: None, api: Service, lethe: Lethe, folder: Path) -> str:
    """The id of the same generator, published."""
    job = lethe.submit("fashion", {"Sneaker": "Sandal"}, images=640)
    published = publish(api, claim(api.store, job.id), generator=folder)
    assert published.generator_id is not None
    return published.generator_id


def test_a_folder_and_the_service_agree(
    run: Command, lethe: Lethe, generator: str, folder: Path, tmp_path: Path
) -> None:
    lethe_images = lethe.sample(generator, "Bag", n=5, seed=7)
    for source, out in ((generator, tmp_path / "service"), (str(folder), tmp_path / "here")):
        for target in (out, out / "grid.png"):
            result = run("sample", source, "--concept", "Bag", "-n", "5", "--seed", "7", "--out", str(target))
            assert (result.exit_code, result.stdout) == (0, f"wrote {target}: 5 of Bag, seed 7\n"), result.stderr
    names = [f"{i:04}.png" for i in range(5)] + ["grid.png"]
    here, service = ({path.name: path.read_bytes() for path in (tmp_path / d).iterdir()} for d in ("here", "service"))
    assert sorted(here) == names
    for name in names:
        with Image.open(tmp_path / "here" / name) as own, Image.open(tmp_path / "service" / name) as served:
            assert own.tobytes() == served.tobytes()
            assert (served.info["Lethe-Generator"], "Lethe-Generator" in own.info) == (generator, False)
    assert [service[name] for name in names[:5]] == lethe_images
    assert len(set(lethe_images)) == 5


def test_an_image_depends_on_its_seed_alone(lethe: Lethe, generator: str) -> None:
    """Also where it takes two requests to draw them all."""
    many = lethe.sample(generator, "Bag", n=66, seed=100)
    assert many[40:43] == lethe.sample(generator, "Bag", n=3, seed=140)
    assert many[64:] == lethe.sample(generator, "Bag", n=2, seed=164)


def test_an_unknown_concept(run: Command, lethe: Lethe, generator: str, folder: Path, tmp_path: Path) -> None:
    for source in (generator, str(folder)):
        result = run("sample", source, "--concept", "Shoe", "--out", str(tmp_path / "grid.png"))
        assert (result.exit_code, result.stdout) == (2, "")
        assert "unknown concept 'Shoe'; known: T-shirt" in " ".join(result.stderr.replace("│", " ").split())
    assert list(tmp_path.iterdir()) == []
    with pytest.raises(InvalidRequest, match="/concept: "):
        lethe.sample(generator, "Shoe")


def test_a_folder_that_is_no_generator(run: Command, tmp_path: Path) -> None:
    result = run("sample", str(tmp_path), "--concept", "Bag", "--out", str(tmp_path / "grid.png"))
    assert (result.exit_code, result.stdout) == (2, "")
    assert "model_index.json" in result.stderr
    assert list(tmp_path.iterdir()) == []


def test_a_sheet_has_its_limit(lethe: Lethe, generator: str) -> None:
    with pytest.raises(InvalidRequest, match="/n: "):
        lethe.sample_grid(generator, "Bag", n=65)
