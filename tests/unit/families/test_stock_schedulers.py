"""What is known of diffusers' schedulers, held against the installed diffusers: every class, its defaults, the
schedules that it knows, and the forward process that it makes of them."""

from __future__ import annotations

import inspect
import json
from typing import Any

import numpy as np
import pytest
import torch

from sfd_core.families.scheduler_config import UnsupportedSchedule, scheduler_config
from sfd_core.families.schedules import make_schedule, schedule_from_config
from sfd_core.families.stock_schedulers import PREDICTION_TYPE, STEPS, STOCK_SCHEDULERS
from tests.support.stock import modules, stock_scheduler

KINDS = ("linear", "scaled_linear", "squaredcos_cap_v2", "laplace", "sigmoid", "exp", "cosine")
WITHOUT = {
    "CogVideoXDDIMScheduler": "shifts alpha_bar after the product",
    "CogVideoXDPMScheduler": "shifts alpha_bar after the product",
    "IPNDMScheduler": "has betas of its own, sin^2",
    "RePaintScheduler": "paints over; takes no betas from JSON",
}
"""Classes that take betas and have another forward process, or no configuration of it."""
NAMES = tuple(STOCK_SCHEDULERS)


def written(scheduler: Any) -> dict[str, Any]:
    """The configuration as it is saved."""
    config: dict[str, Any] = json.loads(scheduler.to_json_string())
    return config


def test_every_class_that_takes_betas_is_known_or_left_out_for_a_reason() -> None:
    takes = {name for name in modules() if "trained_betas" in inspect.signature(stock_scheduler(name)).parameters}
    assert takes == set(NAMES) | set(WITHOUT)


@pytest.mark.parametrize("name", NAMES)
def test_missing_fields_have_the_defaults_of_the_class(name: str) -> None:
    parameters, stock = inspect.signature(stock_scheduler(name)).parameters, STOCK_SCHEDULERS[name]
    assert [parameters[field].default for field in ("beta_start", "beta_end", "beta_schedule")] == [
        stock.beta_start,
        stock.beta_end,
        stock.beta_schedule,
    ]
    assert parameters["num_train_timesteps"].default == STEPS
    assert parameters["prediction_type"].default == PREDICTION_TYPE
    assert parameters["trained_betas"].default is None
    assert ("rescale_betas_zero_snr" in parameters) == stock.rescales
    if stock.rescales:
        assert parameters["rescale_betas_zero_snr"].default is False
    ours, theirs = schedule_from_config({"_class_name": name}), stock_scheduler(name)()
    assert torch.equal(ours.betas, theirs.betas.double())


@pytest.mark.parametrize("name", NAMES)
def test_its_schedules_are_those_that_it_knows(name: str) -> None:
    for kind in KINDS:
        config = {"_class_name": name, "num_train_timesteps": 40, "beta_schedule": kind}
        if kind in STOCK_SCHEDULERS[name].schedules:
            theirs = stock_scheduler(name)(num_train_timesteps=40, beta_schedule=kind)
            assert torch.equal(schedule_from_config(config).betas, theirs.betas.double()), kind
            continue
        with pytest.raises(NotImplementedError):
            stock_scheduler(name)(num_train_timesteps=40, beta_schedule=kind)
        with pytest.raises(UnsupportedSchedule, match=f"beta_schedule is '{kind}', must be linear, "):
            schedule_from_config(config)


def forward_processes() -> list[tuple[str, dict[str, Any]]]:
    """Every class with every schedule that it knows, plain and rescaled, and with betas of the file's own."""
    given = {"num_train_timesteps": 5, "trained_betas": [0.1, 0.2, 0.3, 0.4, 0.7]}
    made: list[tuple[str, dict[str, Any]]] = []
    for name, stock in STOCK_SCHEDULERS.items():
        kinds = [{"beta_schedule": kind, "beta_start": 0.00085, "beta_end": 0.012} for kind in stock.schedules]
        for fields in (*kinds, given):
            made.append((name, fields))
            if stock.rescales:
                made.append((name, {**fields, "rescale_betas_zero_snr": True, "prediction_type": "v_prediction"}))
    return made


@pytest.mark.parametrize(("name", "fields"), forward_processes())
def test_the_forward_process_is_the_classs_own(name: str, fields: dict[str, Any]) -> None:
    """Betas to the last bit. diffusers takes the product in float32: a rounding of half a unit at every step, so that
    after T of them alpha_bar may be off by T half units of float32; ours is taken in float64."""
    theirs = stock_scheduler(name)(**fields)
    ours = make_schedule(scheduler_config(written(theirs)))
    assert torch.equal(ours.betas.float(), theirs.betas)
    assert torch.equal(ours.betas, theirs.betas.double())
    product = np.cumprod(1 - theirs.betas.double().numpy())
    if fields.get("rescale_betas_zero_snr"):
        assert product[-1] == 0
        product[-1] = STOCK_SCHEDULERS[name].last_alpha_bar
        assert theirs.alphas_cumprod[-1].item() == product[-1]
    np.testing.assert_array_equal(ours.a.numpy(), np.sqrt(product).astype(np.float32))
    np.testing.assert_array_equal(ours.b.numpy(), np.sqrt(1 - product).astype(np.float32))
    unit = np.finfo(np.float32).eps / 2
    np.testing.assert_allclose(ours.a, theirs.alphas_cumprod.sqrt(), rtol=2 * unit + ours.steps * unit, atol=0)


@pytest.mark.parametrize("name", sorted(set(modules()) - set(NAMES)))
def test_every_other_class_is_refused_by_name(name: str) -> None:
    left_over = {"beta_start": 0.00085, "beta_end": 0.012, "beta_schedule": "scaled_linear"}
    with pytest.raises(UnsupportedSchedule, match=rf"_class_name is '{name[:10]}.*; SFD has formulas for DDPMSch"):
        scheduler_config({"_class_name": name, **left_over})


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("EDMEulerScheduler", "an EDM scheduler"),
        ("EDMDPMSolverMultistepScheduler", "an EDM scheduler"),
        ("FlowMatchEulerDiscreteScheduler", "a flow-matching scheduler"),
        ("VQDiffusionScheduler", "a scheduler over tokens"),
        ("ScoreSdeVeScheduler", "a variance-exploding scheduler"),
        ("KarrasVeScheduler", "a variance-exploding scheduler"),
        ("CMStochasticIterativeScheduler", "a consistency scheduler"),
        ("CogVideoXDDIMScheduler", "a scheduler that shifts its signal-to-noise ratio"),
        ("MyScheduler", "unknown here"),
    ],
)
def test_a_refusal_says_what_the_class_is(name: str, kind: str) -> None:
    with pytest.raises(UnsupportedSchedule, match=rf"\({kind}\); SFD has"):
        scheduler_config({"_class_name": name})
