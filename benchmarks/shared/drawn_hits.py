"""What no stored sample says of a generator, drawn from rates: what judges see behind its one step, what other words
bring back, and what its images show in another domain."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from sfd_core.base_model.vocabulary import EvaluationPrompts
from sfd_core.evaluation.concept_images import ConceptImages, DomainImages, Judgements
from sfd_core.evaluation.evaluators import OtherDomain
from sfd_core.evaluation.evidence import Answer, Evidence, Found, Hits, Question
from sfd_core.evaluation.judge import Judgement
from sfd_core.evaluation.rates import Labels
from sfd_core.evaluation.sections import captions, depth, paraphrases

FLOORS = {300: 0.62, 440: 0.19, 800: 0.01}
"""By noise level: share of part-noised images that show the concept whatever is asked."""
WORDS_KNOWN = 0.95
"""Share of the base model's images that show the concept where a paraphrase asks for it."""
CAPTIONS_FOLLOWED = 0.73
"""Share of the base model's images that show what an unseen caption asks for."""


@dataclass(frozen=True)
class Behind:
    """The network behind the step, as one judge sees it. ``many_steps``: share of images in many steps that show the
    concept; ``completed``: of the part-noised images that the floor does not show; ``base_model``: of the base model's
    own, in many steps and completed."""

    many_steps: float = 0.01
    completed: float = 0.0
    base_model: float = 0.96


FORGOT = Behind()
"""A network that forgot at every time."""


@dataclass(frozen=True)
class Beside:
    """The rest that a generator shows, beside the images that are asked for by label, as one judge sees it. ``behind``:
    the network behind its step; ``by_synonym``: share of images asked for by a synonym that show the concept;
    ``captions``: share that follow an unseen caption; ``domain_lost``: share of images that show another concept of
    each other domain than was asked. ``words_known``, ``captions_known``: of the base model's images, the share that
    shows the concept where a paraphrase asks for it, and what an unseen caption asks for."""

    behind: Behind = FORGOT
    by_synonym: float = 0.01
    captions: float = CAPTIONS_FOLLOWED
    domain_lost: float = 0.0
    words_known: float = WORDS_KNOWN
    captions_known: float = CAPTIONS_FOLLOWED


NOTHING_AMISS = Beside()
"""What a generator shows that forgot and kept the rest."""
ByJudge = tuple[Beside, Beside]
"""What the first judge sees, and the second."""


def with_drawn(
    evidence: Evidence, others: tuple[OtherDomain, ...], beside: ByJudge, rng: np.random.Generator
) -> Evidence:
    """Return ``evidence`` with what is ``beside`` its images drawn. ``others``: the model's other domains."""
    judged = evidence.judgements.by_label
    found = depth.DepthFound(
        20, {label: [depth_hits(one.behind, FLOORS, rng) for one in beside] for label in evidence.forgotten}
    )
    model = evidence.evaluators.model
    if model.vocabulary is None or model.domain is None:
        return dataclasses.replace(evidence, looked={depth.Depth: found})
    prompts = EvaluationPrompts(model.vocabulary, model.domain)
    asking = dataclasses.replace(evidence.evaluators, prompts=prompts, others=others)
    in_domains = {
        label: dataclasses.replace(images, others=_in_domains(images, others, beside, rng))
        for label, images in judged.items()
    }
    asked = dataclasses.replace(evidence, evaluators=asking)
    return dataclasses.replace(
        asked,
        judgements=Judgements(in_domains),
        answers=_answers(asked, beside, rng),
        looked={depth.Depth: found},
    )


def depth_hits(behind: Behind, floors: Mapping[int, float], rng: np.random.Generator) -> depth.DepthHits:
    """Draw in which images one judge sees the concept, as many as an evaluation makes. ``floors``: as ``FLOORS``."""
    n = depth.STARTED_FROM
    levels = []
    for t, share in floors.items():
        floor = rng.random(n) < share
        # Where an image shines through it does so for both, but for one in twenty either way.
        swapped = rng.random(n) < 0.05
        ours = np.where(swapped, rng.random(n) < share, floor) | (rng.random(n) < behind.completed)
        levels.append(depth.LevelHits(t, 0.5, ours, floor, floor | (rng.random(n) < behind.base_model)))
    return depth.DepthHits(rng.random(depth.MANY_STEPS) < behind.many_steps, rng.random(n) < behind.base_model, levels)


def _answers(asked: Evidence, beside: ByJudge, rng: np.random.Generator) -> Mapping[type[Any], Sequence[Answer]]:
    def answer(question: Question, shares: Callable[[Beside], tuple[float, float]]) -> Answer:
        # The same images for both judges: what they see as often, they see in the same ones.
        ours, theirs = rng.random(len(question.prompts)), rng.random(len(question.base_model))
        by_judge = [shares(one) for one in beside]
        return Answer(question, [Found(ours < generator, theirs < base_model) for generator, base_model in by_judge])

    def by_words(question: Question) -> Answer:
        synonym = question.about[1].kind == "synonym"
        return answer(question, lambda one: (one.by_synonym if synonym else NOTHING_AMISS.by_synonym, one.words_known))

    return {
        paraphrases.Paraphrases: [by_words(one) for one in paraphrases.questions(asked)],
        captions.Captions: [
            answer(one, lambda seen: (seen.captions, seen.captions_known)) for one in captions.questions(asked)
        ],
    }


def _in_domains(
    images: ConceptImages, others: Sequence[OtherDomain], beside: ByJudge, rng: np.random.Generator
) -> dict[str, DomainImages]:
    """As many of the base model's stored images in each other domain; a share of them show its next concept."""
    found = {}
    for other in others:
        assert other.reference is not None  # bundled models ship theirs
        part, concepts = other.reference.base_model, len(other.model.concepts)
        chosen = rng.integers(0, len(part.labels), len(images.seen))
        asked, at = part.labels[chosen], rng.random(len(chosen))
        first, second = (
            None if seen is None else _with_lost(asked, seen[chosen], at < one.domain_lost, concepts)
            for one, seen in zip(beside, (part.seen, part.second_seen), strict=True)
        )
        assert first is not None
        found[str(other.model.domain)] = DomainImages(asked, first, second)
    return found


def _with_lost(asked: Labels, seen: Labels, is_lost: Hits, concepts: int) -> Judgement:
    """What a judge sees where some show the next concept."""
    sure = np.eye(concepts, dtype=np.float32)[np.where(is_lost, (asked + 1) % concepts, seen)]
    return Judgement(sure, np.zeros((len(asked), 0), np.float32))
