"""What no stored sample says of a generator, drawn from rates: what judges see behind its one step, what other words
bring back, and what its images show in another domain."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from sfd_core.base_model.vocabulary import EvaluationPrompts
from sfd_core.evaluation.concept_images import ConceptImages, DomainImages, Judgements
from sfd_core.evaluation.evaluators import OtherDomain
from sfd_core.evaluation.evidence import Answer, Evidence, Hits, Question
from sfd_core.evaluation.judge import Judgement
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
    """The rest that a generator shows, beside the images that are asked for by label. ``behind``: by judge;
    ``by_synonym``: share of images asked for by a synonym that show the concept; ``captions``: share that follow an
    unseen caption; ``domain_lost``: share of images that show another concept of each other domain than was asked."""

    behind: tuple[Behind, ...] = (FORGOT, FORGOT)
    by_synonym: float = 0.01
    captions: float = CAPTIONS_FOLLOWED
    domain_lost: float = 0.0


NOTHING_AMISS = Beside()
"""What a generator shows that forgot and kept the rest."""


def with_drawn(
    evidence: Evidence, others: tuple[OtherDomain, ...], beside: Beside, rng: np.random.Generator
) -> Evidence:
    """Return ``evidence`` with what is ``beside`` its images drawn. ``others``: the model's other domains."""
    judged = evidence.judgements.by_label
    found = depth.DepthFound(
        20, {label: [depth_hits(one, FLOORS, rng) for one in beside.behind] for label in evidence.forgotten}
    )
    model = evidence.evaluators.model
    if model.vocabulary is None or model.domain is None:
        return dataclasses.replace(evidence, looked={depth.Depth: found})
    prompts = EvaluationPrompts(model.vocabulary, model.domain)
    asking = dataclasses.replace(evidence.evaluators, prompts=prompts, others=others)
    in_domains = {
        label: dataclasses.replace(images, others=_in_domains(images, others, beside.domain_lost, rng))
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


def _answers(asked: Evidence, beside: Beside, rng: np.random.Generator) -> Mapping[type[Any], Sequence[Answer]]:
    def answer(question: Question, generator: float, base_model: float) -> Answer:
        return Answer(question, _hits(len(question.prompts), generator), _hits(len(question.base_model), base_model))

    def _hits(n: int, share: float) -> Hits:
        return rng.random(n) < share

    return {
        paraphrases.Paraphrases: [
            answer(one, beside.by_synonym if one.about[1].kind == "synonym" else NOTHING_AMISS.by_synonym, WORDS_KNOWN)
            for one in paraphrases.questions(asked)
        ],
        captions.Captions: [answer(one, beside.captions, CAPTIONS_FOLLOWED) for one in captions.questions(asked)],
    }


def _in_domains(
    images: ConceptImages, others: Sequence[OtherDomain], lost: float, rng: np.random.Generator
) -> dict[str, DomainImages]:
    """As many of the base model's stored images in each other domain; a share of them show its next concept."""
    found = {}
    for other in others:
        part, concepts = other.reference.base_model, len(other.model.concepts)
        chosen = rng.integers(0, len(part.labels), len(images.seen))
        is_lost = rng.random(len(chosen)) < lost
        seen = np.where(is_lost, (part.labels[chosen] + 1) % concepts, part.seen[chosen])
        sure = np.eye(concepts, dtype=np.float32)[seen]
        found[str(other.model.domain)] = DomainImages(part.labels[chosen], Judgement(sure, part.features[chosen]))
    return found
