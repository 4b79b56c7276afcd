"""A first stage by the library's loop: kept with the model, gone on with where it was interrupted, and what a job then
starts from."""

from __future__ import annotations

from itertools import islice
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from sfd_core.adding.add import add_model
from sfd_core.adding.distilling import distil_model
from sfd_core.adding.said import Said
from sfd_core.base_model.manifest import BaseModel
from sfd_core.errors import InvalidRequest, ModelRefused
from sfd_core.families.loading import load_base
from sfd_core.families.registry import load_manifest, recipe_of
from sfd_core.training.state import start
from tests.support.foreign import save_class_model
from tests.support.tiny_text_model import make_tiny_text_model

RECIPE = {"batch": 8, "lr_generator": 1e-3, "lr_fake_score": 1e-3}


def added(folder: Path, name: str = "cars") -> BaseModel:
    if not (folder / "mine").exists():
        save_class_model(folder / "mine")
    return add_model(folder / "mine", folder / "models", Said(name=name, steps=2))


def pair(model: BaseModel) -> dict[str, torch.Tensor]:
    assert model.distilled is not None
    return load_file(model.folder / model.distilled.generator / "diffusion_pytorch_model.safetensors")


def test_a_job_starts_from_the_pair(tmp_path: Path) -> None:
    model = added(tmp_path)
    steps = list(distil_model(model, 24, tmp_path / "work", "cpu", RECIPE))
    after = load_manifest(model.folder)
    assert [step.images for step in steps] == [8, 16, 24]
    assert after.distilled is not None
    assert after.distilled.t_init == recipe_of("class_unet").t_init
    state = start(load_base(after), recipe_of("class_unet"), 0, torch.device("cpu"))
    assert all(torch.equal(state.generator.state_dict()[name], value.float()) for name, value in pair(after).items())
    assert not torch.equal(pair(after)["conv_out.weight"].float(), load_base(after).network.conv_out.weight)
    assert list((tmp_path / "work").glob("*")) == []


def test_its_jobs_have_the_settings_that_it_was_made_with(tmp_path: Path) -> None:
    model = added(tmp_path)
    list(distil_model(model, 8, tmp_path / "work", "cpu", {**RECIPE, "start": "distilled"}))
    after = load_manifest(model.folder)
    assert after.recipe == RECIPE
    list(distil_model(after, 8, tmp_path / "work", "cpu", {"ema": 0.5}))
    assert load_manifest(model.folder).recipe == {**RECIPE, "ema": 0.5}


def test_interrupted_it_comes_to_the_same(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sfd_core.adding.distilling.SECONDS", 0.0)
    whole, stopped = added(tmp_path, "whole"), added(tmp_path, "stopped")
    list(distil_model(whole, 24, tmp_path / "work", "cpu", RECIPE))
    assert [step.images for step in islice(distil_model(stopped, 24, tmp_path / "work", "cpu", RECIPE), 2)] == [8, 16]
    assert load_manifest(stopped.folder).distilled is None
    assert [step.images for step in distil_model(stopped, 24, tmp_path / "work", "cpu", RECIPE)] == [24]
    ours, theirs = (pair(load_manifest(model.folder)) for model in (stopped, whole))
    assert all(torch.equal(ours[name], value) for name, value in theirs.items())


def test_distilled_again_the_earlier_pair_goes(tmp_path: Path) -> None:
    model = added(tmp_path)
    list(distil_model(model, 8, tmp_path / "work", "cpu", RECIPE))
    first = load_manifest(model.folder)
    list(distil_model(first, 16, tmp_path / "work", "cpu", RECIPE))
    second = load_manifest(model.folder)
    assert second.distilled != first.distilled
    assert len(list(model.folder.glob("distilled-*"))) == 1
    load_base(second)


def test_a_setting_that_is_none(tmp_path: Path) -> None:
    with pytest.raises(InvalidRequest, match="/recipe/frobnicate"):
        next(distil_model(added(tmp_path), 8, tmp_path / "work", "cpu", {"frobnicate": 1}))


def test_a_text_model_whose_prompts_nothing_says(tmp_path: Path) -> None:
    with pytest.raises(ModelRefused, match="has no vocabulary"):
        next(distil_model(make_tiny_text_model(tmp_path / "text"), 8, tmp_path / "work", "cpu"))


def test_a_text_model_by_the_prompts_of_its_vocabulary(tmp_path: Path) -> None:
    model = make_tiny_text_model(tmp_path / "text", domains=True)
    assert [step.images for step in distil_model(model, 8, tmp_path / "work", "cpu")] == [4, 8]
    after = load_manifest(model.folder)
    assert after.distilled is not None
    assert after.distilled.generator.startswith("distilled-")
    load_base(after)
