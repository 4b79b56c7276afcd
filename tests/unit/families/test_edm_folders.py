"""Folders of EDM models: what is read, what is refused and in which words, and that times are noise levels."""

from __future__ import annotations

import dataclasses
import json
import math
import shutil
from pathlib import Path
from typing import Any

import pytest

from sfd_core.admission import admit
from sfd_core.base_model.layout import SCHEDULER
from sfd_core.base_model.manifest import BaseModel
from sfd_core.errors import FieldError, InvalidRequest, ModelRefused
from sfd_core.families.edm.parameterization import Edm
from sfd_core.families.edm.scheduler_config import EdmConfig, edm_config
from sfd_core.families.edm.schedulers import load_levels
from sfd_core.families.edm.times import check_levels
from sfd_core.families.loading import load_base
from sfd_core.families.protocol import LoadedBase
from sfd_core.families.registry import family_of, recipe_of
from sfd_core.families.scheduler_config import UnsupportedSchedule
from tests.support.tiny_model import make_tiny_edm_model, make_tiny_model

EULER: dict[str, Any] = {"_class_name": "EDMEulerScheduler"}
BODY = {"forget": [{"concept": "red", "override": "green"}], "budget": {"images": 64}}


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> BaseModel:
    return make_tiny_edm_model(tmp_path_factory.mktemp("models") / "tiny")


@pytest.fixture(scope="module")
def base(model: BaseModel) -> LoadedBase:
    return load_base(model)


@pytest.mark.parametrize(
    ("config", "says"),
    [
        ({"_class_name": "DDPMScheduler"}, "_class_name is 'DDPMScheduler'; the family edm has formulas for EDMEuler"),
        ({"_class_name": None}, "_class_name is None"),
        ({"_class_name": ["EDMEulerScheduler"]}, "_class_name is"),
        (EULER | {"sigma_min": 0}, "sigma_min is 0, must be a number above 0"),
        (EULER | {"sigma_min": 80}, "sigma_min is 80, must be below sigma_max, 80"),
        (EULER | {"sigma_max": math.inf}, "sigma_max is inf, must be a number above 0, at most 10000"),
        (EULER | {"sigma_max": math.nan}, "sigma_max is nan"),
        (EULER | {"sigma_max": "80"}, "sigma_max is '80'"),
        (EULER | {"sigma_data": True}, "sigma_data is True"),
        (EULER | {"sigma_data": -0.5}, "sigma_data is -0.5"),
        (EULER | {"sigma_schedule": "linear"}, "sigma_schedule is 'linear', must be karras or exponential"),
        (EULER | {"rho": 0}, "rho is 0, must be a finite number above 0"),
        (EULER | {"prediction_type": "sample"}, "prediction_type is 'sample', must be epsilon or v_prediction"),
        (EULER | {"prediction_type": []}, "prediction_type is []"),
    ],
)
def test_a_configuration_without_a_formula_is_refused(config: dict[str, Any], says: str) -> None:
    with pytest.raises(UnsupportedSchedule) as refused:
        edm_config(config)
    assert says in str(refused.value)


def test_every_fault_is_told_at_once(tmp_path: Path) -> None:
    (tmp_path / "scheduler").mkdir()
    wrong = {"sigma_min": -1, "sigma_data": None, "rho": "seven", "prediction_type": "flow"}
    (tmp_path / SCHEDULER).write_text(json.dumps(EULER | wrong))
    with pytest.raises(ModelRefused) as refused:
        load_levels(tmp_path)
    assert all(f"{name} is " in str(refused.value) for name in wrong)
    assert str(tmp_path / SCHEDULER) in str(refused.value)


def test_it_is_loaded_as_its_files_say(tmp_path: Path) -> None:
    base = load_base(make_tiny_edm_model(tmp_path / "a", sigma_data=0.7, sigma_max=50.0))
    assert base.schedule == Edm(EdmConfig(sigma_data=0.7, sigma_max=50.0))


def test_a_model_of_another_family_is_not_taken_for_one(tmp_path: Path) -> None:
    """The same files under the other family's name."""
    for family, made, says in (
        ("edm", make_tiny_model(tmp_path / "ddpm"), "the family edm has formulas for EDMEulerScheduler"),
        ("class_unet", make_tiny_edm_model(tmp_path / "edm"), "an EDM scheduler"),
    ):
        with pytest.raises(ModelRefused, match=says):
            load_base(dataclasses.replace(made, family=family))


def test_the_published_settings_are_the_familys(model: BaseModel) -> None:
    recipe = recipe_of("edm")
    assert (recipe.t_init, recipe.t_min, recipe.t_max, recipe.alpha) == (2.5, 0.002, 24.4, 1.2)
    high, low = 80 ** (1 / 7), 0.002 ** (1 / 7)
    assert (high + (1 - 0.8) * (low - high)) ** 7 == pytest.approx(24.4, rel=2e-3)
    assert admit(BODY, model).request.recipe == recipe


def test_times_that_are_no_levels_of_the_model_are_refused(model: BaseModel) -> None:
    with pytest.raises(InvalidRequest) as refused:
        admit(BODY | {"recipe": {"t_init": 440, "t_min": 0.001, "t_max": 712}}, model)
    assert refused.value.errors == (
        FieldError("/recipe/t_init", "must be a noise level (sigma), above 0.002 and at most 80, not 440"),
        FieldError("/recipe/t_min", "must be a noise level (sigma), from 0.002 to 80, not 0.001"),
        FieldError("/recipe/t_max", "must be a noise level (sigma), from 0.002 to 80, not 712"),
    )
    with pytest.raises(InvalidRequest, match=r"above 0\.002 and at most 80, not 0\.002"):
        admit(BODY | {"recipe": {"t_init": 0.002}}, model)
    admit(BODY | {"recipe": {"t_init": 80, "t_max": 80}}, model)


def test_where_no_scheduler_can_be_read_loading_says_why(model: BaseModel, tmp_path: Path) -> None:
    recipe = recipe_of("edm", {"t_init": 440})
    check_levels(recipe, dataclasses.replace(model, files={}))
    check_levels(recipe, dataclasses.replace(model, folder=tmp_path))


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({}, ""),
        ({"sigma_min": 0.01, "sigma_max": 50.0, "rho": 5.0}, ""),
        ({"sigma_data": 1.0, "prediction_type": "v_prediction"}, "sigma_data is 1.0, the base model's 0.5; prediction"),
        ({"_class_name": "DDPMScheduler"}, "_class_name is 'DDPMScheduler'"),
    ],
)
def test_a_network_from_elsewhere_must_be_preconditioned_alike(
    base: LoadedBase, tmp_path: Path, change: dict[str, Any], says: str
) -> None:
    for part in ("unet", "scheduler"):
        shutil.copytree(base.model.folder / part, tmp_path / part)
    path = tmp_path / SCHEDULER
    path.write_text(json.dumps(json.loads(path.read_text()) | change))
    family = family_of("edm")
    if says:
        with pytest.raises(ModelRefused) as refused:
            family.open_elsewhere(tmp_path, base, None, "cpu")
        assert says in str(refused.value)
        return
    opened, own = family.open_elsewhere(tmp_path, base, 3, "cpu"), family.base_sampler(base, "cpu", 3)
    assert (opened.sample_labels([1], [5]) == own.sample_labels([1], [5])).all()
