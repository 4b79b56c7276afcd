"""The quick evaluation while a run trains: few images, always from the same seeds, enough for a curve and to say when a
check (``own_check.py``) is worth its time. The report's figures come from ``evaluate.py``."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from sfd_core.evaluation.concept_images import QUICK_SEEDS, Judgements, judge_samples
from sfd_core.evaluation.criteria import complete, retained_accuracy_drop, unlearning_accuracy
from sfd_core.evaluation.domain_parts import DomainPart, domain_parts
from sfd_core.evaluation.evaluators import Evaluators
from sfd_core.evaluation.questions import Samplers, by_label
from sfd_core.families.lora import merged
from sfd_core.families.protocol import Generator, LoadedBase
from sfd_core.families.registry import family_of
from sfd_core.families.sampling import PromptSampler, evaluation_prompts
from sfd_core.request.concepts import remaining
from sfd_core.request.recipe import Recipe
from sfd_core.request.unlearning_request import UnlearningRequest
from sfd_core.training.quick import QuickFigures
from sfd_core.training.state import TrainingState

RETAINED = 160
"""Images of remaining concepts, shared out among them."""
FORGOTTEN = 640
"""And at most these of forgotten ones, but for the few that each must have."""
FEWEST_FORGOTTEN = 16


class QuickEvaluation:
    """An evaluation in training: at most ``images`` a remaining concept of the averaged generator, four times as many a
    forgotten one.

    Raises:
        ValueError: for evaluators without a judge or reference statistics.
    """

    def __init__(self, base: LoadedBase, evaluators: Evaluators, request: UnlearningRequest, images: int = 16) -> None:
        if evaluators.judge is None or evaluators.reference is None:
            raise ValueError("nothing can be judged in training without a judge and the base model's own figures")
        self.base, self.request = base, request
        self.domains = [
            _QuickDomain(evaluators.seen_in(part.model), part, images, _of_each_forgotten(images, request))
            for part in domain_parts(request, base.model, None)
        ]
        thresholds = complete(request.thresholds)
        # One image: the seeds are always the same, so one that stays wrong must not hold up a run for ever.
        self.unlearning = thresholds[unlearning_accuracy.NAME] - 1 / _of_each_forgotten(images, request)
        self.drop = thresholds[retained_accuracy_drop.NAME]

    def __call__(self, state: TrainingState) -> QuickFigures:
        generator = generator_of(state, self.base, self.request.recipe)
        found = [domain(generator) for domain in self.domains]
        uas = [ua for each in found for ua in each.unlearning]
        ua = min(uas) if uas else None
        # Of several domains the figures of the worse: what stops a run must hold in each.
        worst = max(found, key=lambda each: each.base_model - each.retained)
        good = ua is not None and ua >= self.unlearning and worst.base_model - worst.retained <= self.drop
        return QuickFigures(state.step, state.images, state.seconds, ua, worst.retained, good)


@dataclass(frozen=True)
class _Quick:
    """Quick figures of one domain: UA of each forgotten concept, RA of the others, and the base model's."""

    unlearning: Sequence[float]
    retained: float
    base_model: float


class _QuickDomain:
    """The quick evaluation in one domain."""

    def __init__(self, evaluators: Evaluators, part: DomainPart, images: int, forgotten: int) -> None:
        assert evaluators.reference is not None
        concepts, forget = part.model.concepts, part.request.forget
        self.evaluators, self.prompts = evaluators.judge_alone(), evaluation_prompts(part.model)
        self.kept = [concepts.index(c) for c in remaining(forget, concepts)]
        self.forgotten = [concepts.index(item.concept) for item in forget]
        each = max(1, min(images, RETAINED // len(self.kept)))
        self.counts = dict.fromkeys(self.kept, each) | dict.fromkeys(self.forgotten, forgotten)
        reference = evaluators.reference.base_model.only(self.kept)
        self.base_model = float((reference.seen == reference.labels).mean())

    def __call__(self, generator: Generator) -> _Quick:
        by_prompt = generator.sample_prompts if isinstance(generator, PromptSampler) else None
        sample = by_label(Samplers(generator.sample_labels, by_prompt), self.prompts)
        judgements = Judgements({})
        for _, _, judgements in judge_samples(  # noqa: B007
            sample, self.evaluators, self.counts, seed_offset=QUICK_SEEDS
        ):
            pass
        ra = float(np.mean([(judgements.by_label[label].seen == label).mean() for label in self.kept]))
        uas = [float((judgements.by_label[label].seen != label).mean()) for label in self.forgotten]
        return _Quick(uas, ra, self.base_model)


def _of_each_forgotten(images: int, request: UnlearningRequest) -> int:
    """Images of each forgotten concept: four times as many as of a remaining one, fewer where many are forgotten."""
    return max(FEWEST_FORGOTTEN, min(images * 4, FORGOTTEN // len(request.forget)))


def generator_of(state: TrainingState, base: LoadedBase, recipe: Recipe) -> Generator:
    """Return the averaged generator of a run, as it would be published now: a plain network, with its adapter folded
    in."""
    start, network = base.schedule.start(recipe), merged(state.whole("average"))
    return family_of(base.model.family).generator(network, base, start, recipe.steps)
