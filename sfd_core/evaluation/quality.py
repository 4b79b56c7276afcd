"""How good the remaining concepts look: distances to real images and to the teacher's own, forgotten concepts left out
on both sides. Each figure is named after its features."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sfd_core.evaluation.evaluators import Evaluators
from sfd_core.evaluation.features import fd_name
from sfd_core.evaluation.judged import Judged
from sfd_core.evaluation.metrics import (
    frechet_distance,
    frechet_interval,
    halves,
    inception_score,
    interval_needs,
    kernel_distance,
    precision_recall,
)
from sfd_core.evaluation.rates import mean_of, plain

Features = NDArray[np.float32]

NEIGHBOURS, SPLITS = 3, 10
"""k of precision and recall; parts of the inception score, fewer where there are fewer images."""
WIDE, IMAGES_FOR_WIDE = 1000, 10_000
"""On more features than this a Frechet distance is printed only of so many images: its bias would drown it."""


def quality(name: str, distance: str, samples: Features, real: Features, teacher: Features) -> dict[str, Any]:
    """One row of ``quality``: ``samples``, ``real`` and ``teacher`` are features [n, F] of remaining concepts only.
    ``images_needed``: fewest images of which a Frechet distance on these features is printed."""
    return {
        "features": name,
        "fd_name": distance,
        "n": len(samples),
        "images_needed": images_needed(samples.shape[1]),
        "against_real": _against(samples, real, teacher) if len(real) else None,
        "against_teacher": _against(samples, teacher, None),
    }


def images_needed(features: int) -> int:
    """Fewest images for a Frechet distance and its interval on so many features."""
    return IMAGES_FOR_WIDE if features > WIDE else interval_needs(features)


def enough(samples: Features, reference: Features) -> bool:
    """Whether a Frechet distance can be printed: enough images, and more than features in half of the reference."""
    features = samples.shape[1]
    return len(samples) >= images_needed(features) and len(reference) // 2 > features


def _against(samples: Features, reference: Features, teacher: Features | None) -> dict[str, Any]:
    """Distances, precision and recall; each is null where the images are too few for it."""
    kernel, floor = kernel_distance(reference, samples), kernel_distance(*halves(reference))
    near = min(len(samples), len(reference)) > NEIGHBOURS
    ours = precision_recall(reference, samples, NEIGHBOURS) if near else None
    theirs = precision_recall(reference, teacher, NEIGHBOURS) if near and teacher is not None else None
    printed = enough(samples, reference)
    return {
        "fd": plain(frechet_interval(reference, samples)) if printed else None,
        "fd_floor": frechet_distance(*halves(reference)) if printed else None,
        "fd_teacher": frechet_distance(reference, teacher) if printed and teacher is not None else None,
        "kid": kernel.mean,
        "kid_std": kernel.std,
        "kid_floor": floor.mean,
        "precision": ours.precision if ours else None,
        "recall": ours.recall if ours else None,
        "precision_teacher": theirs.precision if theirs else None,
        "recall_teacher": theirs.recall if theirs else None,
    }


def score_of(probabilities: Features) -> dict[str, float]:
    """The inception score's formula on a judge's probabilities, [n, K], of the SAMPLES."""
    score = inception_score(probabilities, min(SPLITS, len(probabilities)))
    return {"mean": score.mean, "std": score.std}


def further_quality(judged: Judged, evaluators: Evaluators, kept: Sequence[int]) -> list[dict[str, Any]]:
    """A row for every extractor's features that there is a reference of."""
    rows = []
    for extractor in evaluators.extractors:
        if (known := evaluators.references.get(extractor.name)) is None:
            continue
        part, samples = known.only(kept), judged.features(kept, extractor.name)
        distance = fd_name(extractor.name, extractor.digest)
        rows.append(quality(extractor.name, distance, samples, part.real, part.teacher))
    return rows


def clip_score(judged: Judged, evaluators: Evaluators, kept: Sequence[int]) -> dict[str, Any] | None:
    """The mean CLIP score of the remaining concepts' images and their prompts."""
    if evaluators.clip is None:
        return None
    scores = [clip for label in kept if (clip := judged.by_label[label].clip) is not None]
    measured = mean_of(np.concatenate(scores))
    return {"model": evaluators.clip.name, "digest": evaluators.clip.digest, "generator": plain(measured)}
