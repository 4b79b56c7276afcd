"""A base model, a request against it, and the pieces of a run over both: all that benchmarks take of how a run is put
together, in one place."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import torch
from torch import nn

from jobs.settings import load_settings
from sfd_core.admission import admit
from sfd_core.base_model.manifest import BaseModel
from sfd_core.evaluation.evaluators import Evaluators
from sfd_core.evaluation.in_training import generator_of
from sfd_core.evaluation.subject import ImageSource
from sfd_core.families.loading import load_base
from sfd_core.families.lora import sharing
from sfd_core.families.parameterization import Parameterization
from sfd_core.families.protocol import Generator, LoadedBase, TrainingPlan
from sfd_core.families.registry import family_of
from sfd_core.prepared import Checkpoints
from sfd_core.prompts.plan import PromptPlan
from sfd_core.report.examine import ReportDraft, examine, write_report
from sfd_core.request.recipe import Recipe
from sfd_core.request.unlearning_request import UnlearningRequest
from sfd_core.run import Event, Finished, unlearn
from sfd_core.training.conditions import ConditionSampler
from sfd_core.training.loop import StepResult, train
from sfd_core.training.ranks import ALONE, Ranks
from sfd_core.training.state import TrainingState, start
from sfd_core.training.step import TrainingStep

CPU = torch.device("cpu")
ENDLESS = 100_000_000
"""The largest budget, for a benchmark that stops by itself."""
Say = Callable[[int, int], None]
"""Told (done, of) while a report is made."""


def bundled(name: str) -> BaseModel:
    """Load a registered base model."""
    return load_settings().models()[name]


@dataclass(frozen=True)
class Experiment:
    """A base model in memory and what it is asked to forget."""

    base: LoadedBase
    request: UnlearningRequest
    prompts: PromptPlan | None = None
    device: torch.device = CPU

    @classmethod
    def of(cls, model: BaseModel, body: Mapping[str, Any], device: torch.device = CPU) -> Experiment:
        """Check ``body``, a request as a user would send it, against ``model`` and load the model."""
        admitted = admit(body, model)
        return cls(load_base(admitted.model, device), admitted.request, admitted.plan, device)

    @cached_property
    def plan(self) -> TrainingPlan:
        """The conditions of the request, and how a network is asked."""
        return family_of(self.base.model.family).plan(self.base, self.request, self.prompts, self.device)

    def sampler(self) -> ConditionSampler:
        """Return what draws the conditions of a step that forgets."""
        return ConditionSampler(self.plan.forgetting, self.request.recipe, self.device)

    def start(self, ranks: Ranks = ALONE) -> TrainingState:
        """Make networks of a run's own, before its first step."""
        return start(self.base, self.request.recipe, self.request.seed, self.device, ranks)

    def steps(self, state: TrainingState) -> Iterator[StepResult]:
        """Run a job's own loop, a step at a time, without quick evaluations."""
        return train(state, self.base, self.request, plan=self.plan)

    def step(self, state: TrainingState) -> TrainingStep:
        """Return the networks of ``state`` beside the base model's, for a benchmark that makes steps of its own."""
        phi = sharing(self.base.network).eval().requires_grad_(False)
        return step_of(phi, state, self.plan, self.base.schedule.to(self.device), self.request.recipe)

    def generator(self, state: TrainingState) -> Generator:
        """Return the averaged generator, as it would be published."""
        return generator_of(state, self.base, self.request.recipe)

    @cached_property
    def evaluators(self) -> Evaluators:
        """All that the base model ships."""
        return Evaluators.load(self.base.model, self.device)

    def examined(self, subject: ImageSource, say: Say = lambda done, of: None) -> ReportDraft:
        """Evaluate ``subject`` as a job evaluates its generator."""
        examined: ReportDraft | None = None
        for done, of, examined in examine(  # noqa: B007 - the last one is used
            subject, self.base, self.evaluators, self.request, self.device, self.prompts
        ):
            say(done, of)
        assert examined is not None
        return examined

    def report(
        self, subject: ImageSource, folder: Path, command: str, say: Say = lambda done, of: None
    ) -> dict[str, Any]:
        """Make the whole report of ``subject``, written into ``folder``. ``command``: what repeats it."""
        return dict(write_report(self.examined(subject, say), folder, [command]))


def step_of(
    phi: nn.Module,
    state: TrainingState,
    plan: TrainingPlan,
    schedule: Parameterization,
    recipe: Recipe,
    kind: type[TrainingStep] = TrainingStep,
) -> TrainingStep:
    """Return one step's networks: ``phi`` is frozen and what the generator started as, the others are those of
    ``state``."""
    f_phi, f_psi, f_theta = (plan.score(unet) for unet in (phi, state.fake_score, state.generator))
    return kind(f_phi, f_psi, f_theta, f_phi if recipe.deep_weight else None, schedule, recipe, None)


def job(
    model: BaseModel,
    body: Mapping[str, Any],
    out: Path,
    device: torch.device = CPU,
    checkpoints: Checkpoints | None = None,
) -> Iterator[Event]:
    """Run ``body`` as the library does, whole: train, evaluate, report."""
    return unlearn(admit(body, model), out, checkpoints=checkpoints, device=str(device))


def finished(events: Iterator[Event]) -> Finished:
    """Return the end of a run."""
    (*_, last) = events
    assert isinstance(last, Finished)
    return last
