"""The quick evaluation while a run trains: few images, always from the same seeds, enough for a curve and to say when a
check (``own_check.py``) is worth its time. The report's figures come from ``evaluate.py``."""

from __future__ import annotations

import numpy as np

from sfd_core.evaluation.concept_images import QUICK_SEEDS, Judgements, judge_samples
from sfd_core.evaluation.criteria import complete, retained_accuracy_drop, unlearning_accuracy
from sfd_core.evaluation.evaluators import Evaluators
from sfd_core.families.lora import merged
from sfd_core.families.protocol import Generator, LoadedBase
from sfd_core.families.registry import family_of
from sfd_core.request.concepts import remaining
from sfd_core.request.recipe import Recipe
from sfd_core.request.unlearning_request import UnlearningRequest
from sfd_core.training.quick import QuickFigures
from sfd_core.training.state import TrainingState

RETAINED = 160
"""Images of remaining concepts, shared out among them."""


class QuickEvaluation:
    """An evaluation in training: at most ``images`` a remaining concept of the averaged generator, four times as many a
    forgotten one.

    Raises:
        ValueError: for evaluators without a judge or reference statistics.
    """

    def __init__(self, base: LoadedBase, evaluators: Evaluators, request: UnlearningRequest, images: int = 16) -> None:
        if evaluators.judge is None or evaluators.reference is None:
            raise ValueError("nothing can be judged in training without a judge and the base model's own figures")
        self.base, self.evaluators, self.request = base, evaluators.judge_alone(), request
        concepts = base.model.concepts
        self.kept = [concepts.index(c) for c in remaining(request.forget, concepts)]
        self.forgotten = [concepts.index(item.concept) for item in request.forget]
        each = max(1, min(images, RETAINED // len(self.kept)))
        self.counts = dict.fromkeys(self.kept, each) | dict.fromkeys(self.forgotten, images * 4)
        part = evaluators.reference.base_model.only(self.kept)
        self.base_model = float((part.seen == part.labels).mean())
        thresholds = complete(request.thresholds)
        # One image: the seeds are always the same, so one that stays wrong must not hold up a run for ever.
        self.unlearning = thresholds[unlearning_accuracy.NAME] - 1 / (images * 4)
        self.drop = thresholds[retained_accuracy_drop.NAME]

    def __call__(self, state: TrainingState) -> QuickFigures:
        generator = generator_of(state, self.base, self.request.recipe)
        judgements = Judgements({})
        for _, _, judgements in judge_samples(  # noqa: B007
            generator.sample_labels, self.evaluators, self.counts, seed_offset=QUICK_SEEDS
        ):
            pass
        ra = float(np.mean([(judgements.by_label[label].seen == label).mean() for label in self.kept]))
        uas = [float((judgements.by_label[label].seen != label).mean()) for label in self.forgotten]
        ua = min(uas) if uas else None
        good = ua is not None and ua >= self.unlearning and self.base_model - ra <= self.drop
        return QuickFigures(state.step, state.images, state.seconds, ua, ra, good)


def generator_of(state: TrainingState, base: LoadedBase, recipe: Recipe) -> Generator:
    """Return the averaged generator of a run, as it would be published now: a plain network, with its adapter folded
    in."""
    start, network = base.schedule.start(recipe), merged(state.whole("average"))
    return family_of(base.model.family).generator(network, base, start, recipe.steps)
