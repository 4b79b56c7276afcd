"""Everything that a run must remember, and how it begins."""

from __future__ import annotations

import copy
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, TypeAlias

import torch
from torch import Tensor

from sfd_core.base_model.manifest_parts import PAIR
from sfd_core.base_model.saving import save_network
from sfd_core.families.device import pick_dtype
from sfd_core.families.lora import add_lora, merged, sharing, trainable
from sfd_core.families.protocol import LoadedBase
from sfd_core.families.registry import describe, family_of
from sfd_core.request.recipe import Recipe
from sfd_core.training.check import Check
from sfd_core.training.quick import QuickFigures
from sfd_core.training.ranks import ALONE, Next, Ranks

Network: TypeAlias = Any
"""A diffusers network of the family."""
PARTS = ("generator", "fake_score", "average", "optimizer_generator", "optimizer_fake_score")
"""What of a state is made of the networks' weights, by name."""


@dataclass
class TrainingState:
    """All that a run must remember. ``seconds`` counts training time over all attempts. ``ranks``: the processes that
    train it together; each may hold only its shards of the :data:`PARTS`."""

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
    ranks: Ranks = ALONE

    def gathered(self, part: str) -> Mapping[str, Tensor]:
        """Return all tensors of one of the :data:`PARTS`, whole. In the process that leads; those that follow do the
        same when they are told (``sfd_core.training.loop.follow``)."""
        held = getattr(self, part)
        tensors = _moments(held) if isinstance(held, torch.optim.Optimizer) else held.state_dict()
        return self.ranks.gathered(tensors, Next(self.step, PARTS.index(part)))

    def load(self, part: str, tensors: Mapping[str, Tensor]) -> None:
        """Load what :meth:`gathered` returned, in any number of processes; each does it by itself."""
        held = getattr(self, part)
        if isinstance(held, torch.optim.Optimizer):
            _load_moments(held, self.ranks.placed(tensors, _held_moments(held, tensors)))
        else:
            held.load_state_dict(self.ranks.placed(tensors, held.state_dict()))

    def whole(self, part: Literal["average", "fake_score"]) -> Network:
        """Return one of the networks as one that runs in the process that leads, alone."""
        return self.ranks.whole(getattr(self, part), self.gathered(part))


def start(
    base: LoadedBase,
    recipe: Recipe,
    seed: int,
    device: torch.device,
    ranks: Ranks = ALONE,
    pair: Path | None = None,
) -> TrainingState:
    """Make the state before the first step. Generator, fake score and average are copies of the teacher, or of the pair
    that was distilled from it with nothing forgotten (the first of two stages), where the base model ships one.

    ``ranks``: the processes that train it together, each of which makes it. ``pair``: a folder with another pair, whose
    generator an earlier run has published.

    Raises:
        ModelRefused: if the pair cannot be loaded.
    """
    theta, psi = (network.to(device) for network in starting_networks(base, recipe, pair))
    of_theta, of_psi = recipe.lora_rank_generator, recipe.lora_rank_fake_score
    modules = describe(base.model.family).adapters
    # One after the other: where a process holds shards, a second network need never be there whole.
    average = ranks.kept(_own(theta, of_theta, "generator", seed, modules).eval().requires_grad_(False))
    generator = _trained(_own(theta, of_theta, "generator", seed, modules), of_theta, recipe, ranks)
    fake_score = _trained(_own(psi, of_psi, "fake_score", seed, modules), of_psi, recipe, ranks)
    betas, epsilon = (recipe.adam_beta1, recipe.adam_beta2), _adam_epsilon(recipe, device)
    return TrainingState(
        generator,
        fake_score,
        average,
        torch.optim.Adam(trainable(generator), recipe.lr_generator, betas, epsilon),
        torch.optim.Adam(trainable(fake_score), recipe.lr_fake_score, betas, epsilon),
        torch.Generator().manual_seed(seed),
        ranks=ranks,
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


def _trained(network: Network, rank: int, recipe: Recipe, ranks: Ranks) -> Network:
    """``network``, which is :func:`_own`, as the recipe trains it."""
    if recipe.precision == "bf16-weights" and rank == 0:
        # Not the average, which is published: a slow one would stand still. Adapters lie over weights that are shared.
        for weight in network.parameters():
            weight.data = weight.data.bfloat16()
    if recipe.gradient_checkpointing:
        network.enable_gradient_checkpointing()
    if recipe.attention_slicing:
        network.set_attention_slice("auto")
    return ranks.trained(network.eval())


def starting_networks(base: LoadedBase, recipe: Recipe, pair: Path | None = None) -> tuple[Network, Network]:
    """Return what the generator and the fake score start as: the base model's network twice, or the distilled pair, or
    that in the folder ``pair``.

    Raises:
        ModelRefused: if the pair cannot be loaded.
    """
    distilled, family = base.model.distilled, family_of(base.model.family)
    if pair is not None:
        generator, fake_score = (pair / name for name in PAIR)
    elif distilled is not None and recipe.starts_distilled:
        generator, fake_score = (base.model.folder / name for name in (distilled.generator, distilled.fake_score))
    else:
        return base.network, base.network
    return family.load_network(generator), family.load_network(fake_score)


def save_pair(state: TrainingState, folder: Path) -> None:
    """Save what another run can start as: the moving average of the generator and the fake score as it stands, as plain
    networks in half precision. In the process that leads, as :meth:`TrainingState.whole`."""
    parts: tuple[Literal["average", "fake_score"], ...] = ("average", "fake_score")
    for name, part in zip(PAIR, parts, strict=True):
        save_network(copy.deepcopy(merged(state.whole(part))).half(), folder / name)


@torch.no_grad()
def update_average(average: Network, generator: Network, decay: float, step: int) -> None:
    """Update the exponential moving average of the generator's weights, with the usual short memory in the first
    steps."""
    decay = min(decay, (1 + step) / (10 + step))
    for mean, parameter in zip(trainable(average), trainable(generator), strict=True):
        mean.lerp_(parameter.to(mean.dtype), 1 - decay)


def _moments(optimizer: torch.optim.Optimizer) -> dict[str, Tensor]:
    """Adam's state as named tensors; parameters are numbered in the optimiser's order."""
    state: dict[int, dict[str, Any]] = optimizer.state_dict()["state"]
    return {f"{i}.{key}": value for i, values in state.items() for key, value in values.items()}


def _held_moments(optimizer: torch.optim.Optimizer, moments: Iterable[str]) -> dict[str, Tensor]:
    """By the name of each of ``moments`` the weight that it is held as; its count of steps is held by every process."""
    weights = [weight for group in optimizer.param_groups for weight in group["params"]]
    numbered = {name: name.split(".", 1) for name in moments}
    return {name: weights[int(i)] for name, (i, key) in numbered.items() if key != "step"}


def _load_moments(optimizer: torch.optim.Optimizer, moments: Mapping[str, Tensor]) -> None:
    whole = optimizer.state_dict()
    state: dict[int, dict[str, Tensor]] = {}
    for name, value in moments.items():
        index, key = name.split(".", 1)
        state.setdefault(int(index), {})[key] = value
    whole["state"] = state
    optimizer.load_state_dict(whole)
