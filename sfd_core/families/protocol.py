"""What the loop, the evaluation and the service know of a family of models. Every family's ``family.py`` has it."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

import torch
from torch import Tensor, nn

from sfd_core.base_model.manifest import BaseModel
from sfd_core.families.attacked import AttackedNetwork
from sfd_core.families.parameterization import Parameterization
from sfd_core.families.sampling import Images, ImageSampler
from sfd_core.families.usage import Usage
from sfd_core.prompts.plan import PromptPlan
from sfd_core.request.unlearning_request import UnlearningRequest


class Score(Protocol):
    """A conditional score network ``f(x_t, t, c)``, whatever it predicts inside. ``network`` holds the weights."""

    network: nn.Module

    def __call__(self, x_t: Tensor, t: Tensor, c: Tensor) -> Tensor:
        """x0 from ``x_t`` [B, C, H, W] at ``t`` [B] under condition ``c`` [B]; float32."""
        ...

    def guided(self, x_t: Tensor, t: Tensor, c: Tensor, *kappas: float) -> tuple[Tensor, ...]:
        """Return x0 at each of ``kappas``, the strengths of guidance; 1 is none."""
        ...

    def steered(self, x_t: Tensor, t: Tensor, c: Tensor, kappa: float) -> Tensor:
        """Return x0, guided by ``kappa`` where a condition says what it is guided away from (a negative prompt), and
        not guided elsewhere."""
        ...


@dataclass(frozen=True)
class LoadedBase:
    """A base model in memory: its manifest, its network in float32 and how that is written, all on one device. A family
    may keep more in a class of its own."""

    model: BaseModel
    network: Any
    schedule: Parameterization

    def unread(self, prompts: Sequence[str]) -> Mapping[str, str]:
        """Return the ends of ``prompts`` that the model does not read, by prompt."""
        return {}


@dataclass(frozen=True)
class ConditionTable:
    """The conditions that a run may ask for. A condition is a number: a class label, or a row of a table of prompts.

    ``forgotten``: the conditions of each forgotten concept. ``remaining``: those that stay. ``overrides``: by forgotten
    condition, what may override it, each equally likely. ``judged``: forgotten conditions that a judge chooses for.
    ``dropped``: what a condition becomes that is dropped where the fake score is trained; None where none may be.
    """

    forgotten: Sequence[Sequence[int]]
    remaining: Sequence[int]
    overrides: Mapping[int, Sequence[int]]
    judged: Collection[int] = ()
    dropped: int | None = None


@dataclass(frozen=True)
class TrainingPlan:
    """The parts that a run trains with. ``score``: makes a score of a network. ``forgetting``, ``distilling``: what a
    step of either stage may ask for."""

    score: Callable[[nn.Module], Score]
    forgetting: ConditionTable
    distilling: ConditionTable


@runtime_checkable
class Generator(Protocol):
    """A generator of one step, or a few: what is trained, published, opened again and sampled. ``network``: what it
    asks, ``network_evaluations`` times an image."""

    network: Any
    network_evaluations: int

    @property
    def usage(self) -> Usage:
        """How stock diffusers draws with the folder that it is saved to."""
        ...

    @property
    def start(self) -> float:
        """The time at which it asks its network first."""
        ...

    def sample_labels(self, labels: Sequence[int], seeds: Sequence[int]) -> Images:
        """Make one image for each (concept of the base model, seed)."""
        ...

    def save(self, folder: Path) -> None:
        """Write the folder that stock diffusers opens."""
        ...


@runtime_checkable
class ClassGenerator(Generator, Protocol):
    """A one-step generator of classes. ``concepts``: their names, by label."""

    concepts: tuple[str, ...]


class Family(Protocol):
    """A family of models: all that differs between one and another."""

    def load(self, model: BaseModel, device: torch.device | str) -> LoadedBase:
        """Load the networks of ``model``, whose files were verified, on ``device``.

        Raises:
            ModelRefused: naming the file and what is wrong with it.
        """
        ...

    def load_network(self, folder: Path) -> Any:
        """Load one network of the family from its folder, on the CPU.

        Raises:
            ModelRefused: as :meth:`load`.
        """
        ...

    def plan(
        self, base: LoadedBase, request: UnlearningRequest, prompts: PromptPlan | None, device: torch.device
    ) -> TrainingPlan:
        """Plan what a run of ``request`` trains with. ``prompts``: the plan of a model that is asked by prompts."""
        ...

    def generator(self, network: Any, base: LoadedBase, start: float, steps: int = 1) -> Generator:
        """Make the generator that is this network, asked first at time ``start`` and ``steps`` times in all; the
        network is shared.

        Raises:
            ValueError: for more steps than generators of the family make.
        """
        ...

    def attacked(self, network: Any, base: LoadedBase, start: float) -> AttackedNetwork:
        """Return this network, asked once at time ``start``, as the probes attack it; the network is shared."""
        ...

    def load_generator(self, folder: Path, device: str) -> Generator:
        """Open a folder that a generator of the family was saved to. Nothing of it is executed.

        Raises:
            ModelRefused: naming the file and what is wrong with it.
        """
        ...

    def files(self, folder: Path) -> dict[str, str]:
        """Return the SHA-256 of every file of a saved generator, by name. What lies beside it (the card, the
        evaluation, the record) speaks of these and is not among them."""
        ...

    def base_sampler(self, base: LoadedBase, device: torch.device | str, steps: int | None = None) -> ImageSampler:
        """Return the untouched model at ``steps`` steps an image (default: its own)."""
        ...

    def encoded(self, images: Images, base: LoadedBase) -> Tensor:
        """Return the x0 [n, C, H, W] that ``images`` stand for in the network's own space, on the network's device."""
        ...

    def pictured(self, x0: Tensor, base: LoadedBase) -> Images:
        """Return the images that x0 [n, C, H, W] stands for."""
        ...

    def open_elsewhere(
        self, folder: Path, base: LoadedBase, steps: int | None, device: torch.device | str
    ) -> ImageSampler:
        """Open what makes images of ``base``'s concepts in a folder that was made elsewhere: a one-step generator, or a
        network of the family over its own schedule in ``steps`` steps (default: the base model's own).

        Raises:
            ModelRefused: for a folder that is neither, or whose conditions or images are not the base model's.
        """
        ...
