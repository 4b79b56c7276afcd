"""A folder that somebody has becomes a base model, or is refused with everything that is wrong with it."""

from __future__ import annotations

import json
import os
import shutil
import stat
from pathlib import Path

import numpy as np
import pytest
import torch
from diffusers import UNet2DConditionModel, UNet2DModel
from safetensors.torch import load_file, save_file

from sfd_core.adding.add import add_model
from sfd_core.adding.prospects import prospects
from sfd_core.adding.remove import remove_model
from sfd_core.adding.said import Said
from sfd_core.adding.writing import unfinished
from sfd_core.base_model import sources
from sfd_core.errors import ModelRefused
from sfd_core.evaluation.criteria import CRITERIA
from sfd_core.evaluation.judge import ImageJudge
from sfd_core.families.loading import load_base
from sfd_core.families.registry import Registered, registered
from tests.support.foreign import CARS, save_class_model, save_classifier
from tests.support.tiny_text_model import make_tiny_text_model


@pytest.fixture
def cars(tmp_path: Path) -> Path:
    save_class_model(tmp_path / "cars")
    return tmp_path / "cars"


@pytest.fixture
def classifier(tmp_path: Path) -> Path:
    save_classifier(tmp_path / "classifier")
    return tmp_path / "classifier"


@pytest.fixture
def models(tmp_path: Path) -> Path:
    return tmp_path / "models"


def test_the_networks_of_an_added_model_are_those_of_its_folder(cars: Path, models: Path, classifier: Path) -> None:
    (cars / "README.md").write_text("---\nlicense: cc0-1.0\n---\n# Cars\n")
    model = add_model(cars, models, Said(judges={"": classifier}, title="Cars, 8x8"))
    assert (model.name, model.title, model.license, model.family) == ("cars", "Cars, 8x8", "cc0-1.0", "class_unet")
    assert model.concepts == CARS
    assert (model.image.channels, model.image.height, model.image.width) == (3, 8, 8)
    assert model.judge is not None
    assert model.judge.accuracy is None
    assert model.judge.name == "ResNetForImageClassification of classifier"
    ours, theirs = load_base(model).network.state_dict(), UNet2DModel.from_pretrained(cars / "unet").state_dict()
    assert all(torch.equal(ours[name], value) for name, value in theirs.items())
    assert set(registered([models]).models) == {"cars"}
    assert sorted(model.files) == sorted(
        path.relative_to(model.folder).as_posix()
        for path in model.folder.rglob("*")
        if path.is_file() and path.name != "manifest.json"
    )


def test_without_a_judge_and_without_names(cars: Path, models: Path) -> None:
    model = add_model(cars, models, Said())
    assert model.concepts == ("0", "1", "2")
    assert (model.judge, model.reference) == (None, None)


def test_names_that_are_said(cars: Path, models: Path) -> None:
    assert add_model(cars, models, Said(concepts=("a", "b", "c"), name="letters")).concepts == ("a", "b", "c")


def test_names_that_the_pipeline_has(cars: Path, models: Path) -> None:
    names = {"0": "crane", "1": "crane", "2": "hen"}
    (cars / "model_index.json").write_text(json.dumps({"_class_name": "DDPMPipeline", "id2label": names}))
    assert add_model(cars, models, Said()).concepts == ("crane (0)", "crane (1)", "hen")


def test_cells_of_several_pixels(tmp_path: Path, models: Path) -> None:
    save_class_model(tmp_path / "cells", in_channels=4, out_channels=4)
    image = add_model(tmp_path / "cells", models, Said(patch=2)).image
    assert (image.channels, image.height, image.width, image.patch) == (1, 16, 16, 2)


def test_a_copy_stays_as_it_is_and_a_link_is_refused_once_its_file_changes(cars: Path, models: Path) -> None:
    copied, linked = add_model(cars, models, Said()), add_model(cars, models, Said(name="linked", link=True))
    file = cars / "unet/config.json"
    assert os.stat(linked.folder / "unet/config.json").st_ino == os.stat(file).st_ino
    with file.open("a") as stream:
        stream.write(" ")
    load_base(copied)
    with pytest.raises(ModelRefused, match=r"unet/config\.json: sha256 is"):
        load_base(linked)


def test_every_fault_is_listed_at_once(cars: Path, classifier: Path, models: Path) -> None:
    (cars / "unet/diffusion_pytorch_model.safetensors").unlink()
    for file, values in {
        cars / "unet/config.json": {"sample_size": None, "class_embed_type": "timestep"},
        cars / "scheduler/scheduler_config.json": {"beta_schedule": "cosine"},
        classifier / "config.json": {"architectures": ["ResNetModel"]},
    }.items():
        file.write_text(json.dumps({**json.loads(file.read_text()), **values}))
    with pytest.raises(ModelRefused) as refused:
        add_model(cars, models, Said(name="a/b", judges={"": classifier}, second_judges={"": classifier}))
    for said in (
        "'a/b' is no name",
        "no such file, nor a variant of it",
        "sample_size is None",
        "class_embed_type is 'timestep'",
        "beta_schedule is 'cosine'",
        "must name a network ...ForImageClassification",
        "the second judge is the judge",
    ):
        assert said in str(refused.value)


def test_a_name_that_is_taken(cars: Path, models: Path) -> None:
    with pytest.raises(ModelRefused, match="there is a base model 'cars' already"):
        add_model(cars, models, Said(), known=("cars", "fashion"))


def test_nothing_is_left_of_what_is_refused_and_of_what_was_killed(cars: Path, models: Path) -> None:
    (models / ".unfinished-killed/unet").mkdir(parents=True)
    (models / ".unfinished-killed/manifest.json").write_text("{}")
    assert registered([models]) == Registered({}, {})
    weights = cars / "unet/diffusion_pytorch_model.safetensors"
    weights.write_bytes(weights.read_bytes()[:-100])
    with pytest.raises(ModelRefused, match="not a readable safetensors file"):
        add_model(cars, models, Said())
    with unfinished(models) as folder:
        assert stat.S_ISDIR(folder.stat().st_mode)
    assert sorted(path.name for path in models.iterdir()) == [".lock"]


def test_weights_that_hold_nan_are_refused_and_leave_nothing(cars: Path, models: Path) -> None:
    unet = UNet2DModel.from_pretrained(cars / "unet")
    with torch.no_grad():
        unet.conv_out.bias.fill_(float("nan"))
    unet.save_pretrained(cars / "unet")
    with pytest.raises(ModelRefused, match=r"conv_out\.bias holds NaN"):
        add_model(cars, models, Said())
    assert sorted(path.name for path in models.iterdir()) == [".lock"]


def test_a_refusal_names_what_people_have(cars: Path, classifier: Path, models: Path) -> None:
    """And not the copy that is gone by then."""
    network, judge = cars / "unet/diffusion_pytorch_model.safetensors", classifier / "model.safetensors"
    for file, name in ((network, "conv_out.bias"), (judge, "classifier.1.bias")):
        weights = load_file(file)
        save_file({**weights, name: weights[name] * torch.nan}, file, {"format": "pt"})
    with pytest.raises(ModelRefused) as refused:
        add_model(cars, models, Said(judges={"": classifier}))
    assert f"{network}: conv_out.bias holds NaN" in str(refused.value)
    assert f"{judge}: classifier.1.bias holds NaN" in str(refused.value)
    assert str(models) not in str(refused.value)


@pytest.mark.parametrize("umask", [0o022, 0o027])
def test_whoever_the_umask_lets_in_may_read_a_model(cars: Path, models: Path, umask: int) -> None:
    """Of parts that became one file too, which safetensors writes for its owner alone."""
    network = UNet2DModel.from_pretrained(cars / "unet")
    shutil.rmtree(cars / "unet")
    network.save_pretrained(cars / "unet", max_shard_size="3KB")
    before = os.umask(umask)
    try:
        model = add_model(cars, models, Said())
    finally:
        os.umask(before)
    modes = {stat.S_IMODE(path.stat().st_mode) for path in model.folder.rglob("*") if path.is_file()}
    folders = {stat.S_IMODE(path.stat().st_mode) for path in (model.folder, *model.folder.rglob("*")) if path.is_dir()}
    assert (modes, folders) == ({0o666 & ~umask}, {0o777 & ~umask})


@pytest.mark.parametrize("text", [False, True])
def test_a_network_that_loads_and_does_not_run(
    cars: Path, models: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: bool
) -> None:
    def fail(*_: object, **__: object) -> None:
        raise RuntimeError("shapes that do not fit")

    if text:
        make_tiny_text_model(tmp_path / "words")
        (tmp_path / "words/manifest.json").unlink()
    monkeypatch.setattr(UNet2DConditionModel if text else UNet2DModel, "forward", fail)
    with pytest.raises(ModelRefused, match="its network does not run: shapes that do not fit"):
        add_model(tmp_path / "words" if text else cars, models, Said())


def test_weights_in_parts_that_are_more_than_one_file_may_be(
    cars: Path, models: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    network = UNet2DModel.from_pretrained(cars / "unet")
    shutil.rmtree(cars / "unet")
    network.save_pretrained(cars / "unet", max_shard_size="3KB")
    size = sum(path.stat().st_size for path in (cars / "unet").glob("*.safetensors"))
    monkeypatch.setattr(sources, "MAX_WEIGHTS_BYTES", size - 1)
    with pytest.raises(ModelRefused, match=f"unet: weights of {size} bytes; at most {size - 1} are read"):
        add_model(cars, models, Said())
    monkeypatch.setattr(sources, "MAX_WEIGHTS_BYTES", size)
    add_model(cars, models, Said())


def test_a_judge_that_knows_other_things(cars: Path, models: Path, tmp_path: Path) -> None:
    save_classifier(tmp_path / "animals", ("cat", "dog", "van"))
    with pytest.raises(ModelRefused, match="it lacks sedan, truck and it has cat, dog"):
        add_model(cars, models, Said(judges={"": tmp_path / "animals"}, concepts=CARS))


def test_a_judge_that_has_the_names_in_another_order(cars: Path, models: Path, tmp_path: Path) -> None:
    """It says the same of an image as one whose labels are in the model's order."""
    save_classifier(tmp_path / "judge", CARS)
    save_classifier(tmp_path / "turned", ("van", "sedan", "truck"))  # the same weights under other names
    straight, turned = (
        ImageJudge.load(add_model(cars, models, Said(name=name, judges={"": tmp_path / name}, concepts=CARS)))
        for name in ("judge", "turned")
    )
    images = np.random.default_rng(0).integers(0, 256, (4, 8, 8, 3), dtype=np.uint8)
    ours, theirs = turned.judge(images).probabilities, straight.judge(images).probabilities
    np.testing.assert_allclose(ours, theirs[:, [1, 2, 0]], rtol=1e-5)


def test_a_judge_of_coloured_images_looks_at_grey_ones(tmp_path: Path, classifier: Path, models: Path) -> None:
    save_class_model(tmp_path / "grey", in_channels=1, out_channels=1)
    judge = ImageJudge.load(add_model(tmp_path / "grey", models, Said(judges={"": classifier})))
    assert judge.judge(np.zeros((2, 8, 8), np.uint8)).probabilities.shape == (2, 3)


def test_a_judge_of_grey_images_does_not_look_at_coloured_ones(cars: Path, models: Path, tmp_path: Path) -> None:
    save_classifier(tmp_path / "grey", channels=1)
    with pytest.raises(ModelRefused, match="the judge sees 1 channels, images have 3"):
        add_model(cars, models, Said(judges={"": tmp_path / "grey"}))


def test_what_can_be_decided_with_what_is_at_hand(cars: Path, models: Path, classifier: Path) -> None:
    (alone,) = prospects(add_model(cars, models, Said(name="alone")))
    assert set(alone.undecided) == set(CRITERIA)
    assert "inconclusive alone" in next(alone.lines())
    (clip,) = prospects(add_model(cars, models, Said(name="clip")), clip=True)
    (judged,) = prospects(add_model(cars, models, Said(name="judged", judges={"": classifier})))
    for one in (clip, judged):
        assert set(one.undecided) == {"frechet_distance_ratio"}
        assert "pass is not" in next(one.lines())
    assert any("measure judged" in note for note in judged.notes)


def test_a_model_goes_and_one_that_came_with_lethe_does_not(cars: Path, models: Path, tmp_path: Path) -> None:
    model = add_model(cars, models, Said())
    with pytest.raises(ModelRefused, match="it is not removed"):
        remove_model(model.folder, tmp_path)
    remove_model(model.folder, models)
    assert sorted(path.name for path in models.iterdir()) == [".lock"]
    assert load_file(cars / "unet/diffusion_pytorch_model.safetensors")
