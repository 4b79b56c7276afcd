"""The concepts nearest to a forgotten one: erasing one must not erase another."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from sfd_core.evaluation.intervals import difference
from sfd_core.evaluation.judged import Judged
from sfd_core.evaluation.rates import plain, rate
from sfd_core.evaluation.reference import ReferenceSet

NEAREST = 3


def nearest(teacher: ReferenceSet, forgotten: int, remaining: Sequence[int]) -> list[tuple[int, float]]:
    """The remaining concepts nearest to ``forgotten``, with how much the judge mixes the two up in the teacher's
    images: the share of one seen as the other, both ways added. Where nothing is mixed up (or the same share is),
    the distance between the mean features decides."""
    own = teacher.only([forgotten])
    centre = own.features.mean(axis=0)

    def mixed(label: int) -> float:
        other = teacher.only([label])
        return float((own.seen == label).mean() + (other.seen == forgotten).mean())

    def distance(label: int) -> float:
        return float(np.linalg.norm(teacher.only([label]).features.mean(axis=0) - centre))

    ordered = sorted(remaining, key=lambda label: (-mixed(label), distance(label)))
    return [(label, mixed(label)) for label in ordered[:NEAREST]]


def neighbours(
    judged: Judged, teacher: ReferenceSet, concepts: Sequence[str], forgotten: Sequence[int], kept: Sequence[int]
) -> list[dict[str, Any]]:
    """Rows of the report: each forgotten concept's three nearest, and how their retained accuracy fell."""
    rows = []
    for label in forgotten:
        for other, confusion in nearest(teacher, label, kept):
            after = rate(judged.by_label[other].seen == other)
            before = rate(teacher.only([other]).seen == other)
            rows.append(
                {
                    "forgotten": concepts[label],
                    "concept": concepts[other],
                    "confusion": confusion,
                    "generator": plain(after),
                    "teacher": plain(before),
                    "drop": plain(difference(before, after)),
                }
            )
    return rows
