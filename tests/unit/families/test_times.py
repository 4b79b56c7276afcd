"""Times that a model does not have are refused before anything runs, as far as its files tell."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import Any

import pytest

from sfd_core.admission import admit
from sfd_core.base_model.layout import SCHEDULER
from sfd_core.errors import FieldError, InvalidRequest
from sfd_core.families.times import check_steps, schedule_of
from sfd_core.request.reading import read, written
from sfd_core.request.recipe import Recipe
from tests.unit.admission.test_request import BODY, MODEL


def scheduled(folder: Path, config: object) -> Any:
    """A model whose folder has this as its scheduler's configuration."""
    (folder / "scheduler").mkdir()
    written = {"_class_name": "DDIMScheduler", **config} if isinstance(config, dict) else config
    (folder / SCHEDULER).write_text(json.dumps(written))
    return dataclasses.replace(MODEL, folder=folder, files={SCHEDULER: "of no matter"})


@pytest.mark.parametrize(
    ("config", "steps"),
    [
        ({"num_train_timesteps": 600}, 600),
        ({"num_train_timesteps": 7, "trained_betas": [0.1] * 7}, 7),
        ({"num_train_timesteps": 600, "trained_betas": [0.1] * 7}, None),
        ({"num_train_timesteps": 600, "trained_betas": None}, 600),
        ({"num_train_timesteps": "600"}, None),
        ({}, 1000),
        ({"_class_name": "EDMEulerScheduler"}, None),
        ([], None),
    ],
)
def test_how_many_steps_there_are(tmp_path: Path, config: object, steps: int | None) -> None:
    found = schedule_of(scheduled(tmp_path, config))
    assert (found.num_train_timesteps if found else None) == steps


def test_to_the_last_step_and_no_further(tmp_path: Path) -> None:
    model = scheduled(tmp_path, {"num_train_timesteps": 600})
    check_steps(Recipe(t_init=599, t_min=598, t_max=599), model)
    with pytest.raises(InvalidRequest) as refused:
        check_steps(Recipe(t_init=600, t_min=601, t_max=1000), model)
    assert refused.value.errors == tuple(
        FieldError(f"/recipe/{name}", f"must be 0 to 599 (the schedule has 600 timesteps), not {t}")
        for name, t in (("t_init", 600), ("t_min", 601), ("t_max", 1000))
    )


def test_the_last_step_of_a_rescaled_schedule_has_no_signal(tmp_path: Path) -> None:
    config = {"num_train_timesteps": 600, "rescale_betas_zero_snr": True, "prediction_type": "v_prediction"}
    model = scheduled(tmp_path, config)
    check_steps(Recipe(t_init=598, t_min=20, t_max=598), model)
    with pytest.raises(InvalidRequest) as refused:
        check_steps(Recipe(t_init=599, t_min=20, t_max=599), model)
    why = "the schedule has 600 timesteps, and by rescale_betas_zero_snr no signal at the last"
    assert refused.value.errors == tuple(
        FieldError(f"/recipe/{name}", f"must be 0 to 598 ({why}), not 599") for name in ("t_init", "t_max")
    )


def test_where_nothing_is_known_only_whole_steps_are_asked_for(tmp_path: Path) -> None:
    model = dataclasses.replace(MODEL, folder=tmp_path)
    check_steps(Recipe(t_init=99_999, t_max=100_000), model)
    with pytest.raises(InvalidRequest) as refused:
        check_steps(Recipe(t_init=2.5), model)
    assert refused.value.errors == (FieldError("/recipe/t_init", "must be a whole step of the schedule, not 2.5"),)


def test_a_request_is_refused_with_every_one_of_them(tmp_path: Path) -> None:
    model = scheduled(tmp_path, {"num_train_timesteps": 600})
    with pytest.raises(InvalidRequest) as refused:
        admit(BODY | {"recipe": {"t_max": 1000, "t_min": 2.5, "kappa2": 2}}, model)
    assert [error.pointer for error in refused.value.errors] == ["/recipe/kappa2", "/recipe/t_min", "/recipe/t_max"]


def test_continuous_times_are_the_familys_own_affair(tmp_path: Path) -> None:
    """And every attack works on them."""
    model = dataclasses.replace(scheduled(tmp_path, {"_class_name": "EDMEulerScheduler"}), family="edm")
    body = BODY | {"recipe": {"t_max": 80.0}, "evaluation": {"probes": ["relearning", "image_to_image"]}}
    admitted = admit(body, model).request
    assert (admitted.recipe.t_init, admitted.recipe.t_max) == (2.5, 80)


@pytest.mark.parametrize(("given", "kept"), [(440, "440"), (440.0, "440"), (2.5, "2.5")])
def test_a_step_is_written_as_an_integer(given: float, kept: str) -> None:
    read_back = read(Recipe, {"t_init": given})
    assert json.dumps(written(read_back)["t_init"]) == json.dumps(read_back.t_init) == kept


@pytest.mark.parametrize(("given", "message"), [(0, "must be above 0"), (-1, "at least 0"), (True, "number")])
def test_what_is_no_time(given: object, message: str) -> None:
    with pytest.raises(InvalidRequest) as refused:
        read(Recipe, {"t_init": given})
    (error,) = refused.value.errors
    assert error.pointer == "/t_init"
    assert message in error.message
