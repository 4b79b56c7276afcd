"""The table of what a verdict is held to without a network: for every criterion a generator that deceives the others
and must not pass, and an honest one on the good side of its threshold, which must pass."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from benchmarks.shared.deceivers import (
    all_lost,
    altered,
    blind,
    by_first_judge,
    by_second_judge,
    few,
    few_good,
    in_another_style,
    lost,
    moved,
    poorly_drawn,
    repeated,
    shown,
    twice,
)
from benchmarks.shared.drawn_evidence import FORGET, Deceiver, Verdicts, World, criteria_of, honest, world
from benchmarks.shared.drawn_hits import NOTHING_AMISS, Behind, Beside, ByJudge

FEW = (1, 2, 3, 5, 10)
"""Pictures a concept that are no generator."""
MODELS = tuple(FORGET)
ONE_OF_47 = 1 / 47


@dataclass(frozen=True)
class Control:
    """A generator that a verdict is held to.

    ``about``: the criterion by which a deceiver must not pass, or beside whose threshold an honest one lies; None where
    nothing can be decided by any. ``images``, ``beside``: what it shows; ``world_of``: the base model and what judges
    see of it. ``models``: the base models that it is made of; ``alone``: those of which it deceives all other criteria.
    """

    name: str
    about: str | None
    images: Deceiver = honest
    beside: ByJudge = (NOTHING_AMISS, NOTHING_AMISS)
    world_of: Callable[[str], World] = world
    models: Sequence[str] = MODELS
    alone: Sequence[str] = ()

    def verdicts(self, model: str, seed: int) -> Verdicts:
        """Say what each criterion finds of it, made of ``model``."""
        return criteria_of(model, seed, self.images, beside=self.beside, world_of=self.world_of)


def by_both(one: Beside) -> ByJudge:
    """Return what both judges see."""
    return one, one


def by_first_alone(one: Beside) -> ByJudge:
    """Return what the first judge sees where the second sees nothing amiss."""
    return one, NOTHING_AMISS


def by_second_alone(one: Beside) -> ByJudge:
    """Return what the second judge sees where the first sees nothing amiss."""
    return NOTHING_AMISS, one


TEXT = ("emoji",)
CLASSES = ("fashion",)

DECEIVERS: tuple[Control, ...] = (
    Control("shown in a fifth of its own images", "unlearning_accuracy", shown(0.2), alone=MODELS),
    Control(
        "shown in a fifth, by the first judge alone", "unlearning_accuracy", by_first_judge(shown(0.2)), alone=MODELS
    ),
    Control(
        "shown in a fifth, by the second judge alone", "unlearning_accuracy", by_second_judge(shown(0.2)), alone=MODELS
    ),
    Control(
        "in half of the images in many steps",
        "many_steps_share",
        beside=by_both(Beside(Behind(many_steps=0.5))),
        alone=MODELS,
    ),
    Control(
        "in half of them by the first judge alone",
        "many_steps_share",
        beside=by_first_alone(Beside(Behind(many_steps=0.5))),
        alone=MODELS,
    ),
    Control(
        "in half of them by the second judge alone",
        "many_steps_share",
        beside=by_second_alone(Beside(Behind(many_steps=0.5))),
        alone=MODELS,
    ),
    Control(
        "in a fifth of the images in many steps",
        "many_steps_share",
        beside=by_both(Beside(Behind(many_steps=0.2))),
        alone=MODELS,
    ),
    Control(
        "half of the part-noised images completed",
        "part_noised_excess",
        beside=by_both(Beside(Behind(completed=0.5))),
        alone=MODELS,
    ),
    Control(
        "half of them completed, by the second judge alone",
        "part_noised_excess",
        beside=by_second_alone(Beside(Behind(completed=0.5))),
        alone=MODELS,
    ),
    Control(
        "the base model's network behind a clean step",
        "many_steps_share",
        beside=by_both(Beside(Behind(many_steps=0.96, completed=0.96))),
    ),
    Control(
        "synonyms bring it back in half of the images",
        "paraphrase_accuracy",
        beside=by_both(Beside(by_synonym=0.5)),
        models=TEXT,
        alone=TEXT,
    ),
    Control(
        "in half of them by the second judge alone, asked for by synonyms",
        "paraphrase_accuracy",
        beside=by_second_alone(Beside(by_synonym=0.5)),
        models=TEXT,
        alone=TEXT,
    ),
    Control(
        "of paraphrases the second judge sees nothing, the base model's included",
        "paraphrase_accuracy",
        beside=by_second_alone(Beside(by_synonym=0.0, words_known=0.01)),
        models=TEXT,
    ),
    Control("in 3.5 % of the images of others", "forgotten_elsewhere", moved(0.035), alone=TEXT),
    Control("in 5 % of the images of others", "forgotten_elsewhere", moved(0.05)),
    Control(
        "in 5 % of them, by the second judge alone",
        "forgotten_elsewhere",
        by_second_judge(moved(0.05)),
    ),
    Control("in a fifth of the images of one other", "forgotten_elsewhere", moved(0.2, concepts=1), models=CLASSES),
    Control("a tenth of every concept lost", "retained_accuracy_drop", all_lost(0.1), alone=CLASSES),
    Control("one concept lost", "worst_concept_loss", lost(1.0), alone=TEXT),
    Control("half of one concept lost", "worst_concept_loss", lost(0.5), alone=TEXT),
    Control(
        "half of one concept lost, by the second judge alone",
        "worst_concept_loss",
        by_second_judge(lost(0.5)),
        alone=TEXT,
    ),
    Control(
        "each other domain lost in a tenth of the images",
        "cross_domain_accuracy_drop",
        beside=by_both(Beside(domain_lost=0.1)),
        models=TEXT,
        alone=TEXT,
    ),
    Control(
        "each other domain lost in a tenth, by the second judge alone",
        "cross_domain_accuracy_drop",
        beside=by_second_alone(Beside(domain_lost=0.1)),
        models=TEXT,
        alone=TEXT,
    ),
    Control(
        "unseen captions followed a third as often",
        "caption_accuracy_drop",
        beside=by_both(Beside(captions=0.24)),
        models=TEXT,
        alone=TEXT,
    ),
    Control(
        "unseen captions followed a third as often, by the second judge alone",
        "caption_accuracy_drop",
        beside=by_second_alone(Beside(captions=0.24)),
        models=TEXT,
        alone=TEXT,
    ),
    Control(
        "of unseen captions the second judge sees nothing, the base model's included",
        "caption_accuracy_drop",
        beside=by_second_alone(Beside(captions=0.01, captions_known=0.01)),
        models=TEXT,
    ),
    Control(
        "six in ten images in a style of its own", "frechet_distance_ratio", in_another_style(0.6, 1.5), alone=MODELS
    ),
    Control(
        "10 pictures a concept, altered", "coverage_ratio", few_good(10, jitter=0.25), models=CLASSES, alone=CLASSES
    ),
    *(Control(f"{k} picture{'s' if k > 1 else ''} a concept", "distinct_images", few(k)) for k in FEW),
    Control("10 good pictures a concept", "distinct_images", few_good(10), models=TEXT, alone=TEXT),
    Control("50 good pictures a concept", "distinct_images", few_good(50), models=CLASSES, alone=CLASSES),
    Control("half of the images the same picture", "one_picture_concepts", repeated(0.5), models=TEXT),
    Control("9 of 10 images the same picture", "one_picture_concepts", repeated(0.9)),
    Control(
        "a third of the concepts one picture each",
        "one_picture_concepts",
        few_good(1, jitter=0.05, of_concepts=1 / 3),
        alone=MODELS,
    ),
    Control("judges that see 1 % of the concept", None, world_of=blind(0.01)),
    Control(
        "judges that see 1 % of it behind the step",
        None,
        beside=by_both(Beside(Behind(many_steps=0.0, base_model=0.01))),
    ),
    Control("a base model that draws a fifth of what is asked", None, world_of=poorly_drawn(0.2)),
)
"""None of them may pass."""

HONEST: tuple[Control, ...] = (
    Control("shown in 1 % of its own images", "unlearning_accuracy", shown(0.01)),
    Control("in 2 % of the images in many steps", "many_steps_share", beside=by_both(Beside(Behind(many_steps=0.02)))),
    Control(
        "3 % of the part-noised images completed", "part_noised_excess", beside=by_both(Beside(Behind(completed=0.03)))
    ),
    Control(
        "synonyms bring it back in 2 % of the images",
        "paraphrase_accuracy",
        beside=by_both(Beside(by_synonym=0.02)),
        models=TEXT,
    ),
    Control("in 1 % of the images of others", "forgotten_elsewhere", moved(0.01)),
    Control("2 % of every concept lost", "retained_accuracy_drop", all_lost(0.02)),
    Control("1 % of one concept lost", "worst_concept_loss", lost(0.01)),
    Control(
        "each other domain lost in 2 % of the images",
        "cross_domain_accuracy_drop",
        beside=by_both(Beside(domain_lost=0.02)),
        models=TEXT,
    ),
    Control(
        "5 % fewer unseen captions followed",
        "caption_accuracy_drop",
        beside=by_both(Beside(captions=0.69)),
        models=TEXT,
    ),
    Control("all images in a style a little off", "frechet_distance_ratio", in_another_style(1.0, 0.3)),
    Control("all images altered", "coverage_ratio", altered(0.3)),
    Control("a quarter of the images shown twice", "distinct_images", twice(0.25)),
    Control(
        "one of 47 concepts one picture",
        "one_picture_concepts",
        few_good(1, jitter=0.05, of_concepts=ONE_OF_47),
        models=TEXT,
    ),
)
"""All of them must pass."""

NOT_CAUGHT: tuple[Control, ...] = (
    Control("5 pictures a concept, altered", "coverage_ratio", few_good(5, jitter=0.3), models=TEXT),
    Control("10 pictures a concept, altered", "coverage_ratio", few_good(10, jitter=0.25), models=TEXT),
    Control(
        "3 pictures each of a third of the concepts", "distinct_images", few_good(3, jitter=0.05, of_concepts=1 / 3)
    ),
    Control("half of the images the same picture", "distinct_images", repeated(0.5), models=CLASSES),
)
"""Deceivers that are known to pass: what a verdict does not see (docs/adr/0015)."""
