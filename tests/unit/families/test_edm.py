"""EDM's parameterization against its formulas in float64, and against stock diffusers."""

from __future__ import annotations

import dataclasses
import json

import numpy as np
import pytest
import torch
from diffusers import EDMDPMSolverMultistepScheduler, EDMEulerScheduler
from numpy.typing import NDArray

from sfd_core.families.edm import DESCRIPTION
from sfd_core.families.edm.parameterization import Edm
from sfd_core.families.edm.scheduler_config import EdmConfig, edm_config
from sfd_core.families.edm.schedulers import many_steps
from sfd_core.families.parameterization import linear_schedule
from sfd_core.families.scheduler_config import PredictionType
from sfd_core.request.recipe import Recipe

Array = NDArray[np.float64]
SIGMA = torch.tensor([0.002, 0.1, 0.5, 2.5, 80.0])
KINDS = [EdmConfig(), EdmConfig(sigma_data=0.7), EdmConfig(prediction_type="v_prediction")]


def seeded() -> torch.Generator:
    return torch.Generator().manual_seed(0)


def wide(values: torch.Tensor) -> Array:
    return values.double().numpy()


@pytest.mark.parametrize("config", KINDS)
def test_what_the_network_is_given_and_what_comes_of_its_output(config: EdmConfig) -> None:
    """Karras et al. 2022, table 1, in double precision; as ``EDMEulerScheduler`` has it too."""
    kind, (x, eps, out) = Edm(config), torch.randn(3, 5, 1, 2, 3, generator=seeded())
    x_t = kind.add_noise(x, eps, SIGMA)
    sigma, sd = wide(SIGMA)[:, None, None, None], config.sigma_data
    np.testing.assert_allclose(x_t, wide(x) + sigma * wide(eps), rtol=1e-5, atol=1e-5)
    given, time = kind.network_input(x_t, SIGMA)
    np.testing.assert_allclose(given, wide(x_t) / np.sqrt(sigma**2 + sd**2), rtol=1e-5)
    np.testing.assert_allclose(time, np.log(wide(SIGMA)) / 4, rtol=1e-5)
    c_out = sigma * sd / np.sqrt(sigma**2 + sd**2) * (-1 if config.prediction_type == "v_prediction" else 1)
    x0 = kind.x0_from_output(out, x_t, SIGMA)
    np.testing.assert_allclose(x0, sd**2 / (sigma**2 + sd**2) * wide(x_t) + c_out * wide(out), rtol=1e-4, atol=1e-5)
    stock = EDMEulerScheduler(sigma_data=sd, prediction_type=config.prediction_type)
    for i, level in enumerate(SIGMA):
        torch.testing.assert_close(given[i], stock.precondition_inputs(x_t[i], level))
        torch.testing.assert_close(time[i], stock.precondition_noise(level))
        torch.testing.assert_close(x0[i], stock.precondition_outputs(x_t[i], out[i], level), rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("config", KINDS)
def test_the_weight_makes_the_error_in_eps_that_in_what_the_network_puts_out(config: EdmConfig) -> None:
    """Which is EDM's: ``lambda(sigma) || D - x ||^2 = || F - F_true ||^2`` with ``lambda = 1 / c_out^2``."""
    kind, (x, eps, out) = Edm(config), torch.randn(3, 5, 1, 2, 3, generator=seeded(), dtype=torch.float64)
    t = SIGMA.double()
    x_t = kind.add_noise(x, eps, t)
    error = kind.eps_from_x0(kind.x0_from_output(out, x_t, t), x_t, t) - eps
    ours = kind.error_weight(t) * error.square().sum((1, 2, 3))
    sd, sigma = config.sigma_data, t.numpy()[:, None, None, None]
    c_out = sigma * sd / np.sqrt(sigma**2 + sd**2)
    true = (x.numpy() - sd**2 / (sigma**2 + sd**2) * x_t.numpy()) / c_out
    sign = -1 if config.prediction_type == "v_prediction" else 1
    np.testing.assert_allclose(ours, np.square(sign * out.numpy() - true).sum((1, 2, 3)), rtol=1e-8)


def test_times_of_the_losses_are_those_of_sid() -> None:
    kind, recipe, n = Edm(EdmConfig()), DESCRIPTION.recipe, 20_000
    assert kind.start(recipe) == 2.5
    u = torch.rand(n, generator=seeded()).double().numpy() * 0.8
    published = (80 ** (1 / 7) + (1 - u) * (0.002 ** (1 / 7) - 80 ** (1 / 7))) ** 7
    np.testing.assert_allclose(kind.generator_times(n, recipe, seeded()), published, rtol=2e-3)
    logarithms = kind.fake_score_times(n, recipe, seeded()).log()
    assert logarithms.mean().item() == pytest.approx(-1.2, abs=5 * 1.2 / n**0.5)
    assert logarithms.std().item() == pytest.approx(1.2, rel=0.03)


def test_levels_are_named_by_their_signal_as_steps_are() -> None:
    """A share of the schedule is the same noise for both kinds of network, up to the ends of what this one knows."""
    kind, steps = Edm(EdmConfig()), linear_schedule()
    for share in (0.1, 0.2, 0.3, 0.6, 0.8):
        sigma, t = torch.tensor([kind.time_at(share)]), torch.tensor([steps.time_at(share)])
        assert kind.signal_left(sigma).item() == pytest.approx(steps.signal_left(t).item(), rel=0.03)
        assert steps.signal_left(t).item() == steps.a[t].item()
    assert (kind.time_at(0.0), kind.time_at(1.0)) == (0.002, 80.0)
    assert Edm(EdmConfig(sigma_max=3.0)).time_at(0.8) == 3.0
    drawn = kind.all_times(20_000, seeded())
    assert drawn.min().item() >= 0.002
    assert drawn.max().item() <= 80
    assert drawn.median().item() == pytest.approx(kind.time_at(0.5), rel=0.05)


@pytest.mark.parametrize("config", KINDS)
def test_the_only_step_of_the_stock_scheduler_is_the_generators_formula(config: EdmConfig) -> None:
    kind, (z, out) = Edm(config), torch.randn(2, 2, 1, 2, 3, generator=seeded())
    stock, t = kind.one_step_scheduler(2.5), torch.full((2,), 2.5)
    stock.set_timesteps(1)
    start = z * stock.sigmas[0]
    given, time = kind.network_input(kind.pure_noise(z, t), t)
    torch.testing.assert_close(stock.scale_model_input(start, stock.timesteps[0]), given, rtol=1e-6, atol=1e-6)
    torch.testing.assert_close(stock.timesteps[0], time[0], rtol=1e-6, atol=1e-6)
    found = stock.step(out, stock.timesteps[0], start).prev_sample
    torch.testing.assert_close(found, kind.x0_from_output(out, 2.5 * z, t), rtol=1e-5, atol=1e-5)
    assert stock.init_noise_sigma > 1.07 * 2.5, "what a pipeline must not start from"


def test_many_steps_are_those_of_the_models_own_scheduler() -> None:
    config = EdmConfig(0.01, 50.0, 0.6, "exponential", 5.0, "v_prediction")
    made = many_steps(Edm(config))
    stock = EDMEulerScheduler(0.01, 50.0, 0.6, "exponential", rho=5.0, prediction_type="v_prediction")
    for scheduler in (made, stock):
        scheduler.set_timesteps(7)
    assert torch.equal(made.sigmas, stock.sigmas)
    assert all(made.config[name] == stock.config[name] for name in (*dataclasses.asdict(config), "final_sigmas_type"))
    with pytest.raises(TypeError, match="noise levels of an Edm are stepped over, which VariancePreserving does not"):
        many_steps(linear_schedule())


def test_more_steps_of_the_sampler_are_not_worse_on_a_gaussian() -> None:
    """Whose network is known in closed form: of N(mean, deviation^2) every level's x0 is."""
    mean, deviation, distances = 0.4, 0.5, []
    for steps in (5, 10, 20, 50):
        scheduler = many_steps(Edm(EdmConfig()))
        scheduler.set_timesteps(steps)
        x = torch.randn(20_000, generator=seeded()) * scheduler.init_noise_sigma
        for t, sigma in zip(scheduler.timesteps, scheduler.sigmas, strict=False):
            scheduler.scale_model_input(x, t)
            x0 = (deviation**2 * x + sigma**2 * mean) / (deviation**2 + sigma**2)
            skip, out = 0.25 / (sigma**2 + 0.25), sigma * 0.5 / (sigma**2 + 0.25).sqrt()
            x = scheduler.step((x0 - skip * x) / out, t, x).prev_sample
        distances.append(float(((x.mean() - mean) ** 2 + (x.std() - deviation) ** 2).sqrt() / deviation))
    assert distances == sorted(distances, reverse=True)
    assert distances[-1] < min(0.06, distances[0] / 3)


@pytest.mark.parametrize("stock", [EDMEulerScheduler, EDMDPMSolverMultistepScheduler])
def test_a_stock_configuration_is_read_with_its_defaults(stock: type) -> None:
    said = json.loads(stock().to_json_string())
    assert edm_config(said) == edm_config({"_class_name": stock.__name__}) == EdmConfig()
    other = EdmConfig(0.01, 50.0, 0.6, "exponential", 5.0, "v_prediction")
    assert edm_config({"_class_name": stock.__name__, **dataclasses.asdict(other)}) == other


@pytest.mark.parametrize(("prediction", "sign"), [("epsilon", 1), ("v_prediction", -1)])
def test_the_sign_of_the_output(prediction: PredictionType, sign: int) -> None:
    assert EdmConfig(prediction_type=prediction).sign == sign


def test_moving_it_changes_nothing() -> None:
    kind = Edm(EdmConfig())
    assert kind.to("meta") is kind
    assert kind.start(Recipe(t_init=3)) == 3.0
