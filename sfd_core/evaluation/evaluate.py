"""From a generator to a report: is it gone, and is the rest intact?

Images are made and judged concept by concept, and only the judge's features and scores are kept. Every rate carries
its 95 % interval; the verdict is decided in ``verdict.py`` by thresholds that the request fixed before the run.
"""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sfd_core.evaluation.judge import ImageJudge, Judgement
from sfd_core.evaluation.metrics import frechet_distance, halves, kernel_distance
from sfd_core.evaluation.quick import QuickFigures
from sfd_core.evaluation.reference import Reference, ReferenceSet
from sfd_core.evaluation.verdict import Interval, judge_retention, judge_unlearning, overall, wilson
from sfd_core.forgetting import FixedOverride, override_to_json, remaining
from sfd_core.generator import OneStepGenerator
from sfd_core.loading import LoadedBase
from sfd_core.recipe import Recipe
from sfd_core.request import UnlearningRequest
from sfd_core.train import TrainingState

FIRST_SEED, SEEDS_A_CONCEPT = 1_000_000_000, 1_000_000
"""Image i of concept k is made from seed FIRST_SEED + k * SEEDS_A_CONCEPT + i: the same in every evaluation, and none
that the teacher's stored samples used."""
CHUNK = 512
Sample = Callable[[Sequence[int], Sequence[int]], NDArray[np.uint8]]
"""Class labels and seeds to images: a one-step generator's or a teacher's ``sample_labels``."""


@dataclass(frozen=True)
class Judged:
    """All images of an evaluation as the judge saw them, by class label."""

    by_label: dict[int, Judgement]

    def features(self, labels: Sequence[int]) -> NDArray[np.float32]:
        return np.concatenate([self.by_label[label].features for label in labels])


def seeds_of(label: int, n: int) -> range:
    """The seeds of the first n evaluation images of a class label."""
    first = FIRST_SEED + label * SEEDS_A_CONCEPT
    return range(first, first + n)


def judge_samples(sample: Sample, judge: ImageJudge, counts: dict[int, int]) -> Iterator[tuple[int, int, Judged]]:
    """Make and judge ``counts[label]`` images of each label. Yields (done, of, so far) after every chunk."""
    done, of = 0, sum(counts.values())
    by_label: dict[int, Judgement] = {}
    for label, n in counts.items():
        pieces = []
        for i in range(0, n, CHUNK):
            seeds = seeds_of(label, n)[i : i + CHUNK]
            pieces.append(judge.judge(sample([label] * len(seeds), seeds)))
            done += len(seeds)
            by_label[label] = Judgement(
                np.concatenate([p.probabilities for p in pieces]), np.concatenate([p.features for p in pieces])
            )
            yield done, of, Judged(by_label)


def evaluate(
    generator: OneStepGenerator, base: LoadedBase, judge: ImageJudge, reference: Reference, request: UnlearningRequest
) -> Iterator[tuple[int, int, dict[str, Any] | None]]:
    """Evaluate ``generator`` for ``request``. Yields (images done, of, None) and at last (of, of, the report's
    measured part): verdict, criteria, unlearning, retention, confusion and quality."""
    concepts = base.model.concepts
    forgotten = {item.concept: item for item in request.forget}
    plan = request.evaluation
    counts = {
        label: plan.images_per_forgotten_concept if concept in forgotten else plan.images_per_concept
        for label, concept in enumerate(concepts)
    }
    judged = Judged({})
    for done, of, judged in judge_samples(generator.sample_labels, judge, counts):  # noqa: B007 - the last one is used
        yield done, of, None
    yield of, of, report_of(judged, base, reference, request)


def report_of(judged: Judged, base: LoadedBase, reference: Reference, request: UnlearningRequest) -> dict[str, Any]:
    """The measured part of the report from what the judge saw."""
    concepts = base.model.concepts
    kept = [concepts.index(c) for c in remaining(request.forget, concepts)]
    unlearning = [_unlearning(item.concept, judged, reference, base, request) for item in request.forget]
    retention = [
        {
            "concept": concepts[label],
            "n": len(judged.by_label[label].seen),
            "generator": _json(_rate(judged.by_label[label].seen == label)),
            "teacher": _json(_rate(_seen(reference.teacher, label) == label)),
            "judge_on_real": base.model.judge.by_concept[label],
        }
        for label in kept
    ]
    generator_ra = _pooled([judged.by_label[label].seen == label for label in kept])
    teacher_ra = _pooled([_seen(reference.teacher, label) == label for label in kept])
    retained = judge_retention(teacher_ra, generator_ra, request.thresholds.retained_accuracy_drop)
    criteria = (
        *(
            judge_unlearning(row["concept"], row["n"] - row["seen"], row["n"], request.thresholds.unlearning_accuracy)
            for row in unlearning
        ),
        retained,
    )
    return {
        "verdict": overall(criteria),
        "criteria": [dataclasses.asdict(c) for c in criteria],
        "unlearning": unlearning,
        "retention": retention,
        "retained_accuracy": {
            "generator": _json(generator_ra),
            "teacher": _json(teacher_ra),
            "drop": _json(retained.measured),
        },
        "confusion": {
            "concepts": list(concepts),
            "generator": [_row(judged.by_label[label].seen, len(concepts)) for label in range(len(concepts))],
            "teacher": [_row(_seen(reference.teacher, label), len(concepts)) for label in range(len(concepts))],
        },
        "quality": _quality(judged, reference, kept),
    }


def _unlearning(
    concept: str, judged: Judged, reference: Reference, base: LoadedBase, request: UnlearningRequest
) -> dict[str, Any]:
    """One forgotten concept. UA = 1 - seen / n, with n the images that were asked for this concept."""
    concepts = base.model.concepts
    label = concepts.index(concept)
    judgement = judged.by_label[label]
    p = judgement.probabilities.astype(np.float64)
    n, seen = len(p), int((judgement.seen == label).sum())
    override = next(item.override for item in request.forget if item.concept == concept)
    row: dict[str, Any] = {
        "concept": concept,
        "override": override_to_json(override),
        "n": n,
        "seen": seen,
        "accuracy": _json(wilson(n - seen, n)),
        "mean_probability": float(p[:, label].mean()),
        "mean_entropy": float(-(p * np.log(np.clip(p, 1e-12, None))).sum(axis=1).mean()),
        "share_override": None,
    }
    if isinstance(override, FixedOverride):
        target = concepts.index(override.concept)
        real = _seen(reference.real, target)
        row["share_override"] = float((judgement.seen == target).mean())
        # What cannot be forgotten away: real images of the override in which this judge sees the forgotten concept.
        row["override_share_note"] = {"real_override_seen_as_forgotten": float((real == label).mean())}
    return row


def _quality(judged: Judged, reference: Reference, kept: list[int]) -> dict[str, Any]:
    """FD and KID over remaining concepts, forgotten ones left out on both sides."""
    samples = judged.features(kept)
    against: dict[str, dict[str, float] | None] = {}
    for name, part in (("against_real", reference.real.only(kept)), ("against_teacher", reference.teacher.only(kept))):
        if min(len(samples), len(part.features) // 2) <= samples.shape[1]:
            against[name] = None  # fewer images than features: no distance is printed
            continue
        kernel, floor = kernel_distance(part.features, samples), kernel_distance(*halves(part.features))
        against[name] = {
            "fd": frechet_distance(part.features, samples),
            "fd_floor": frechet_distance(*halves(part.features)),
            "kid": kernel.mean,
            "kid_std": kernel.std,
            "kid_floor": floor.mean,
        }
    return {"features": f"judge-{samples.shape[1]}", "n": len(samples), **against}


class QuickEvaluation:
    """The quick evaluation in training: ``images`` a concept of the averaged generator, always from the same seeds."""

    def __init__(
        self, base: LoadedBase, judge: ImageJudge, reference: Reference, request: UnlearningRequest, images: int = 16
    ) -> None:
        self.base, self.judge, self.request, self.images = base, judge, request, images
        concepts = base.model.concepts
        self.kept = [concepts.index(c) for c in remaining(request.forget, concepts)]
        self.forgotten = [concepts.index(item.concept) for item in request.forget]
        part = reference.teacher.only(self.kept)
        self.teacher = float((part.seen == part.labels).mean())

    def __call__(self, state: TrainingState) -> QuickFigures:
        generator = generator_of(state, self.base, self.request.recipe)
        counts = dict.fromkeys(self.kept, self.images) | dict.fromkeys(self.forgotten, self.images * 4)
        judged = Judged({})
        for _, _, judged in judge_samples(generator.sample_labels, self.judge, counts):  # noqa: B007
            pass
        ra = float(np.mean([(judged.by_label[label].seen == label).mean() for label in self.kept]))
        uas = [float((judged.by_label[label].seen != label).mean()) for label in self.forgotten]
        ua = min(uas) if uas else None
        thresholds = self.request.thresholds
        good = (
            ua is not None
            and ua >= thresholds.unlearning_accuracy
            and self.teacher - ra <= thresholds.retained_accuracy_drop / 2
        )
        return QuickFigures(state.step, state.images, state.seconds, ua, ra, good)


def generator_of(state: TrainingState, base: LoadedBase, recipe: Recipe) -> OneStepGenerator:
    """The averaged generator of a run, as it would be published now."""
    return OneStepGenerator.of(state.average, base.schedule, recipe.t_init, base.model)


def images_per_second(sample: Sample, labels: Sequence[int]) -> float:
    """How fast ``sample`` makes one image for each of ``labels``, after a warm-up."""
    seeds = range(FIRST_SEED, FIRST_SEED + len(labels))
    sample(labels[:16], seeds[:16])
    began = time.perf_counter()
    sample(labels, seeds)
    return len(labels) / (time.perf_counter() - began)


def _seen(part: ReferenceSet, label: int) -> NDArray[np.int64]:
    seen: NDArray[np.int64] = part.seen[part.labels == label]
    return seen


def _rate(hits: NDArray[np.bool_]) -> Interval:
    return wilson(int(hits.sum()), len(hits))


def _pooled(hits: Sequence[NDArray[np.bool_]]) -> Interval:
    return _rate(np.concatenate(list(hits)))


def _row(seen: NDArray[np.int64], concepts: int) -> list[float]:
    return [float(share) for share in np.bincount(seen, minlength=concepts) / len(seen)]


def _json(interval: Interval) -> dict[str, float | int]:
    return dataclasses.asdict(interval)
