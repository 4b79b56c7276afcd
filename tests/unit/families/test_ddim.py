"""The sampler of many steps: on a Gaussian, whose score is known in closed form, and beside stock diffusers."""

from __future__ import annotations

import itertools
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from diffusers import DDIMPipeline, DDIMScheduler, UNet2DModel
from torch import Tensor, nn

from sfd_core.base_model.manifest import BaseModel
from sfd_core.families.class_unet.base_sampler import ManyStepSampler
from sfd_core.families.ddim import ddim
from sfd_core.families.loading import load_base
from sfd_core.families.parameterization import linear_schedule
from tests.support.tiny_model import make_tiny_model

MEAN, DEVIATION = 0.4, 0.5
"""Of the Gaussian's pixels: a quarter of what it holds lies outside [-1, 1] at some time of a sampling."""
STEPS = (5, 10, 20, 50, 100, 250)


def eps_of_gaussian(x_t: Tensor, t: int) -> Tensor:
    """``E[eps | x_t]`` for x ~ N(MEAN, DEVIATION^2): what a perfect network puts out."""
    schedule = linear_schedule()
    a, b = schedule.a[t], schedule.b[t]
    return b * (x_t - a * MEAN) / (a**2 * DEVIATION**2 + b**2)


def sampled(scheduler: DDIMScheduler, steps: int) -> Tensor:
    """20 000 pixels of the Gaussian by ``scheduler``."""
    x = torch.randn(20_000, generator=torch.Generator().manual_seed(0))
    scheduler.set_timesteps(steps)
    for t in scheduler.timesteps:
        x = scheduler.step(eps_of_gaussian(x, int(t)), t, x).prev_sample
    return x


def distance(x: Tensor) -> float:
    """The Frechet distance to the Gaussian, which has one dimension, in standard deviations."""
    return float(((x.mean() - MEAN) ** 2 + (x.std() - DEVIATION) ** 2).sqrt() / DEVIATION)


def test_more_steps_are_not_worse() -> None:
    distances = [distance(sampled(ddim(linear_schedule()), steps)) for steps in STEPS]
    chance = 1 / np.sqrt(20_000)
    assert all(after <= before + chance for before, after in itertools.pairwise(distances)), distances
    assert distances[-1] < 0.03
    assert distances[-1] < distances[0] / 3


def test_clipping_would_be_seen() -> None:
    """The control of the test above: the sampler that it is there to refuse."""
    clipping = DDIMScheduler.from_config(ddim(linear_schedule()).config, clip_sample=True)
    assert distance(sampled(clipping, 250)) > 5 * distance(sampled(ddim(linear_schedule()), 250))


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> BaseModel:
    return make_tiny_model(tmp_path_factory.mktemp("models") / "tiny")


class OfOneClass(nn.Module):
    """A class-conditional network as the unconditional one that a stock pipeline asks."""

    def __init__(self, unet: UNet2DModel, label: int) -> None:
        super().__init__()
        self.unet, self.label, self.config = unet, label, unet.config

    @property
    def dtype(self) -> torch.dtype:
        return self.unet.dtype

    @property
    def device(self) -> torch.device:
        return self.unet.device

    def forward(self, x: Tensor, t: Tensor) -> SimpleNamespace:
        labels = torch.full((len(x),), self.label)
        return SimpleNamespace(sample=self.unet(x, t, class_labels=labels).sample)


@pytest.mark.parametrize("steps", [1, 3, 7])
def test_the_sampler_is_stock_diffusers(tiny: BaseModel, steps: int) -> None:
    base, label, seeds = load_base(tiny), 2, [5, 6, 7]
    ours = ManyStepSampler(base, steps).sample_labels([label] * 3, seeds)
    scheduler = DDIMScheduler(
        num_train_timesteps=base.schedule.steps,  # type: ignore[attr-defined]
        beta_start=1e-4,
        beta_end=0.02,
        clip_sample=False,
        timestep_spacing="trailing",
    )
    pipeline = DDIMPipeline(OfOneClass(base.network, label), scheduler)
    pipeline.set_progress_bar_config(disable=True)
    generators = [torch.Generator().manual_seed(seed) for seed in seeds]
    theirs = pipeline(batch_size=3, generator=generators, num_inference_steps=steps, output_type="np").images
    assert ours.std() > 1
    assert np.abs(ours.reshape(theirs.shape) - theirs * 255).max() <= 1
