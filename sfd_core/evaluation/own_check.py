"""A run's own check while it trains: the report's criteria, with a margin, on images that neither the report nor the
quick evaluation is made of. What it passes, ends the run (``budget.until``)."""

from __future__ import annotations

import dataclasses
import math
import time
from collections.abc import Iterator

import torch

from sfd_core.evaluation.concept_images import CHECK_SEEDS
from sfd_core.evaluation.domain_parts import DomainPart, domain_parts
from sfd_core.evaluation.evaluate import Measurement, evaluate, look_behind, measure
from sfd_core.evaluation.evaluators import Evaluators
from sfd_core.evaluation.in_training import generator_of
from sfd_core.evaluation.margin import missing
from sfd_core.evaluation.own_network import OwnNetwork
from sfd_core.evaluation.subject import ImageSource, base_sampler_of
from sfd_core.families.protocol import Generator, LoadedBase
from sfd_core.families.registry import describe
from sfd_core.prompts.plan import PromptPlan
from sfd_core.request.concepts import remaining
from sfd_core.request.evaluation_plan import EvaluationPlan
from sfd_core.request.unlearning_request import UnlearningRequest
from sfd_core.training.check import Check
from sfd_core.training.state import TrainingState

REMAINING = 1800
"""Images of remaining concepts, shared out among them: enough for every criterion on the bundled models."""
FEWEST = 30
"""Of each of them, where the report has as many: fewer would not show a single concept that is lost."""


def plan_of_check(asked: EvaluationPlan, kept: int) -> EvaluationPlan:
    """Return what a check looks at, of what the report will: as many images of each forgotten concept, whose share is
    small and needs them, and fewer of the ``kept`` others. No probes."""
    each = max(FEWEST, math.ceil(REMAINING / kept))
    return EvaluationPlan(min(asked.images_per_concept, each), asked.images_per_forgotten_concept)


class OwnCheck:
    """The checks of one run, in every domain in which something is forgotten. ``images``: asked for by label in one of
    them; ``worth``: the images that are trained on in that time."""

    def __init__(
        self,
        base: LoadedBase,
        evaluators: Evaluators,
        request: UnlearningRequest,
        plan: PromptPlan | None,
        device: torch.device,
    ) -> None:
        parts = domain_parts(request, base.model, plan)
        self.domains = [_DomainCheck(base, evaluators.deciding(), part, device) for part in parts]
        self.base, self.request = base, request
        self.images = sum(domain.images for domain in self.domains)
        self.worth = self.images / describe(base.model.family).checked_for_one

    def __call__(self, state: TrainingState) -> Iterator[Check | None]:
        """Check the averaged generator of ``state``. Yields None after every chunk of images, at last the check."""
        began = time.monotonic()
        generator = generator_of(state, self.base, self.request.recipe)
        made, lacks = 0, tuple[str, ...]()
        for domain in self.domains:
            before, found = made, None
            for made, found in domain(generator, len(state.checks) + 1, before):  # noqa: B007 - the last are used
                yield None
            assert found is not None
            # What one domain lacks is not made good by another: the rest need not be looked at.
            if lacks := found:
                break
        yield Check(state.step, state.images, time.monotonic() - began, made, lacks)


class _DomainCheck:
    """The check in one domain. ``images``: asked for by label."""

    def __init__(self, base: LoadedBase, evaluators: Evaluators, part: DomainPart, device: torch.device) -> None:
        request = part.request
        kept = len(remaining(request.forget, part.model.concepts))
        self.asked, self.looked_at = request.evaluation, plan_of_check(request.evaluation, kept)
        self.images = kept * self.looked_at.images_per_concept
        self.images += len(request.forget) * self.looked_at.images_per_forgotten_concept
        self.base, self.device = dataclasses.replace(base, model=part.model), device
        self.evaluators, self.plan, self.in_all = evaluators.seen_in(part.model), part.plan, part.in_all
        self.request = dataclasses.replace(request, evaluation=self.looked_at)
        self.base_model = ImageSource.many_steps(base_sampler_of(self.base, device), "base model").samplers

    def __call__(self, generator: Generator, check: int, before: int) -> Iterator[tuple[int, tuple[str, ...] | None]]:
        """Check ``generator`` for the run's check number ``check``. Yields (images made, None) after every chunk, at
        last what it lacks. ``before``: images that were made in other domains."""
        source = ImageSource.of_generator(generator)
        found: Measurement | None = None
        made = before
        for done, _, found in evaluate(  # noqa: B007 - the last one is used
            source.samplers,
            self.evaluators,
            self.request,
            plan=self.plan,
            base_model=self.base_model,
            seed_offset=CHECK_SEEDS,
            in_all=self.in_all,
        ):
            made = max(made, before + done)
            yield made, None
        assert found is not None
        lacks = missing(found, self.looked_at, self.asked, check)
        # In many steps an image takes as long as many do: only what would pass otherwise is asked that way.
        own = OwnNetwork.of(generator, self.base, self.request, self.plan, self.device)
        if not lacks and own is not None and self.evaluators.judge is not None:
            drawn = made
            for done, _, evidence in look_behind(found.evidence, own):  # noqa: B007
                made = drawn + done
                yield made, None
            lacks = missing(measure(evidence), self.looked_at, self.asked, check)
        yield made, lacks
