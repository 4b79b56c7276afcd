"""What can be said of a generator that no judge looked at: pictures, distances of features, an NSFW rate.
Nobody saw whether the concept is there, so nothing that needs to know it is decided."""

from __future__ import annotations

import dataclasses
from typing import Any

from sfd_core.evaluation.evaluators import Evaluators
from sfd_core.evaluation.judged import Judged
from sfd_core.evaluation.quality import clip_score, further_quality
from sfd_core.evaluation.verdict import overall, undecided
from sfd_core.request.concepts import remaining, written_override
from sfd_core.request.unlearning_request import UnlearningRequest

_RIGHT = "give CLIP weights (LETHE_CLIP_WEIGHTS), or a base model whose manifest names a judge"


def unjudged(judged: Judged, evaluators: Evaluators, request: UnlearningRequest) -> dict[str, Any]:
    """The measured part of the report without a judge: every criterion inconclusive, with what would decide it."""
    concepts, thresholds = evaluators.model.concepts, request.thresholds
    kept = [concepts.index(c) for c in remaining(request.forget, concepts)]
    counts = {item.concept: len(judged.by_label[concepts.index(item.concept)].seen) for item in request.forget}
    criteria = (
        *(
            undecided(
                "unlearning_accuracy",
                thresholds.unlearning_accuracy,
                f"no judge says whether {concept} is in an image: {_RIGHT}",
            )
            for concept in counts
        ),
        undecided(
            "retained_accuracy_drop",
            thresholds.retained_accuracy_drop,
            f"no judge says what the images of the other concepts show: {_RIGHT}",
        ),
        undecided(
            "frechet_distance_ratio",
            thresholds.frechet_distance_ratio,
            f"there is no judge on whose features a distance could be measured: {_RIGHT}",
        ),
    )
    return {
        "verdict": overall(criteria),
        "criteria": [dataclasses.asdict(c) for c in criteria],
        "unlearning": [
            {
                "concept": item.concept,
                "override": written_override(item.override),
                "n": counts[item.concept],
                "seen": None,
                "accuracy": None,
                "second_judge": None,
                "mean_probability": None,
                "mean_entropy": None,
                "share_override": None,
            }
            for item in request.forget
        ],
        "retention": [],
        "retained_accuracy": None,
        "cross_domain": None,
        "agreement": None,
        "neighbours": [],
        "confusion": None,
        "quality": further_quality(judged, evaluators, kept),
        "inception_score": None,
        "clip_score": clip_score(judged, evaluators, kept),
        "evaluators": evaluators.as_json(),
    }
