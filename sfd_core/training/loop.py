"""The training loop of Score Forgetting Distillation, to be read from top to bottom.

A run is a :class:`TrainingState` and a plan; :func:`train` advances the state and yields what happened after every
step. It does no input or output: whoever iterates decides when to save a checkpoint (``sfd_core.training.checkpoint``),
what to print and when to stop, by leaving the loop. A state that was saved after a step and loaded again goes on
exactly as the uninterrupted run would, bit for bit on the CPU.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

from sfd_core.families.device import device_of
from sfd_core.families.lora import sharing
from sfd_core.families.protocol import LoadedBase, Score, TrainingPlan
from sfd_core.request.recipe import Recipe
from sfd_core.request.unlearning_request import UnlearningRequest
from sfd_core.training.conditions import ConditionSampler, Judge
from sfd_core.training.quick import QuickFigures
from sfd_core.training.ranks import Next
from sfd_core.training.state import PARTS, TrainingState, starting_networks, update_average
from sfd_core.training.step import TrainingStep
from sfd_core.training.stopping import is_finished, spent


@dataclass(frozen=True)
class StepResult:
    """The outcome of one step. Losses are sums over pixels, means over the batch. ``quick``: a quick evaluation of the
    averaged generator, on the steps that have one. ``finished``: the budget is spent or the goal is reached."""

    step: int
    images: int
    seconds: float
    loss_generator: float
    loss_fake_score: float
    quick: QuickFigures | None
    finished: bool


class Steps:
    """The steps of one run, one after another, over the networks of its state. ``plan``: what the family made of the
    request. ``judge`` is needed for overrides by the judge."""

    def __init__(
        self,
        state: TrainingState,
        base: LoadedBase,
        recipe: Recipe,
        plan: TrainingPlan,
        judge: Judge | None,
    ) -> None:
        device = device_of(state.generator)
        base_network = sharing(base.network.to(device)).eval().requires_grad_(False)
        phi, psi, theta = (plan.score(network) for network in (base_network, state.fake_score, state.generator))
        theta_0 = _theta_0(base, phi, recipe, plan) if recipe.deep_weight else None
        self.state, self.recipe = state, recipe
        self.step = TrainingStep(phi, psi, theta, theta_0, base.schedule.to(device), recipe, judge)
        self.forgetting, self.distilling = (
            ConditionSampler(table, recipe, device) for table in (plan.forgetting, plan.distilling)
        )

    def take(self) -> tuple[float, float]:
        """Take one step. Returns the losses of the fake score and of the generator.

        Raises:
            TrainingDiverged: when a loss, a gradient or the generator's images are no longer finite or run away.
        """
        began, state, recipe = time.monotonic(), self.state, self.recipe
        sampler = self.distilling if state.images < recipe.distil_images else self.forgetting
        conditions = sampler.draw(state.rng, state.step)
        losses = self.step(state, sampler, conditions)
        update_average(state.average, state.generator, recipe.ema, state.step)
        state.step += 1
        state.images += recipe.batch
        state.seconds += time.monotonic() - began
        return losses


def train(
    state: TrainingState,
    base: LoadedBase,
    request: UnlearningRequest,
    *,
    plan: TrainingPlan,
    judge: Judge | None = None,
    quick_evaluation: Callable[[TrainingState], QuickFigures] | None = None,
) -> Iterator[StepResult]:
    """Advance ``state`` until the budget is spent, yielding after every step. The state's other processes
    :func:`follow`.

    ``plan``: what the family made of the same request.
    ``judge`` is needed for overrides by the judge. ``quick_evaluation`` is asked every ``recipe.evaluate_every`` steps
    and after the last. Where ``budget.until`` is "pass", whoever iterates checks the state between two steps
    (``stopping.check_due``) and leaves the loop once a check has passed.

    Raises:
        TrainingDiverged: when a loss, a gradient or the generator's images are no longer finite or run away.
    """
    recipe, budget = request.recipe, request.budget
    steps = Steps(state, base, recipe, plan, judge)
    while True:
        state.ranks.say_next(Next(state.step))
        loss_psi, loss_theta = steps.take()

        quick = None
        if quick_evaluation is not None and (spent(state, budget) or state.step % recipe.evaluate_every == 0):
            figures = quick_evaluation(state)
            quick = replace(figures, loss_generator=loss_theta, loss_fake_score=loss_psi)
            state.curve.append(quick)
        finished = is_finished(state, budget)
        yield StepResult(state.step, state.images, state.seconds, loss_theta, loss_psi, quick, finished)
        if finished:
            return


def follow(
    state: TrainingState,
    base: LoadedBase,
    request: UnlearningRequest,
    *,
    plan: TrainingPlan,
    judge: Judge | None = None,
) -> None:
    """Take the steps of a run that another process leads (:func:`train`), until it says that the last is taken, and
    help it to gather what it looks at or saves.

    ``state``, ``plan`` and ``judge`` are as that process's.

    Raises:
        TrainingDiverged: as the process that leads does, at the same step.
        RuntimeError: where this process stands at another step than the one that leads.
    """
    steps = Steps(state, base, request.recipe, plan, judge)
    while (told := state.ranks.told_next()) is not None:
        if told.step != state.step:
            # Each has read the checkpoints by itself, and gradients of different weights would be added up.
            raise RuntimeError(f"this process stands at step {state.step}, and the one that leads at {told.step}")
        if told.part is None:
            steps.take()
        else:
            state.gathered(PARTS[told.part])


def _theta_0(base: LoadedBase, phi: Score, recipe: Recipe, plan: TrainingPlan) -> Score:
    """The generator's network before its first step, frozen: the teacher, where that is what it starts as."""
    network, _ = starting_networks(base, recipe)
    if network is base.network:
        return phi
    return plan.score(network.to(device_of(phi.network)).eval().requires_grad_(False))
