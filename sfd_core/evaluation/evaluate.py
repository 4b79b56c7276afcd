"""From a generator to a report: is it gone, and is the rest intact?

Images are made and judged concept by concept, and only scores and features are kept. Every rate carries its 95 %
interval; the verdict is decided in ``verdict.py`` by thresholds that the request fixed before the run. The same code
evaluates what a job has made, a generator made elsewhere, and the negative controls of the tests.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from sfd_core.evaluation.agreement import agreement
from sfd_core.evaluation.cross_domain import cross_domain
from sfd_core.evaluation.evaluators import Evaluators
from sfd_core.evaluation.features import FeatureExtractor, fd_name
from sfd_core.evaluation.intervals import wilson
from sfd_core.evaluation.judge import Judgement
from sfd_core.evaluation.judged import SEEDS_A_CONCEPT, Judged, Seen, judge_samples
from sfd_core.evaluation.metrics import frechet_interval
from sfd_core.evaluation.neighbours import neighbours
from sfd_core.evaluation.otherwise import otherwise
from sfd_core.evaluation.quality import clip_score, enough, further_quality, images_needed, quality, score_of
from sfd_core.evaluation.questions import Makes, Sample, by_label
from sfd_core.evaluation.rates import plain, pooled, rate, shares
from sfd_core.evaluation.reference import FeatureReference, Reference, ReferenceSet
from sfd_core.evaluation.unjudged import unjudged
from sfd_core.evaluation.verdict import (
    Criterion,
    judge_distance,
    judge_retention,
    judge_unlearning,
    overall,
    undecided,
    undecided_distance,
)
from sfd_core.prompts.plan import PromptPlan
from sfd_core.request.concepts import FixedOverride, remaining, written_override
from sfd_core.request.unlearning_request import UnlearningRequest

REFERENCE_SEEDS = SEEDS_A_CONCEPT // 2
"""How far the seeds of reference images that are made on the spot lie from those of the images that are judged."""


@dataclass(frozen=True)
class Measured:
    """``report``: the measured part of the report; ``judged``: what it was counted from; ``evaluators``: those that
    looked, with the concepts and prompts that the request led to."""

    report: dict[str, Any]
    judged: Judged
    evaluators: Evaluators


def evaluate(
    sample: Sample | Makes,
    evaluators: Evaluators,
    request: UnlearningRequest,
    *,
    plan: PromptPlan | None = None,
    teacher: Sample | Makes | None = None,
    refused: Collection[int] = (),
    seed_offset: int = 0,
) -> Iterator[tuple[int, int, Measured | None]]:
    """Evaluate ``sample`` for ``request``. Yields (images done, of, None), at last (of, of, what was measured).

    ``plan``: the prompts of a text-to-image model, as admission made them. ``teacher``: makes reference images where
    the base model ships none (of a judge, or of an extractor's features), and says which other phrasings it knows; a
    text-to-image model without a judge of its own needs it. ``refused``: forgotten labels of which a filter makes no
    image. ``seed_offset``: other images than the report's own, for repeated evaluations of one generator.
    """
    ours, theirs = _makes(sample), None if teacher is None else _makes(teacher)
    evaluators = evaluators.asking(request, plan)
    concepts = evaluators.model.concepts
    forgotten = [concepts.index(item.concept) for item in request.forget]
    looked_at = request.evaluation
    counts = {
        label: looked_at.images_per_forgotten_concept if label in forgotten else looked_at.images_per_concept
        for label in range(len(concepts))
    }
    by_teacher = _asked_of_teacher(evaluators, counts, forgotten, looked_at.images_per_concept) if theirs else {}
    done_before, of = sum(counts.values()), sum(counts.values()) + sum(by_teacher.values())
    judged = Judged({})
    images = by_label(ours, evaluators.prompts)
    for done, _, judged in judge_samples(  # noqa: B007
        images, evaluators, counts, forgotten, refused, seed_offset
    ):
        yield done, of, None
    if by_teacher and theirs is not None:
        looking = dataclasses.replace(evaluators.judge_alone(), extractors=_without_reference(evaluators))
        seen = Judged({})
        images = by_label(theirs, evaluators.prompts)
        # From other seeds than the generator's: at the same ones a teacher measured here would be its own reference.
        for done, _, seen in judge_samples(  # noqa: B007
            images, looking, by_teacher, (), (), seed_offset + REFERENCE_SEEDS
        ):
            yield done_before + done, of, None
        evaluators = _with_own_references(evaluators, seen, by_teacher)
    said: dict[str, Any] = {"phrasings": None, "retained_captions": None, "nsfw": None}
    if ours.prompts is not None and theirs is not None and theirs.prompts is not None:
        for done, more, parts in otherwise(ours.prompts, theirs.prompts, evaluators, request, seed_offset):
            yield of + done, of + more, None
            said = parts or said
    report = report_of(judged, evaluators, request) if evaluators.judge else unjudged(judged, evaluators, request)
    yield of, of, Measured({**report, **said}, judged, evaluators)


def _makes(sample: Sample | Makes) -> Makes:
    return sample if isinstance(sample, Makes) else Makes(sample)


def _without_reference(evaluators: Evaluators) -> list[FeatureExtractor]:
    return [extractor for extractor in evaluators.extractors if extractor.name not in evaluators.references]


def _asked_of_teacher(
    evaluators: Evaluators, counts: Mapping[int, int], forgotten: Sequence[int], most: int
) -> dict[int, int]:
    """Images by label that the teacher has to make as a reference: of every concept where the judge has none, of the
    remaining ones where only an extractor has none."""
    if evaluators.judge is not None and evaluators.reference is None:
        return {label: min(n, most) for label, n in counts.items()}
    return {label: n for label, n in counts.items() if label not in forgotten} if _without_reference(evaluators) else {}


def _with_own_references(evaluators: Evaluators, teacher: Judged, counts: Mapping[int, int]) -> Evaluators:
    """With the teacher's images of this evaluation as the references that were missing: no real images are at hand."""
    labels = np.repeat(list(counts), list(counts.values()))
    made = {}
    for extractor in _without_reference(evaluators):
        features = teacher.features(list(counts), extractor.name)
        made[extractor.name] = FeatureReference(extractor.name, features[:0], labels[:0], features, labels)
    reference = evaluators.reference
    if evaluators.judge is not None and reference is None:
        seen = [teacher.by_label[label].judgement for label in counts]
        probabilities = np.concatenate([judgement.probabilities for judgement in seen])
        confidence = probabilities[np.arange(len(labels)), labels]
        of_teacher = ReferenceSet(teacher.features(list(counts)), labels, probabilities.argmax(axis=1), confidence)
        reference = Reference(of_teacher.only([]), of_teacher)
    return dataclasses.replace(evaluators, references={**evaluators.references, **made}, reference=reference)


def report_of(judged: Judged, evaluators: Evaluators, request: UnlearningRequest) -> dict[str, Any]:
    """The measured part of the report from what the evaluators saw.

    Raises:
        ValueError: for evaluators without reference statistics.
    """
    concepts, reference = evaluators.model.concepts, _reference(evaluators)
    kept = [concepts.index(c) for c in remaining(request.forget, concepts)]
    forgotten = [concepts.index(item.concept) for item in request.forget]
    unlearning = [_unlearning(item.concept, judged, evaluators, request) for item in request.forget]
    generator_ra = pooled([judged.by_label[label].seen == label for label in kept])
    kept_by_teacher = reference.teacher.only(kept)
    teacher_ra = rate(kept_by_teacher.seen == kept_by_teacher.labels)
    retained = judge_retention(teacher_ra, generator_ra, request.thresholds.retained_accuracy_drop)
    crossed, crossing = cross_domain(judged, evaluators, kept, request.thresholds.cross_domain_accuracy_drop)
    criteria = (
        *(
            judge_unlearning(row["concept"], row["n"] - row["seen"], row["n"], request.thresholds.unlearning_accuracy)
            for row in unlearning
        ),
        retained,
        *crossing,
        _distance(judged, evaluators, kept, request.thresholds.frechet_distance_ratio),
    )
    return {
        "verdict": overall(criteria),
        "criteria": [dataclasses.asdict(c) for c in criteria],
        "unlearning": unlearning,
        "retention": [_retention(label, judged.by_label[label], evaluators) for label in kept],
        "retained_accuracy": {
            "generator": plain(generator_ra),
            "teacher": plain(teacher_ra),
            "drop": plain(retained.measured) if retained.measured else None,
        },
        "cross_domain": crossed,
        "agreement": agreement(judged, reference, concepts, forgotten),
        "neighbours": neighbours(judged, reference.teacher, concepts, forgotten, kept),
        "confusion": {
            "concepts": list(concepts),
            "generator": [shares(judged.by_label[label].seen, len(concepts)) for label in range(len(concepts))],
            "teacher": [shares(reference.teacher.only([label]).seen, len(concepts)) for label in range(len(concepts))],
        },
        "quality": _quality(judged, evaluators, kept),
        "inception_score": {
            "name": "IS-judge",
            "generator": score_of(np.concatenate([judged.by_label[k].judgement.probabilities for k in kept])),
        },
        "clip_score": clip_score(judged, evaluators, kept),
        "evaluators": evaluators.as_json(),
    }


def _reference(evaluators: Evaluators) -> Reference:
    if evaluators.reference is None:
        raise ValueError("no reference statistics: the base model ships none, and no teacher made any")
    return evaluators.reference


def _unlearning(concept: str, judged: Judged, evaluators: Evaluators, request: UnlearningRequest) -> dict[str, Any]:
    """One forgotten concept. UA = 1 - seen / n, with n the images that were asked for this concept."""
    concepts, reference = evaluators.model.concepts, _reference(evaluators)
    label = concepts.index(concept)
    images = judged.by_label[label]
    p = images.judgement.probabilities.astype(np.float64)
    n, seen = len(p), int((images.seen == label).sum())
    override = next(item.override for item in request.forget if item.concept == concept)
    row: dict[str, Any] = {
        "concept": concept,
        "override": written_override(override),
        "n": n,
        "seen": seen,
        "accuracy": plain(wilson(n - seen, n)),
        "second_judge": _second_opinion(images.second, label),
        "mean_probability": float(p[:, label].mean()),
        "mean_entropy": float(-(p * np.log(np.clip(p, 1e-12, None))).sum(axis=1).mean()),
        "share_override": None,
    }
    # Words that replace others need not be a concept that the judge knows.
    if isinstance(override, FixedOverride) and override.concept in concepts:
        target = concepts.index(override.concept)
        real = reference.real.only([target]).seen
        row["share_override"] = float((images.seen == target).mean())
        # What cannot be forgotten away: real images of the override in which this judge sees the forgotten concept.
        if len(real):
            row["override_share_note"] = {"real_override_seen_as_forgotten": float((real == label).mean())}
    return row


def _second_opinion(second: Judgement | None, label: int) -> dict[str, Any] | None:
    if second is None:
        return None
    seen = int((second.seen == label).sum())
    return {"seen": seen, "accuracy": plain(wilson(len(second.seen) - seen, len(second.seen)))}


def _retention(label: int, images: Seen, evaluators: Evaluators) -> dict[str, Any]:
    """One remaining concept, the teacher's accuracy beside it and the judge's own on real images."""
    teacher, judge = _reference(evaluators).teacher.only([label]), evaluators.model.judge
    second = None
    if images.second is not None and teacher.second_seen is not None:
        second = {
            "generator": plain(rate(images.second.seen == label)),
            "teacher": plain(rate(teacher.second_seen == label)),
        }
    return {
        "concept": evaluators.model.concepts[label],
        "n": len(images.seen),
        "generator": plain(rate(images.seen == label)),
        "teacher": plain(rate(teacher.seen == label)),
        "judge_on_real": judge.by_concept[label] if judge is not None else None,
        "second_judge": second,
    }


def _distance(judged: Judged, evaluators: Evaluators, kept: Sequence[int], threshold: float) -> Criterion:
    """FD to real images on the judge's features, over the teacher's own FD."""
    samples, reference = judged.features(kept), _reference(evaluators)
    real, teacher = (part.only(list(kept)).features for part in (reference.real, reference.teacher))
    if not len(reference.real.labels):
        reason = (
            "there are no real images to measure a Frechet distance to: the base model ships no reference of any "
            "(docs/base-models.md says how to add one)"
        )
        return undecided("frechet_distance_ratio", threshold, reason)
    if not (enough(samples, real) and enough(teacher, real)):
        return undecided_distance(len(samples), images_needed(samples.shape[1]), threshold)
    return judge_distance(frechet_interval(real, samples), frechet_interval(real, teacher), threshold)


def _quality(judged: Judged, evaluators: Evaluators, kept: list[int]) -> list[dict[str, Any]]:
    """The judge's features first, then every extractor's that has a reference."""
    reference, samples = _reference(evaluators), judged.features(kept)
    name = f"judge-{samples.shape[1]}"
    real, teacher = (part.only(kept).features for part in (reference.real, reference.teacher))
    return [quality(name, fd_name(name), samples, real, teacher), *further_quality(judged, evaluators, kept)]
