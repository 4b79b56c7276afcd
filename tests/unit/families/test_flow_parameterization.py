"""Flow matching against formulas written out in float64 and the stock scheduler, and its times."""

from __future__ import annotations

import dataclasses
import math

import numpy as np
import pytest
import torch
from diffusers import DPMSolverMultistepScheduler, FlowMatchEulerDiscreteScheduler

from sfd_core.families.flow.parameterization import Flow
from sfd_core.families.flow.recipe import FLOW
from sfd_core.families.flow.scheduler_config import FlowConfig, flow_config
from sfd_core.families.scheduler_config import UnsupportedSchedule

T = torch.tensor([0.05, 0.3, 0.7, 0.999])


def drawn(seed: int, *shape: int) -> torch.Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def test_the_forward_process_and_back_in_float64() -> None:
    kind, x0, eps = Flow(), drawn(0, 4, 2, 3, 3), drawn(1, 4, 2, 3, 3)
    x_t = kind.add_noise(x0, eps, T)
    x, e, sigma = x0.double(), eps.double(), T.double().view(-1, 1, 1, 1)
    torch.testing.assert_close(x_t.double(), (1 - sigma) * x + sigma * e, rtol=1e-6, atol=1e-6)
    velocity = (e - x).float()
    torch.testing.assert_close(kind.target(x0, eps), velocity)
    torch.testing.assert_close(kind.x0_from_output(velocity, x_t, T), x0, rtol=1e-5, atol=1e-5)
    torch.testing.assert_close(kind.predicted(x0, x_t, T), velocity, rtol=1e-4, atol=1e-4)
    torch.testing.assert_close(kind.eps_from_x0(x0, x_t, T), eps, rtol=1e-4, atol=1e-4)
    torch.testing.assert_close(
        kind.signal_left(T).double(), (1 - T.double()) / ((1 - T.double()) ** 2 + T.double() ** 2).sqrt()
    )
    asked, time = kind.network_input(x_t, T)
    assert asked is x_t
    torch.testing.assert_close(time, 1000 * T)
    weight = kind.generator_weight(T)
    torch.testing.assert_close(weight, 1 - T)


def test_at_noise_alone_nothing_is_divided_by_the_signal_that_is_not_there() -> None:
    kind, t, x0 = Flow(), torch.ones(2), drawn(0, 2, 1, 2, 2)
    z = drawn(1, 2, 1, 2, 2)
    assert torch.equal(kind.pure_noise(z, t), z)
    assert torch.equal(kind.add_noise(x0, z, t), z)
    torch.testing.assert_close(kind.predicted(x0, z, t), z - x0)
    assert torch.equal(kind.error_weight(t), torch.ones(2))
    assert float(kind.generator_weight(t).sum()) == 0


@pytest.mark.parametrize(("low", "high"), [(0.001, 0.999), (0.2, 0.6), (0.5, 1)])
def test_times_are_the_logit_normal_between_their_ends(low: float, high: float) -> None:
    recipe = dataclasses.replace(FLOW, t_min=low, t_max=high)
    t = Flow().generator_times(20_000, recipe, torch.Generator().manual_seed(0))
    assert (t.dtype, low <= float(t.min()), float(t.max()) <= high) == (torch.float32, True, True)
    normal = np.random.default_rng(0).normal(math.log(2), 1.6, 400_000)
    level = 1 / (1 + np.exp(-normal))
    kept = level[(level >= low) & (level <= high)]
    for share in (0.1, 0.5, 0.9):
        assert float(t.quantile(share)) == pytest.approx(np.quantile(kept, share), abs=0.01)
    again = Flow().fake_score_times(20_000, recipe, torch.Generator().manual_seed(0))
    assert torch.equal(t, again)


@pytest.mark.parametrize("shift", [1.0, 3.0])
def test_levels_are_the_base_model_s_own_shifted_times(shift: float) -> None:
    stock = FlowMatchEulerDiscreteScheduler(shift=shift)
    kind = Flow(shift=shift)
    for step in (0, 399, 999):
        share = 1 - step / 1000
        assert kind.time_at(share) == pytest.approx(float(stock.sigmas[step]), rel=5e-3)
    assert kind.time_at(0) == 0.001, "the least that it was trained at: at 0 there is no velocity to ask for"
    times = kind.all_times(10_000, torch.Generator().manual_seed(0))
    assert float(times.median()) == pytest.approx(shift * 0.5 / (1 + (shift - 1) * 0.5), abs=0.02)


def test_the_one_step_of_the_stock_scheduler_is_the_generator_s_formula() -> None:
    kind, z, v = Flow(), drawn(0, 2, 1, 4, 4), drawn(1, 2, 1, 4, 4)
    stock = kind.one_step_scheduler(1)
    stock.set_timesteps(1)
    assert stock.timesteps.tolist() == [1000.0]
    theirs = stock.step(v, stock.timesteps[0], z).prev_sample
    torch.testing.assert_close(theirs, kind.x0_from_output(v, z, torch.ones(2)))
    with pytest.raises(ValueError, match=r"starts at sigma 1, not 0\.9"):
        kind.one_step_scheduler(0.9)


@pytest.mark.parametrize("steps", [1, 2, 3, 4])
def test_several_steps_of_the_stock_scheduler_are_the_generator_s(steps: int) -> None:
    """``sigma_i = sigma_init (1 - i / n)``, ``x <- (1 - sigma_i) D + sigma_i eps_i``, of noise of its own."""
    kind = Flow(shift=3.0)
    times = kind.asked_at(dataclasses.replace(FLOW, steps=steps))
    assert times == [1 - i / steps for i in range(steps)]
    stock = kind.stochastic_scheduler(1, steps)
    stock.set_timesteps(steps)
    assert stock.timesteps.tolist() == pytest.approx([1000 * t for t in times])
    x = theirs = drawn(0, 1, 1, 4, 4)
    rng = torch.manual_seed(3)
    for t in stock.timesteps:
        v = torch.sin(theirs) + t / 1000
        theirs = stock.step(v, t, theirs).prev_sample
    rng.manual_seed(3)
    for i, sigma in enumerate(times):
        x0 = x - sigma * (torch.sin(x) + sigma)
        eps = torch.randn(1, 1, 4, 4)
        x = x0 if i == steps - 1 else (1 - times[i + 1]) * x0 + times[i + 1] * eps
    torch.testing.assert_close(x, theirs, rtol=1e-5, atol=1e-5)


def test_a_scheduler_is_read_as_its_class_reads_it() -> None:
    euler = FlowMatchEulerDiscreteScheduler(shift=3.0)
    assert flow_config({"_class_name": "FlowMatchEulerDiscreteScheduler", **euler.config}) == FlowConfig(shift=3.0)
    solver = DPMSolverMultistepScheduler(use_flow_sigmas=True, prediction_type="flow_prediction", flow_shift=2.0)
    assert flow_config({"_class_name": "DPMSolverMultistepScheduler", **solver.config}) == FlowConfig(shift=2.0)
    assert flow_config({"_class_name": "FlowMatchEulerDiscreteScheduler"}) == FlowConfig()


@pytest.mark.parametrize("kind", ["exponential", "linear"])
def test_a_shift_by_the_size_of_the_picture_is_the_stock_scheduler_s(kind: str) -> None:
    stock = FlowMatchEulerDiscreteScheduler(use_dynamic_shifting=True, time_shift_type=kind)
    config = flow_config({"_class_name": "FlowMatchEulerDiscreteScheduler", **stock.config})
    tokens = 1024
    mu = 0.5 + (1.15 - 0.5) * (tokens - 256) / (4096 - 256)
    u = np.linspace(1, 0.25, 4)
    shift = config.shift_for(tokens)
    stock.set_timesteps(sigmas=u.tolist(), mu=mu)
    np.testing.assert_allclose(shift * u / (1 + (shift - 1) * u), stock.sigmas[:-1].numpy(), rtol=1e-6)


EULER, SOLVER = "FlowMatchEulerDiscreteScheduler", "DPMSolverMultistepScheduler"
DYNAMIC = {"_class_name": EULER, "use_dynamic_shifting": True}
FLOWS = {"use_flow_sigmas": True, "prediction_type": "flow_prediction"}


@pytest.mark.parametrize(
    ("config", "says"),
    [
        ({"_class_name": "DDIMScheduler"}, "_class_name is 'DDIMScheduler'; the family flow has formulas for"),
        ({"_class_name": None}, "_class_name is None"),
        ({"_class_name": "SCMScheduler"}, "_class_name is 'SCMScheduler'"),
        ({"_class_name": EULER, "shift": 0}, "shift is 0, must be a number above 0, at most 1000"),
        ({"_class_name": EULER, "shift": float("nan")}, "shift is nan, must be"),
        ({"_class_name": EULER, "shift": "3"}, "shift is '3', must be"),
        ({"_class_name": EULER, "num_train_timesteps": 0}, "num_train_timesteps is 0, must be 2 to"),
        ({"_class_name": EULER, "use_dynamic_shifting": "yes"}, "use_dynamic_shifting is 'yes', must be true or false"),
        ({**DYNAMIC, "base_shift": 99}, "base_shift is 99, must be a number from -10 to 10"),
        ({**DYNAMIC, "max_shift": None}, "max_shift is None, must be a number from -10 to 10"),
        ({**DYNAMIC, "base_image_seq_len": 1.5}, r"base_image_seq_len is 1\.5, must be 1 to"),
        ({**DYNAMIC, "base_image_seq_len": 4096}, "base_image_seq_len is 4096, must be below max_image"),
        ({**DYNAMIC, "time_shift_type": "cosine"}, "time_shift_type is 'cosine', must be exponential or"),
        ({"_class_name": EULER, "invert_sigmas": True}, "invert_sigmas is True, must be false: times run from noise"),
        ({"_class_name": SOLVER}, "use_flow_sigmas is False, must be true .*; prediction_type is 'epsilon', must be"),
        ({"_class_name": SOLVER, **FLOWS, "flow_shift": -1}, "flow_shift is -1, must be a number above 0"),
        ({"_class_name": SOLVER, **FLOWS, "use_dynamic_shifting": True}, "use_dynamic_shifting is True, must be false"),
    ],
)  # fmt: skip
def test_what_is_refused_of_a_scheduler(config: dict[str, object], says: str) -> None:
    with pytest.raises(UnsupportedSchedule, match=says):
        flow_config(config)


def test_what_a_shift_by_the_size_of_the_picture_leaves_behind_means_nothing() -> None:
    """Stock classes may hold null in these fields, and read them of dynamic shifts alone."""
    left = dict.fromkeys(("base_shift", "max_shift", "base_image_seq_len", "max_image_seq_len", "time_shift_type"))
    assert flow_config({"_class_name": EULER, "shift": 3.0, "use_dynamic_shifting": False, **left}).shift_for(99) == 3
    with pytest.raises(UnsupportedSchedule, match=r"base_shift is None, .*; max_image_seq_len is None"):
        flow_config({**DYNAMIC, **left})


@pytest.mark.parametrize(("low", "high"), [(-10, 10), (10, -10)])
def test_a_shift_beyond_all_numbers_is_one(low: float, high: float) -> None:
    """Far from the sizes that it is written for; so that it can be refused."""
    config = flow_config(
        {**DYNAMIC, "base_shift": low, "max_shift": high, "base_image_seq_len": 1, "max_image_seq_len": 2}
    )
    assert config.shift_for(10_000) == (float("inf") if high > low else 0)
