"""Asked in other words: does the forgotten concept come back by another name, do unseen captions still get what they
ask for, and what does an NSFW detector say? Few images each, the generator's and the teacher's at the same seeds.

None of it decides the verdict: which phrasings to try is this module's choice, not the request's.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sfd_core.evaluation.evaluators import Evaluators
from sfd_core.evaluation.intervals import difference
from sfd_core.evaluation.judged import SEEDS_A_CONCEPT, seeds_of
from sfd_core.evaluation.nsfw import NsfwDetector
from sfd_core.evaluation.questions import SamplePrompts
from sfd_core.evaluation.rates import plain, rate
from sfd_core.prompts.items import words_of
from sfd_core.prompts.phrasings import Phrasing, phrasings, rephrased, unseen_prompts
from sfd_core.request.concepts import Forget, remaining
from sfd_core.request.unlearning_request import UnlearningRequest

FIRST = 6 * SEEDS_A_CONCEPT // 10
"""How far these images' seeds lie from those of the images that are judged for the verdict."""
A_KIND = SEEDS_A_CONCEPT // 100
"""Seeds that are set aside for each kind of phrasing."""
EXAMPLES = 3
"""Prompts of a kind that a report prints."""
CHUNK = 96
"""Images between two signs of life: a teacher takes its many steps for each."""

Hits = NDArray[np.bool_]


@dataclass(frozen=True)
class Share:
    """Images that are shared out among several questions: ``fewest`` to ``most`` a question, about ``total`` in all."""

    total: int
    fewest: int
    most: int

    def each(self, questions: int) -> int:
        return max(self.fewest, min(self.most, self.total // max(questions, 1)))


PHRASED, PHRASED_TEACHER = Share(1200, 20, 120), Share(240, 4, 24)
"""Images a phrasing. The teacher only has to say whether it knows a phrasing at all, and takes many steps for it."""
CAPTIONED, CAPTIONED_TEACHER = Share(480, 1, 20), Share(96, 1, 4)
"""Images a remaining concept."""
FLAGGED, FLAGGED_TEACHER = Share(200, 50, 200), Share(48, 12, 48)
"""Images a forgotten concept, for the NSFW detector."""


@dataclass(frozen=True)
class _Question:
    """Image i is made from ``prompts[i]`` and ``seeds[i]``; the teacher makes those of ``taught``. ``look``: of images
    and their places, what counts as a hit."""

    prompts: Sequence[str]
    seeds: Sequence[int]
    taught: Sequence[int]
    look: Callable[[NDArray[np.uint8], Sequence[int]], Hits]


@dataclass(frozen=True)
class _Phrased:
    """One way to ask for the forgotten concept ``label``."""

    label: int
    phrasing: Phrasing
    question: _Question


def otherwise(
    generator: SamplePrompts,
    teacher: SamplePrompts,
    evaluators: Evaluators,
    request: UnlearningRequest,
    offset: int = 0,
) -> Iterator[tuple[int, int, dict[str, Any] | None]]:
    """Measure the report's ``phrasings``, ``retained_captions`` and ``nsfw``. Yields (images done, of, None), at last
    (of, of, these parts). ``evaluators``: asking for ``request``."""
    phrased = _phrased(evaluators, request, offset)
    captions, flagging = _captions(evaluators, request, offset), _flagging(evaluators, request, offset)
    questions = [one.question for one in phrased] + [one for one in (captions, flagging) if one is not None]
    of, done = sum(len(q.prompts) + len(q.taught) for q in questions), 0
    hits: list[tuple[Hits, Hits]] = []
    for question in questions:
        found: list[Hits] = []
        for make, places in ((generator, range(len(question.prompts))), (teacher, question.taught)):
            pieces = [np.zeros(0, np.bool_)]
            for i in range(0, len(places), CHUNK):
                some = places[i : i + CHUNK]
                images = make([question.prompts[k] for k in some], [question.seeds[k] for k in some])
                pieces.append(question.look(images, some))
                done += len(some)
                yield done, of, None
            found.append(np.concatenate(pieces))
        hits.append((found[0], found[1]))
    rest = iter(hits[len(phrased) :])
    parts = {
        "phrasings": _phrasings_part(phrased, hits, evaluators.model.concepts),
        "retained_captions": _captions_part(captions, *next(rest)) if captions is not None else None,
        "nsfw": _nsfw_part(evaluators.nsfw, *next(rest)) if flagging is not None and evaluators.nsfw else None,
    }
    yield of, of, parts


def _phrased(evaluators: Evaluators, request: UnlearningRequest, offset: int) -> list[_Phrased]:
    """Every other way to ask for each forgotten concept."""
    if (judge := evaluators.judge) is None:
        return []
    asked = [
        (evaluators.model.concepts.index(item.concept), kind, phrasing)
        for item in request.forget
        for kind, phrasing in enumerate(_phrasings(evaluators, item))
    ]
    ours = min(PHRASED.each(len(asked)), request.evaluation.images_per_forgotten_concept)
    theirs = min(PHRASED_TEACHER.each(len(asked)), ours)

    def shows(label: int) -> Callable[[NDArray[np.uint8], Sequence[int]], Hits]:
        return lambda images, _: judge.judge(images).seen == label

    found = []
    for label, kind, phrasing in asked:
        first = offset + seeds_of(label, 1)[0] + FIRST + kind * A_KIND
        prompts = [phrasing.prompts[i % len(phrasing.prompts)] for i in range(ours)]
        question = _Question(prompts, range(first, first + ours), range(theirs), shows(label))
        found.append(_Phrased(label, phrasing, question))
    return found


def _phrasings(evaluators: Evaluators, item: Forget) -> tuple[Phrasing, ...]:
    model, prompts = evaluators.model, evaluators.prompts
    label, words = model.concepts.index(item.concept), words_of(item)
    if model.vocabulary is not None and model.domain is not None:
        return phrasings(model.vocabulary, model.domain, label, words)
    asked = prompts.texts([label] * EXAMPLES, range(EXAMPLES)) if prompts is not None else []
    return rephrased(list(dict.fromkeys(asked)), words)


def _captions(evaluators: Evaluators, request: UnlearningRequest, offset: int) -> _Question | None:
    """Unseen captions of the remaining concepts. Without a vocabulary the concepts that remain are captions
    themselves: there is nothing more to ask."""
    model, judge = evaluators.model, evaluators.judge
    if model.vocabulary is None or model.domain is None or judge is None or not model.vocabulary.unseen_templates:
        return None
    kept = [model.concepts.index(concept) for concept in remaining(request.forget, model.concepts)]
    ours = min(CAPTIONED.each(len(kept)), request.evaluation.images_per_concept)
    theirs = min(CAPTIONED_TEACHER.each(len(kept)), ours)
    prompts: list[str] = []
    for label in kept:
        captions = unseen_prompts(model.vocabulary, model.domain, label)
        prompts += [captions[i % len(captions)] for i in range(ours)]
    labels = np.repeat(kept, ours)
    seeds = [offset + seeds_of(label, 1)[0] + FIRST + i for label in kept for i in range(ours)]
    taught = [i for i in range(len(prompts)) if i % ours < theirs]
    return _Question(prompts, seeds, taught, lambda images, at: judge.judge(images).seen == labels[list(at)])


def _flagging(evaluators: Evaluators, request: UnlearningRequest, offset: int) -> _Question | None:
    """Images asked for what is forgotten, at the seeds at which they were judged."""
    detector, ask = evaluators.nsfw, evaluators.prompts
    if detector is None or ask is None:
        return None
    forgotten = [evaluators.model.concepts.index(item.concept) for item in request.forget]
    ours = min(FLAGGED.each(len(forgotten)), request.evaluation.images_per_forgotten_concept)
    theirs = min(FLAGGED_TEACHER.each(len(forgotten)), ours)
    labels = [label for label in forgotten for _ in range(ours)]
    seeds = [offset + seed for label in forgotten for seed in seeds_of(label, ours)]
    taught = [i for i in range(len(labels)) if i % ours < theirs]
    return _Question(ask.texts(labels, seeds), seeds, taught, lambda images, _: detector.flagged(images))


def _phrasings_part(
    phrased: Sequence[_Phrased], hits: Sequence[tuple[Hits, Hits]], concepts: Sequence[str]
) -> list[dict[str, Any]] | None:
    """By concept, a row for each kind. Unlearning accuracy is the share in which the concept is NOT seen."""
    rows: dict[int, list[dict[str, Any]]] = {}
    for one, (ours, theirs) in zip(phrased, hits, strict=False):
        row = {
            "kind": one.phrasing.kind,
            "prompts": list(one.phrasing.prompts[:EXAMPLES]),
            "n": len(ours),
            "generator": plain(rate(~ours)),
            "teacher_seen": plain(rate(theirs)),
        }
        rows.setdefault(one.label, []).append(row)
    return [{"concept": concepts[label], "kinds": kinds} for label, kinds in rows.items()] or None


def _captions_part(question: _Question, ours: Hits, theirs: Hits) -> dict[str, Any]:
    generator, teacher = rate(ours), rate(theirs)
    return {
        "prompts": list(question.prompts[:: max(1, len(ours) // EXAMPLES)])[:EXAMPLES],
        "n": len(ours),
        "generator": plain(generator),
        "teacher": plain(teacher),
        "drop": plain(difference(teacher, generator)),
    }


def _nsfw_part(detector: NsfwDetector, ours: Hits, theirs: Hits) -> dict[str, Any]:
    return {
        "detector": detector.name,
        "version": detector.version,
        "threshold": detector.threshold,
        "generator": plain(rate(ours)),
        "teacher": plain(rate(theirs)),
    }
