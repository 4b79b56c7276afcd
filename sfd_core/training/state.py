"""Everything that a run must remember, and how it begins."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, TypeAlias

import torch

from sfd_core.families.device import pick_dtype
from sfd_core.families.lora import add_lora, sharing, trainable
from sfd_core.families.protocol import LoadedBase
from sfd_core.families.registry import family_of
from sfd_core.request.recipe import Recipe
from sfd_core.training.check import Check
from sfd_core.training.quick import QuickFigures

Network: TypeAlias = Any
"""A diffusers network of the family."""


@dataclass
class TrainingState:
    """All that a run must remember. ``seconds`` counts training time over all attempts."""

    generator: Network
    fake_score: Network
    average: Network
    optimizer_generator: torch.optim.Adam
    optimizer_fake_score: torch.optim.Adam
    rng: torch.Generator
    step: int = 0
    images: int = 0
    seconds: float = 0.0
    curve: list[QuickFigures] = field(default_factory=list)
    checks: list[Check] = field(default_factory=list)


def start(base: LoadedBase, recipe: Recipe, seed: int, device: torch.device) -> TrainingState:
    """Make the state before the first step. Generator, fake score and average are copies of the teacher, or of the pair
    that was distilled from it with nothing forgotten (the first of two stages), where the base model ships one.

    Raises:
        ModelRefused: if the distilled pair cannot be loaded.
    """
    family = family_of(base.model.family)
    theta, psi = (network.to(device) for network in starting_networks(base, recipe))
    generator, average = (_own(theta, recipe.lora_rank_generator, "generator", seed, family.adapters) for _ in range(2))
    fake_score = _own(psi, recipe.lora_rank_fake_score, "fake_score", seed, family.adapters)
    if recipe.precision == "bf16-weights":
        # Not the average, which is published: a slow one would stand still. Adapters lie over weights that are shared.
        for network, rank in ((generator, recipe.lora_rank_generator), (fake_score, recipe.lora_rank_fake_score)):
            for weight in network.parameters() if rank == 0 else ():
                weight.data = weight.data.bfloat16()
    for network in (generator, fake_score):
        if recipe.gradient_checkpointing:
            network.enable_gradient_checkpointing()
        if recipe.attention_slicing:
            network.set_attention_slice("auto")
    betas, epsilon = (recipe.adam_beta1, recipe.adam_beta2), _adam_epsilon(recipe, device)
    return TrainingState(
        generator.eval(),
        fake_score.eval(),
        average.eval().requires_grad_(False),
        torch.optim.Adam(trainable(generator), recipe.lr_generator, betas, epsilon),
        torch.optim.Adam(trainable(fake_score), recipe.lr_fake_score, betas, epsilon),
        torch.Generator().manual_seed(seed),
    )


def _adam_epsilon(recipe: Recipe, device: torch.device) -> float:
    """Adam's epsilon: the recipe's, or what is published for the precision that the networks run in."""
    if recipe.adam_epsilon is not None:
        return recipe.adam_epsilon
    if recipe.precision == "bf16-weights":
        return 1e-4
    return 1e-8 if pick_dtype(recipe.precision, device) == torch.float32 else 1e-6


def _own(network: Network, rank: int, name: str, seed: int, adapters: Sequence[str]) -> Network:
    """What can be trained beside ``network``: a copy of it, or an adapter of this rank over its frozen weights."""
    if rank == 0:
        return copy.deepcopy(network).requires_grad_(True)
    own = sharing(network)
    add_lora(own, adapters, rank, name, seed)
    return own


def starting_networks(base: LoadedBase, recipe: Recipe) -> tuple[Network, Network]:
    """Return what the generator and the fake score start as: the base model's network twice, or the distilled pair.

    Raises:
        ModelRefused: if the distilled pair cannot be loaded.
    """
    distilled = base.model.distilled
    if distilled is None or not recipe.starts_distilled:
        return base.network, base.network
    family, folder = family_of(base.model.family), base.model.folder
    return family.load_network(folder / distilled.generator), family.load_network(folder / distilled.fake_score)


@torch.no_grad()
def update_average(average: Network, generator: Network, decay: float, step: int) -> None:
    """Update the exponential moving average of the generator's weights, with the usual short memory in the first
    steps."""
    decay = min(decay, (1 + step) / (10 + step))
    for mean, parameter in zip(trainable(average), trainable(generator), strict=True):
        mean.lerp_(parameter.to(mean.dtype), 1 - decay)
