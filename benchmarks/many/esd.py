"""ESD-x (Gandikota et al. 2023, arXiv 2303.07345, equations 5 and 6): cross-attention alone is fine-tuned to be guided
away from each concept.

    L = || eps_theta(x_t, t, c_f) - [ eps_phi(x_t, t, c_0) - eta (eps_phi(x_t, t, c_f) - eps_phi(x_t, t, c_0)) ] ||^2

with phi the untouched model, c_f a prompt of a concept and c_0 the empty prompt. x_t are noised images of c_f by the
untouched model's own sampler. Of several concepts each has its turn, so that each is tuned as often as one alone is.
"""

from __future__ import annotations

import copy
from collections.abc import Callable
from functools import partial
from typing import Any

import torch
import torch.nn.functional as F
from rich.progress import track
from torch import Tensor

from benchmarks.many.cross_attention import of_cross_attention
from sfd_core.evaluation.subject import base_sampler_of
from sfd_core.families.parameterization import VariancePreserving
from sfd_core.families.registry import family_of
from sfd_core.families.sampling import PromptSampler
from sfd_core.families.text.loaded import LoadedPipeline
from sfd_core.prompts.plan import PromptPlan

ETA, LEARNING_RATE, BATCH = 1.0, 1e-4, 16
"""eta is the paper's; the rate is ten times its own, for a network of a hundredth of the size."""
FIRST_SEED = 700_000_000
Network = Callable[[Tensor, Tensor, Tensor], Tensor]
"""From x_t, t and embeddings to the predicted noise."""


def target(to: Tensor, away: Tensor, eta: float = ETA) -> Tensor:
    """Return what the tuned network is to predict: ``to``, the prediction for the empty prompt, led away from that
    for the concept, ``away``."""
    return to - eta * (away - to)


def loss_of(theta: Network, phi: Network, x_t: Tensor, t: Tensor, c_f: Tensor, c_0: Tensor) -> Tensor:
    """Return L of images x_t [B, C, h, w] at times t [B], asked for by embeddings c_f [B, ...] of a concept. ``c_0``:
    those of the empty prompt, [1, ...]. Gradients flow into ``theta`` alone."""
    with torch.no_grad():
        to, away = (phi(x_t, t, c) for c in (c_0.expand_as(c_f), c_f))
    return F.mse_loss(theta(x_t, t, c_f), target(to, away))


def esd(base: LoadedPipeline, plan: PromptPlan, steps: int, pool: int, seed: int) -> Any:
    """Return the base model's network with every item of ``plan`` erased. ``steps``, ``pool``: steps and images a
    concept.

    Raises:
        TypeError: for a model whose network does not predict noise over discrete steps.
    """
    schedule = base.schedule
    if not isinstance(schedule, VariancePreserving):
        raise TypeError(f"ESD draws the steps of a VariancePreserving, which {type(schedule).__name__} does not have")
    rng = torch.Generator().manual_seed(seed)
    sampler, text = base_sampler_of(base, "cpu"), base.text
    assert isinstance(sampler, PromptSampler)
    phi, theta = base.network.eval(), copy.deepcopy(base.network).train()
    theta.requires_grad_(False)
    tuned = of_cross_attention(theta)
    for parameter in tuned:
        parameter.requires_grad_(True)
    optimizer = torch.optim.Adam(tuned, lr=LEARNING_RATE)
    pools = []
    for k, item in enumerate(plan.forgotten):
        prompts = [item[i * len(item) // pool].prompt for i in range(pool)]
        images = sampler.sample_prompts(prompts, range(FIRST_SEED + k * pool, FIRST_SEED + (k + 1) * pool))
        pools.append((family_of(base.model.family).encoded(images, base), text.embeddings(prompts)))
    nothing = text.nothing()
    for step in track(range(steps * len(pools)), description="ESD"):
        x_all, c_all = pools[step % len(pools)]
        chosen = torch.randint(0, pool, (BATCH,), generator=rng)
        x, c_f = x_all[chosen], c_all[chosen]
        t = torch.randint(0, schedule.steps, (BATCH,), generator=rng)
        x_t = schedule.add_noise(x, torch.randn(x.shape, generator=rng), t)
        loss = loss_of(partial(text.output, theta), partial(text.output, phi), x_t, t, c_f, nothing)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    return theta.eval().requires_grad_(False)
