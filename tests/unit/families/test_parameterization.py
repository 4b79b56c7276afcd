"""The table of a discrete schedule against its formulas in float64, and what is refused, where, and why."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from diffusers import DDPMScheduler

from sfd_core.errors import ModelRefused
from sfd_core.families.parameterization import (
    VariancePreserving,
    linear_schedule,
    per_image,
    schedule_from_betas,
)
from sfd_core.families.scheduler_config import UnsupportedSchedule
from sfd_core.families.schedules import load_schedule, schedule_from_config
from sfd_core.request.recipe import Recipe

T = torch.tensor([0, 38, 440, 999])
DDPM = {"_class_name": "DDPMScheduler"}


def written(betas: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """``a_t`` and ``b_t`` by the product written out."""
    alpha_bar = np.array([np.prod(1 - betas[: t + 1]) for t in range(len(betas))])
    return np.sqrt(alpha_bar), np.sqrt(1 - alpha_bar)


def seeded() -> torch.Generator:
    return torch.Generator().manual_seed(0)


def test_the_linear_schedule_is_that_of_ddpm() -> None:
    schedule = linear_schedule()
    a, b = written(np.linspace(1e-4, 0.02, 1000))
    assert schedule.steps == 1000
    np.testing.assert_allclose(schedule.a, a, rtol=1e-5)
    np.testing.assert_allclose(schedule.b, b, rtol=1e-5)
    assert (schedule.a.dtype, schedule.b.dtype, schedule.betas.dtype) == (torch.float32, torch.float32, torch.float64)


def test_a_sum_of_betas_is_taken_in_double_precision() -> None:
    betas = torch.full((1000,), 1e-4)
    a, _ = written(np.full(1000, float(betas[0])))
    np.testing.assert_allclose(schedule_from_betas(betas).a, a.astype(np.float32), rtol=1e-7)


def test_levels_and_conversions_are_by_image() -> None:
    schedule, (x, eps) = linear_schedule(), torch.randn(2, 4, 1, 2, 3, generator=seeded())
    a, b = (level[T].view(4, 1, 1, 1) for level in (schedule.a, schedule.b))
    assert torch.equal(schedule.signal(T), schedule.a[T])
    assert torch.equal(schedule.noise(T), schedule.b[T])
    x_t = schedule.add_noise(x, eps, T)
    torch.testing.assert_close(x_t, a * x + b * eps)
    torch.testing.assert_close(schedule.pure_noise(eps, T), b * eps)
    torch.testing.assert_close(schedule.eps_from_x0(x, x_t, T), (x_t - a * x) / b)
    assert schedule.network_input(x_t, T) == (x_t, T)
    assert per_image(schedule.signal(T), x).shape == (4, 1, 1, 1)
    assert per_image(schedule.signal(T), x.flatten(1)).shape == (4, 1)


def test_without_a_word_the_network_puts_out_noise() -> None:
    x_t, out = torch.randn(2, 4, 1, 2, 3, generator=seeded())
    betas = linear_schedule().betas
    expected = schedule_from_betas(betas, "epsilon").x0_from_output(out, x_t, T)
    made = schedule_from_betas(betas)
    plain = VariancePreserving(betas, made.a, made.b)
    named = schedule_from_config(DDPM | {"trained_betas": betas.tolist()})
    for schedule in (linear_schedule(), made, plain, named):
        assert schedule.prediction_type == "epsilon"
        torch.testing.assert_close(schedule.x0_from_output(out, x_t, T), expected, rtol=1e-4, atol=1e-4)


def test_the_error_in_noise_counts_the_same_at_every_time() -> None:
    weight = linear_schedule().error_weight(T)
    assert (weight.tolist(), weight.dtype) == ([1.0] * 4, torch.float32)


@pytest.mark.parametrize("draw", ["generator_times", "fake_score_times"])
def test_times_are_drawn_equally_often_with_both_ends_from_the_generator_given(draw: str) -> None:
    times, recipe = getattr(linear_schedule(), draw), Recipe(t_min=3, t_max=6)
    counts = Counter(times(4000, recipe, seeded()).tolist())
    assert set(counts) == {3, 4, 5, 6}
    assert all(abs(count - 1000) < 5 * 27 for count in counts.values())
    assert torch.equal(times(50, recipe, seeded()), times(50, recipe, seeded()))


def test_the_generator_starts_at_t_init() -> None:
    assert linear_schedule().start(Recipe(t_init=321)) == 321


def test_moving_a_schedule_keeps_what_it_is() -> None:
    schedule = schedule_from_betas(linear_schedule().betas, "v_prediction")
    there = schedule.to("meta")
    assert (there.a.device.type, there.b.device.type, there.betas.device.type) == ("meta", "meta", "cpu")
    assert there.prediction_type == "v_prediction"
    here = schedule.to("cpu")
    assert torch.equal(here.a, schedule.a)
    assert torch.equal(here.b, schedule.b)


@pytest.mark.parametrize("prediction", ["epsilon", "v_prediction"])
def test_the_only_step_of_the_stock_scheduler_is_the_generators_formula(prediction: Any) -> None:
    """diffusers, from noise z: scaled input ``b z`` at time t_init, and x0 out of one step."""
    schedule, t_init = schedule_from_betas(linear_schedule().betas, prediction), 440
    z, out = torch.randn(2, 2, 1, 2, 3, generator=seeded())
    stock = schedule.one_step_scheduler(t_init)
    stock.set_timesteps(1)
    assert stock.timesteps.tolist() == [t_init]
    assert stock.config.num_train_timesteps == t_init + 1
    assert stock.config.steps_offset == 1, "it is published, and its bytes stay"
    start = z * stock.init_noise_sigma
    given = stock.scale_model_input(start, stock.timesteps[0])
    t = torch.full((2,), t_init)
    torch.testing.assert_close(given, schedule.pure_noise(z, t), rtol=1e-4, atol=1e-4)
    found = stock.step(out, stock.timesteps[0], start).prev_sample
    torch.testing.assert_close(found, schedule.x0_from_output(out, given, t), rtol=1e-3, atol=1e-3)


@pytest.mark.parametrize("kind", ["linear", "scaled_linear"])
def test_betas_agree_with_diffusers_to_the_last_bit(kind: str) -> None:
    theirs = DDPMScheduler(num_train_timesteps=700, beta_start=0.00085, beta_end=0.012, beta_schedule=kind)
    ours = schedule_from_config(json.loads(theirs.to_json_string()))
    assert torch.equal(ours.betas.float(), theirs.betas)
    assert ours.steps == 700


@pytest.mark.parametrize("default", [torch.float32, torch.float64])
def test_betas_do_not_depend_on_the_default_type(default: torch.dtype) -> None:
    plain = DDPM | {"beta_start": 1e-4, "beta_end": 0.02, "num_train_timesteps": 10}
    configs: list[dict[str, Any]] = [
        plain,
        plain | {"beta_schedule": "scaled_linear"},
        DDPM | {"trained_betas": [0.1, 0.3], "num_train_timesteps": 2},
    ]
    expected = [schedule_from_config(config).betas for config in configs] + [linear_schedule(10).betas]
    before = torch.get_default_dtype()
    torch.set_default_dtype(default)
    try:
        found = [schedule_from_config(config).betas for config in configs] + [linear_schedule(10).betas]
    finally:
        torch.set_default_dtype(before)
    assert all(torch.equal(f, e) for f, e in zip(found, expected, strict=True))
    assert found[2].tolist() == torch.tensor([0.1, 0.3], dtype=torch.float32).tolist()


def test_a_configuration_without_a_kind_is_linear() -> None:
    config = DDPM | {"beta_start": 1e-4, "beta_end": 0.02, "num_train_timesteps": 10}
    assert torch.equal(schedule_from_config(config).betas, linear_schedule(10).betas)
    assert schedule_from_config(config | {"prediction_type": "v_prediction"}).prediction_type == "v_prediction"


def test_a_kind_without_a_formula_is_refused_with_those_that_have_one() -> None:
    with pytest.raises(UnsupportedSchedule, match="prediction_type is 'sample', must be epsilon or v_prediction"):
        schedule_from_config(DDPM | {"prediction_type": "sample"})
    config = DDPM | {"beta_schedule": "cosine", "beta_start": 0.1, "beta_end": 0.2, "num_train_timesteps": 10}
    with pytest.raises(
        UnsupportedSchedule, match=r"'cosine', must be linear, scaled_linear, .* or sigmoid, which DDPMScheduler"
    ):
        schedule_from_config(config)


@pytest.mark.parametrize(
    ("config", "message"),
    [
        ({"prediction_type": "sample"}, "prediction_type is 'sample'"),
        ({"beta_start": None, "beta_end": 0.2}, "beta_start is None"),
        ({"trained_betas": "many"}, "trained_betas is 'many', must be null or a list"),
        ({"beta_start": "a", "beta_end": 0.2, "num_train_timesteps": 10}, "beta_start is 'a'"),
    ],
)
def test_a_folder_whose_schedule_cannot_be_read_is_refused_by_name(
    tmp_path: Path, config: dict[str, Any], message: str
) -> None:
    path = tmp_path / "scheduler" / "scheduler_config.json"
    path.parent.mkdir()
    path.write_text(json.dumps(DDPM | config))
    with pytest.raises(ModelRefused, match=message) as refused:
        load_schedule(tmp_path)
    assert str(refused.value).startswith(f"{path}: ")


def test_the_schedule_of_a_folder(tmp_path: Path) -> None:
    (tmp_path / "scheduler").mkdir()
    (tmp_path / "scheduler" / "scheduler_config.json").write_text(
        json.dumps(DDPM | {"trained_betas": [0.25, 0.5], "num_train_timesteps": 2})
    )
    assert load_schedule(tmp_path).betas.tolist() == [0.25, 0.5]
