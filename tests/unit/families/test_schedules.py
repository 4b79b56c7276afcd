"""Rescaled schedules by the formula written out, what is made of them, and every field of a scheduler's configuration
that is refused."""

from __future__ import annotations

import dataclasses
import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from diffusers import DDIMScheduler

from sfd_core.base_model.layout import SCHEDULER
from sfd_core.errors import ModelRefused
from sfd_core.families.ddim import ddim
from sfd_core.families.fitting import same_schedule
from sfd_core.families.loading import load_base
from sfd_core.families.one_step import load_one_step_scheduler
from sfd_core.families.protocol import LoadedBase
from sfd_core.families.scheduler_config import MAX_STEPS, UnsupportedSchedule, scheduler_config
from sfd_core.families.schedules import load_schedule, schedule_from_config
from tests.support.tiny_model import make_tiny_model

SD = {"beta_start": 0.00085, "beta_end": 0.012, "beta_schedule": "scaled_linear"}
DDIM = {"_class_name": "DDIMScheduler"}
RESCALED = DDIM | SD | {"rescale_betas_zero_snr": True, "prediction_type": "v_prediction"}


def put(folder: Path, config: object) -> Path:
    """A folder with this scheduler."""
    path = folder / SCHEDULER
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(config))
    return folder


def rescaled(start: float, end: float, steps: int) -> np.ndarray:
    """``sqrt(alpha_bar)`` of Lin et al. 2023, algorithm 1, in float64: moved so that the last is 0, stretched so that
    the first stays."""
    root = np.sqrt(np.cumprod(1 - np.linspace(start**0.5, end**0.5, steps) ** 2))
    return (root - root[-1]) * root[0] / (root[0] - root[-1])


def test_a_rescaled_schedule_is_that_of_the_paper() -> None:
    schedule, a = schedule_from_config(RESCALED), rescaled(0.00085, 0.012, 1000)
    np.testing.assert_allclose(schedule.a, a, rtol=2e-4, atol=1e-12)
    np.testing.assert_allclose(schedule.b, np.sqrt(1 - a**2), rtol=2e-4)
    assert (schedule.a[-1].item(), schedule.b[-1].item(), schedule.betas[-1].item()) == (0, 1, 1)
    sigma = schedule.b / schedule.a
    assert sigma[625].item() == pytest.approx(2.91, abs=0.01)
    assert sigma[980].item() == pytest.approx(114, rel=0.01)
    plain = schedule_from_config(DDIM | SD)
    assert (plain.b / plain.a)[625].item() == pytest.approx(2.50, abs=0.01)


@pytest.mark.parametrize("start", [1, 625, 998])
def test_one_step_over_rescaled_betas_is_the_generators_formula(start: int) -> None:
    """Handed over as they are: what is published is not rescaled again."""
    schedule, z = schedule_from_config(RESCALED), torch.randn(2, 1, 4, 4, generator=torch.Generator().manual_seed(0))
    stock = schedule.one_step_scheduler(start)
    assert stock.config.rescale_betas_zero_snr is False
    assert torch.equal(stock.betas.double(), schedule.betas[: start + 1])
    stock.set_timesteps(1)
    assert stock.timesteps.tolist() == [start]
    t, begin = torch.full((2,), start), z * stock.init_noise_sigma
    given = stock.scale_model_input(begin, stock.timesteps[0])
    torch.testing.assert_close(given, schedule.pure_noise(z, t), rtol=1e-4, atol=1e-4)
    found = stock.step(z.flip(0), stock.timesteps[0], begin).prev_sample
    torch.testing.assert_close(found, schedule.x0_from_output(z.flip(0), given, t), rtol=1e-3, atol=1e-3)


def test_a_generator_cannot_start_where_there_is_no_signal() -> None:
    with pytest.raises(ValueError, match="step 999 of 1000 has no signal: a generator must start before it"):
        schedule_from_config(RESCALED).one_step_scheduler(999)


def test_the_base_model_is_sampled_over_its_rescaled_schedule() -> None:
    ours = ddim(schedule_from_config(RESCALED))
    theirs = DDIMScheduler(**{name: value for name, value in RESCALED.items() if name != "_class_name"})
    assert torch.equal(ours.alphas_cumprod, theirs.alphas_cumprod)
    ours.set_timesteps(4)
    x = torch.randn(1, 1, 4, 4, generator=torch.Generator().manual_seed(0))
    for t in ours.timesteps:
        x = ours.step(x / 2, t, x).prev_sample
    assert ours.timesteps[0] == 999
    assert bool(torch.isfinite(x).all())


WRONG: list[tuple[dict[str, Any], str]] = [
    ({"_class_name": None}, "_class_name is None; SFD has formulas for DDPMScheduler"),
    ({"_class_name": ["DDIMScheduler"]}, r"_class_name is \['DDIMScheduler'\]"),
    *(
        ({"num_train_timesteps": steps}, f"num_train_timesteps is .*, must be 2 to {MAX_STEPS}, whole")
        for steps in (10**9, 10**400, MAX_STEPS + 1, 1, 0, -5, 1000.0, "1000", None, True, [1000])
    ),
    *(
        ({name: beta}, f"{name} is .*, must be a number above 0 and below 1")
        for name in ("beta_start", "beta_end")
        for beta in (0, -0.1, 1, 1.5, math.nan, math.inf, 10**400, "0.1", None, True, [0.1])
    ),
    ({"beta_start": 0.2, "beta_end": 0.1}, "beta_start is 0.2, must be at most beta_end, 0.1"),
    *(
        ({"num_train_timesteps": 2, "trained_betas": betas}, "trained_betas is .*, must be null or a list of numbers")
        for betas in ("many", 0.1, {}, [0.1, "0.2"], [0.1, math.nan], [0, 0.1], [0.1, 1], [0.1, -1], [[0.1], [0.2]])
    ),
    ({"trained_betas": [0.1, 0.2]}, "trained_betas has 2 numbers, num_train_timesteps is 1000"),
    ({"trained_betas": [], "num_train_timesteps": 2}, "trained_betas has 0 numbers, num_train_timesteps is 2"),
    *(
        ({"prediction_type": kind}, "prediction_type is .*, must be epsilon or v_prediction, which SFD has")
        for kind in ("sample", "flow_prediction", "", None, 1, ["epsilon"])
    ),
    ({"beta_schedule": None}, "beta_schedule is None, must be linear, scaled_linear or squaredcos_cap_v2, which DDIM"),
    ({"beta_schedule": ["linear"]}, r"beta_schedule is \['linear'\], must be linear"),
    ({"beta_schedule": "sigmoid"}, "beta_schedule is 'sigmoid', must be linear"),
    *(
        ({"rescale_betas_zero_snr": flag}, "rescale_betas_zero_snr is .*, must be true or false")
        for flag in (None, "true", 1)
    ),
    (
        {"_class_name": "PNDMScheduler", "rescale_betas_zero_snr": True, "prediction_type": "v_prediction"},
        "rescale_betas_zero_snr is True, must be false: PNDMScheduler does not know it",
    ),
    (
        {"rescale_betas_zero_snr": True},
        "prediction_type is 'epsilon', must be 'v_prediction' where rescale_betas_zero_snr is true: the last step has",
    ),
    ({"use_flow_sigmas": True}, "use_flow_sigmas is True, must be false: flow matching"),
    ({"timestep_type": "continuous"}, "timestep_type is 'continuous', must be 'discrete'"),
    ({"variance_type": "learned_range"}, "variance_type is 'learned_range', must be a fixed one"),
    ({"beta_start": 0.5, "beta_end": 0.99}, "its betas leave no signal, or no noise, at step"),
    ({"beta_start": 1e-30, "beta_end": 0.02}, "its betas leave no signal, or no noise, at step 0 of 1000"),
    (
        {"beta_start": 0.5, "beta_end": 0.99, "rescale_betas_zero_snr": True, "prediction_type": "v_prediction"},
        "its betas leave no signal",
    ),
]


@pytest.mark.parametrize(("fields", "says"), WRONG)
def test_what_is_wrong_is_refused_with_the_file_and_the_field(
    fields: dict[str, Any], says: str, tmp_path: Path
) -> None:
    config = DDIM | fields
    with pytest.raises(UnsupportedSchedule, match=says):
        schedule_from_config(config)
    with pytest.raises(ModelRefused, match=says) as refused:
        load_schedule(put(tmp_path, config))
    assert str(refused.value).startswith(f"{tmp_path / SCHEDULER}: ")
    assert len(str(refused.value)) < 1200


def test_every_fault_is_told_at_once() -> None:
    with pytest.raises(UnsupportedSchedule) as refused:
        scheduler_config(DDIM | {"num_train_timesteps": 10**9, "beta_end": math.nan, "prediction_type": "sample"})
    assert [fault.split()[0] for fault in str(refused.value).split("; ")] == [
        "num_train_timesteps",
        "beta_end",
        "prediction_type",
    ]


@pytest.mark.parametrize(
    "fields", [{"use_karras_sigmas": True}, {"variance_type": "fixed_small"}, {"skip_prk_steps": True}, {"custom": 3}]
)
def test_how_to_sample_is_no_matter(fields: dict[str, Any]) -> None:
    assert torch.equal(schedule_from_config(DDIM | SD | fields).a, schedule_from_config(DDIM | SD).a)


# Networks from elsewhere, and generators.


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> LoadedBase:
    return load_base(make_tiny_model(tmp_path_factory.mktemp("models") / "tiny"))


def over(base: LoadedBase, folder: Path, config: object) -> LoadedBase:
    """The same over another schedule."""
    model = dataclasses.replace(base.model, folder=put(folder / "base", config))
    return dataclasses.replace(base, model=model)


@pytest.mark.parametrize(
    ("theirs", "ours"),
    [
        (RESCALED, RESCALED | {"_class_name": "EulerDiscreteScheduler"}),
        ({"_class_name": "LCMScheduler"}, {"_class_name": "PNDMScheduler", **SD}),
        (DDIM | SD, DDIM | SD | {"trained_betas": DDIMScheduler(**SD).betas.tolist(), "beta_schedule": "linear"}),
    ],
)
def test_the_same_schedule_by_another_class_or_in_other_words_fits(
    base: LoadedBase, theirs: dict[str, Any], ours: dict[str, Any], tmp_path: Path
) -> None:
    same_schedule(put(tmp_path, theirs), over(base, tmp_path, ours))


@pytest.mark.parametrize(
    ("theirs", "ours", "says"),
    [
        (
            RESCALED,
            DDIM | SD | {"prediction_type": "v_prediction"},
            "rescale_betas_zero_snr is True, the base model's False$",
        ),
        (DDIM, {"_class_name": "LCMScheduler"}, "beta_schedule is 'linear', the base model's 'scaled_linear'; beta_st"),
        (DDIM, DDIM | {"prediction_type": "v_prediction"}, "prediction_type is 'epsilon', the base .* 'v_prediction'$"),
        (DDIM | {"_class_name": "EDMEulerScheduler"}, DDIM, "an EDM scheduler"),
    ],
)
def test_another_schedule_is_refused(
    base: LoadedBase, theirs: dict[str, Any], ours: dict[str, Any], says: str, tmp_path: Path
) -> None:
    with pytest.raises(ModelRefused, match=says):
        same_schedule(put(tmp_path, theirs), over(base, tmp_path, ours))


@pytest.fixture
def published(tmp_path: Path) -> Path:
    schedule_from_config(RESCALED).one_step_scheduler(30).save_pretrained(tmp_path / "scheduler")
    return tmp_path


def test_the_scheduler_of_a_generator_comes_back(published: Path) -> None:
    again, made = load_one_step_scheduler(published), schedule_from_config(RESCALED).one_step_scheduler(30)
    assert again.to_json_string() == made.to_json_string()


@pytest.mark.parametrize(
    ("fields", "says"),
    [
        ({"num_train_timesteps": 10**9}, "num_train_timesteps is"),
        ({"num_train_timesteps": 30}, "trained_betas has 31 numbers, num_train_timesteps is 30"),
        ({"rescale_betas_zero_snr": True}, "rescale_betas_zero_snr is True, must be false"),
        ({"timestep_spacing": "leading"}, "timestep_spacing is 'leading', must be 'trailing' in a one-step generator"),
        ({"use_karras_sigmas": True}, "use_karras_sigmas is True, must be False in a one-step generator"),
        ({"final_sigmas_type": "sigma_min"}, "final_sigmas_type is 'sigma_min', must be 'zero'"),
    ],
)
def test_another_step_than_the_generators_formula_is_refused(
    published: Path, fields: dict[str, Any], says: str
) -> None:
    path = published / SCHEDULER
    path.write_text(json.dumps(json.loads(path.read_text()) | fields))
    with pytest.raises(ModelRefused, match=says) as refused:
        load_one_step_scheduler(published)
    assert str(refused.value).startswith(f"{path}: ")
