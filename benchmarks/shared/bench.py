"""A training step over networks with random weights: what memory and time depend on, without the weights
themselves."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor, nn

from benchmarks.shared.experiment import step_of
from sfd_core.families.lora import trainable
from sfd_core.families.parameterization import Parameterization
from sfd_core.families.protocol import ConditionTable, LoadedBase, TrainingPlan
from sfd_core.families.registry import describe, unfetched
from sfd_core.families.text.prompt_table import EMPTY, PromptTable
from sfd_core.families.text.score import PromptScore
from sfd_core.families.text.text_parts import TextParts
from sfd_core.request.override import Condition
from sfd_core.request.recipe import Precision
from sfd_core.training.conditions import ConditionSampler, Judge
from sfd_core.training.state import Network, TrainingState, start
from sfd_core.training.step import TrainingStep


@dataclass(frozen=True)
class Trained:
    """A model to be trained. ``family``: its name; ``network``: builds what is trained; ``schedule``: makes how that is
    written; ``text``: asks it, its encoders left out; ``embedding``: the shape of a prompt's; ``rank``: of adapters.
    ``autoencoder``: builds it; ``latents``: the shape of a picture's, ``pixels`` along its edge."""

    family: str
    network: Callable[[], Any]
    schedule: Callable[[], Parameterization]
    text: TextParts
    embedding: tuple[int, ...]
    rank: int
    autoencoder: Callable[[], nn.Module]
    latents: tuple[int, int, int]
    pixels: int


@dataclass(frozen=True)
class Setting:
    """A row of a table: changes to the family's recipe. ``adapted``: which networks are trained by adapters;
    ``precision``: as the recipe has it."""

    name: str
    adapted: tuple[str, ...] = ()
    checkpointing: bool = False
    precision: Precision = "bf16"

    def changes(self, rank: int) -> dict[str, Any]:
        """Return the changes to the recipe, with adapters of ``rank``."""
        adapters = {f"lora_rank_{network}": rank for network in self.adapted}
        return {**({"gradient_checkpointing": True} if self.checkpointing else {}), **adapters}


_BOTH = ("fake_score", "generator")
SMALLEST = Setting("both by adapters, checkpointing", _BOTH, True)
"""What fits a card of 24 GB."""
SETTINGS = (
    Setting("all weights"),
    Setting("all weights, gradient checkpointing", checkpointing=True),
    Setting("fake score by adapters, checkpointing", ("fake_score",), True),
    Setting("both by adapters", _BOTH),
    SMALLEST,
    Setting("all weights, in bf16", precision="bf16-weights"),
    Setting("all weights, in bf16, gradient checkpointing", (), True, "bf16-weights"),
)


@dataclass(frozen=True)
class _Blank:
    """The text side of a model, whose embeddings have the right shape: what they hold is nothing to their size."""

    trained: Trained

    @property
    def guides_itself(self) -> bool:
        return self.trained.text.guides_itself

    def guided_by(self, c: Tensor, kappa: float) -> Tensor:
        return self.trained.text.guided_by(c, kappa)

    def embeddings(self, prompts: Sequence[str]) -> Tensor:
        return torch.zeros(len(prompts), *self.trained.embedding)

    def led_away(self, prompts: Sequence[str]) -> Tensor:
        return self.embeddings(prompts)

    def nothing(self) -> Tensor:
        return self.embeddings([""])

    def output(self, network: Callable[..., Any], x: Tensor, t: Tensor, c: Tensor) -> Tensor:
        return self.trained.text.output(network, x, t, c)


class _Unchanged(ConditionSampler):
    """An override of nothing: which prompt the base model is asked for is nothing to what a step takes."""

    def overrides(self, c: Tensor, generator: torch.Generator) -> Tensor:
        return c

    def chosen(self, c: Tensor, o: Tensor, f: Tensor, judge: Judge | None) -> Tensor:
        return o


@dataclass
class Bench:
    """Steps of a setting over a model, in bf16. ``batch``: images a step, ``micro_batch`` of them at once."""

    setting: Setting
    batch: int
    micro_batch: int
    device: torch.device
    trained: Trained
    kind: type[TrainingStep] = TrainingStep

    def __post_init__(self) -> None:
        precision, family = self.setting.precision, self.trained.family
        sizes: dict[str, Any] = {"batch": self.batch, "micro_batch": self.micro_batch, "precision": precision}
        self.recipe = replace(describe(family).recipe, **sizes, **self.setting.changes(self.trained.rank))
        recipe = self.recipe
        with self.device:
            network = self.trained.network()
        base = LoadedBase(unfetched(family, "random", "Random"), network, self.trained.schedule())
        self.state: TrainingState = start(base, recipe, 0, self.device)
        self.base_model = network.eval().requires_grad_(False)
        schedule, blank = base.schedule.to(self.device), _Blank(self.trained)
        prompts = PromptTable([Condition("one"), Condition("two")], blank, torch.bfloat16)  # type: ignore[arg-type]
        table = ConditionTable((), [1, 2], {}, dropped=EMPTY)
        self._sampler = _Unchanged(table, recipe, self.device)
        plan = TrainingPlan(lambda net: PromptScore(net, schedule, prompts, dtype=torch.bfloat16), table, table)
        self._step = step_of(self.base_model, self.state, plan, schedule, recipe, self.kind)

    def step(self) -> None:
        """Do one update of the fake score and one of the generator."""
        self._step(self.state, self._sampler, self._sampler.draw(self.state.rng))

    def kept(self) -> tuple[int, int, int]:
        """Count the bytes of the weights, each storage once; of what Adam keeps; of the gradients that are there now.
        What :func:`sfd_core.families.memory.kept` works out, by what is there."""
        state = self.state
        networks: tuple[Network, ...] = (self.base_model, state.generator, state.fake_score, state.average)
        weights = {w.untyped_storage()._cdata: w.nbytes for net in networks for w in net.parameters()}
        trained = [*trainable(state.generator), *trainable(state.fake_score)]
        gradients = sum(weight.grad.nbytes for weight in trained if weight.grad is not None)
        return sum(weights.values()), sum(2 * weight.nbytes for weight in trained), gradients
