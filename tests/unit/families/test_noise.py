"""Schedules against diffusers' own, and the conversions between what networks predict."""

from __future__ import annotations

import json

import pytest
import torch
from diffusers import DDPMScheduler

from sfd_core.families.parameterization import (
    linear_schedule,
    schedule_from_betas,
)
from sfd_core.families.scheduler_config import UnsupportedSchedule
from sfd_core.families.schedules import schedule_from_config


@pytest.mark.parametrize("kind", ["linear", "scaled_linear"])
def test_the_schedule_is_that_of_diffusers(kind: str) -> None:
    theirs = DDPMScheduler(beta_start=0.00085, beta_end=0.012, beta_schedule=kind)
    ours = schedule_from_config(json.loads(theirs.to_json_string()))
    torch.testing.assert_close(ours.a.square(), theirs.alphas_cumprod, rtol=1e-5, atol=1e-7)
    torch.testing.assert_close(ours.a.square() + ours.b.square(), torch.ones(1000))


def test_trained_betas_are_taken_as_they_are() -> None:
    schedule = schedule_from_config(
        {"_class_name": "DDIMScheduler", "trained_betas": [0.1, 0.2], "num_train_timesteps": 2}
    )
    torch.testing.assert_close(schedule.a.square(), torch.tensor([0.9, 0.72]))


@pytest.mark.parametrize("prediction", ["epsilon", "v_prediction"])
def test_x0_comes_back_from_what_a_perfect_network_puts_out(prediction: str) -> None:
    schedule = schedule_from_betas(linear_schedule().betas, prediction)  # type: ignore[arg-type]
    g = torch.Generator().manual_seed(0)
    x, eps = torch.randn(5, 1, 4, 4, generator=g), torch.randn(5, 1, 4, 4, generator=g)
    t = torch.tensor([0, 38, 440, 712, 999])
    x_t = schedule.add_noise(x, eps, t)
    a, b = schedule.a[t].view(-1, 1, 1, 1), schedule.b[t].view(-1, 1, 1, 1)
    output = eps if prediction == "epsilon" else a * eps - b * x
    torch.testing.assert_close(schedule.x0_from_output(output, x_t, t), x, rtol=1e-3, atol=1e-3)
    torch.testing.assert_close(schedule.eps_from_x0(x, x_t, t), eps, rtol=1e-3, atol=2e-3)


@pytest.mark.parametrize(
    ("config", "message"),
    [
        ({"prediction_type": "sample"}, "prediction_type is 'sample'"),
        ({"beta_schedule": "cosine", "beta_start": 0.1, "beta_end": 0.2, "num_train_timesteps": 10}, "'cosine'"),
    ],
)
def test_what_has_no_formula_is_refused(config: dict[str, object], message: str) -> None:
    with pytest.raises(UnsupportedSchedule, match=message):
        schedule_from_config({"_class_name": "DDPMScheduler", **config})
