"""From a generator to a report: is it gone, and is the rest intact?

Images are made and judged concept by concept, and only scores and features are kept. Every rate carries its 95 %
interval; the verdict is decided in ``verdict.py`` by thresholds that the request fixed before the run. The same code
evaluates what a job has made, a generator made elsewhere, and the negative controls of the tests.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from sfd_core.evaluation.agreement import agreement
from sfd_core.evaluation.evaluators import Evaluators
from sfd_core.evaluation.features import fd_name
from sfd_core.evaluation.judge import Judgement
from sfd_core.evaluation.judged import SEEDS_A_CONCEPT, Judged, Sample, Seen, judge_samples
from sfd_core.evaluation.metrics import frechet_interval
from sfd_core.evaluation.neighbours import neighbours
from sfd_core.evaluation.quality import enough, images_needed, quality, score_of
from sfd_core.evaluation.rates import mean_of, plain, pooled, rate, shares
from sfd_core.evaluation.reference import FeatureReference
from sfd_core.evaluation.verdict import (
    Criterion,
    judge_distance,
    judge_retention,
    judge_unlearning,
    overall,
    undecided_distance,
    wilson,
)
from sfd_core.forgetting import FixedOverride, override_to_json, remaining
from sfd_core.request import UnlearningRequest

REFERENCE_SEEDS = SEEDS_A_CONCEPT // 2
"""How far the seeds of reference images that are made on the spot lie from those of the images that are judged."""


@dataclass(frozen=True)
class Measured:
    """``report``: the measured part of the report; ``judged``: what it was counted from."""

    report: dict[str, Any]
    judged: Judged


def evaluate(
    sample: Sample,
    evaluators: Evaluators,
    request: UnlearningRequest,
    *,
    teacher: Sample | None = None,
    refused: Collection[int] = (),
    seed_offset: int = 0,
) -> Iterator[tuple[int, int, Measured | None]]:
    """Evaluate ``sample`` for ``request``. Yields (images done, of, None), at last (of, of, what was measured).

    ``teacher``: makes reference images for an extractor whose features the base model does not ship. ``refused``:
    forgotten labels of which a filter makes no image. ``seed_offset``: other images than the report's own, for repeated
    evaluations of one generator.
    """
    concepts = evaluators.model.concepts
    forgotten = [concepts.index(item.concept) for item in request.forget]
    plan = request.evaluation
    counts = {
        label: plan.images_per_forgotten_concept if label in forgotten else plan.images_per_concept
        for label in range(len(concepts))
    }
    kept = {label: n for label, n in counts.items() if label not in forgotten}
    missing = [extractor for extractor in evaluators.extractors if extractor.name not in evaluators.references]
    ours, theirs = sum(counts.values()), sum(kept.values()) if missing and teacher is not None else 0
    judged = Judged({})
    for done, _, judged in judge_samples(  # noqa: B007
        sample, evaluators, counts, forgotten, refused, seed_offset
    ):
        yield done, ours + theirs, None
    if theirs and teacher is not None:
        looking = dataclasses.replace(evaluators.judge_alone(), extractors=missing)
        seen = Judged({})
        # From other seeds than the generator's: at the same ones a teacher measured here would be its own reference.
        for done, _, seen in judge_samples(  # noqa: B007
            teacher, looking, kept, (), (), seed_offset + REFERENCE_SEEDS
        ):
            yield ours + done, ours + theirs, None
        made = {e.name: _own_reference(seen, e.name, kept) for e in missing}
        evaluators = dataclasses.replace(evaluators, references={**evaluators.references, **made})
    yield ours + theirs, ours + theirs, Measured(report_of(judged, evaluators, request), judged)


def _own_reference(teacher: Judged, extractor: str, counts: dict[int, int]) -> FeatureReference:
    """The teacher's images of this evaluation as reference: no real images are at hand for these features."""
    labels = np.repeat(list(counts), list(counts.values()))
    features = teacher.features(list(counts), extractor)
    return FeatureReference(extractor, features[:0], labels[:0], features, labels)


def report_of(judged: Judged, evaluators: Evaluators, request: UnlearningRequest) -> dict[str, Any]:
    """The measured part of the report from what the evaluators saw."""
    concepts, reference = evaluators.model.concepts, evaluators.reference
    kept = [concepts.index(c) for c in remaining(request.forget, concepts)]
    forgotten = [concepts.index(item.concept) for item in request.forget]
    unlearning = [_unlearning(item.concept, judged, evaluators, request) for item in request.forget]
    generator_ra = pooled([judged.by_label[label].seen == label for label in kept])
    kept_by_teacher = reference.teacher.only(kept)
    teacher_ra = rate(kept_by_teacher.seen == kept_by_teacher.labels)
    retained = judge_retention(teacher_ra, generator_ra, request.thresholds.retained_accuracy_drop)
    criteria = (
        *(
            judge_unlearning(row["concept"], row["n"] - row["seen"], row["n"], request.thresholds.unlearning_accuracy)
            for row in unlearning
        ),
        retained,
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
        "clip_score": _clip(judged, evaluators, kept),
        "evaluators": evaluators.as_json(),
    }


def _unlearning(concept: str, judged: Judged, evaluators: Evaluators, request: UnlearningRequest) -> dict[str, Any]:
    """One forgotten concept. UA = 1 - seen / n, with n the images that were asked for this concept."""
    concepts, reference = evaluators.model.concepts, evaluators.reference
    label = concepts.index(concept)
    images = judged.by_label[label]
    p = images.judgement.probabilities.astype(np.float64)
    n, seen = len(p), int((images.seen == label).sum())
    override = next(item.override for item in request.forget if item.concept == concept)
    row: dict[str, Any] = {
        "concept": concept,
        "override": override_to_json(override),
        "n": n,
        "seen": seen,
        "accuracy": plain(wilson(n - seen, n)),
        "second_judge": _second_opinion(images.second, label),
        "mean_probability": float(p[:, label].mean()),
        "mean_entropy": float(-(p * np.log(np.clip(p, 1e-12, None))).sum(axis=1).mean()),
        "share_override": None,
    }
    if isinstance(override, FixedOverride):
        target = concepts.index(override.concept)
        real = reference.real.only([target]).seen
        row["share_override"] = float((images.seen == target).mean())
        # What cannot be forgotten away: real images of the override in which this judge sees the forgotten concept.
        row["override_share_note"] = {"real_override_seen_as_forgotten": float((real == label).mean())}
    return row


def _second_opinion(second: Judgement | None, label: int) -> dict[str, Any] | None:
    if second is None:
        return None
    seen = int((second.seen == label).sum())
    return {"seen": seen, "accuracy": plain(wilson(len(second.seen) - seen, len(second.seen)))}


def _retention(label: int, images: Seen, evaluators: Evaluators) -> dict[str, Any]:
    """One remaining concept, the teacher's accuracy beside it and the judge's own on real images."""
    teacher = evaluators.reference.teacher.only([label])
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
        "judge_on_real": evaluators.model.judge.by_concept[label],
        "second_judge": second,
    }


def _distance(judged: Judged, evaluators: Evaluators, kept: Sequence[int], threshold: float) -> Criterion:
    """FD to real images on the judge's features, over the teacher's own FD."""
    samples = judged.features(kept)
    real, teacher = (
        part.only(list(kept)).features for part in (evaluators.reference.real, evaluators.reference.teacher)
    )
    if not (enough(samples, real) and enough(teacher, real)):
        return undecided_distance(len(samples), images_needed(samples.shape[1]), threshold)
    return judge_distance(frechet_interval(real, samples), frechet_interval(real, teacher), threshold)


def _quality(judged: Judged, evaluators: Evaluators, kept: list[int]) -> list[dict[str, Any]]:
    """The judge's features first, then every extractor's that has a reference."""
    reference, samples = evaluators.reference, judged.features(kept)
    name = f"judge-{samples.shape[1]}"
    real, teacher = (part.only(kept).features for part in (reference.real, reference.teacher))
    rows = [quality(name, fd_name(name), samples, real, teacher)]
    for extractor in evaluators.extractors:
        if (known := evaluators.references.get(extractor.name)) is None:
            continue
        part = known.only(kept)
        rows.append(
            quality(
                extractor.name,
                fd_name(extractor.name, extractor.digest),
                judged.features(kept, extractor.name),
                part.real,
                part.teacher,
            )
        )
    return rows


def _clip(judged: Judged, evaluators: Evaluators, kept: Sequence[int]) -> dict[str, Any] | None:
    if evaluators.clip is None:
        return None
    scores = [clip for label in kept if (clip := judged.by_label[label].clip) is not None]
    measured = mean_of(np.concatenate(scores))
    return {"model": evaluators.clip.name, "digest": evaluators.clip.digest, "generator": plain(measured)}
