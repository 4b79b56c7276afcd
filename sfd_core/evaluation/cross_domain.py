"""What images of the remaining concepts show in the other domains: forget an object, do the styles survive? The
cross-domain retained accuracy of UnlearnCanvas (Zhang et al. 2024, arXiv 2402.11846)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from sfd_core.evaluation.evaluators import Evaluators
from sfd_core.evaluation.intervals import difference
from sfd_core.evaluation.judged import Judged
from sfd_core.evaluation.rates import plain, rate
from sfd_core.evaluation.verdict import Criterion, judge_cross_domain


def cross_domain(
    judged: Judged, evaluators: Evaluators, kept: Sequence[int], threshold: float
) -> tuple[list[dict[str, Any]] | None, tuple[Criterion, ...]]:
    """A row of the report and a criterion for each other domain; ``None`` where there is none. The teacher's side is
    that domain's own reference: images of every concept, whatever they were asked for in this one."""
    rows, criteria = [], []
    for other in evaluators.others:
        name, concepts = str(other.model.domain), other.model.concepts
        ours = [judged.by_label[label].others[name] for label in kept]
        asked = np.concatenate([part.asked for part in ours])
        right = np.concatenate([part.judgement.seen for part in ours]) == asked
        teacher = other.reference.teacher
        theirs = teacher.seen == teacher.labels
        generator, before = rate(right), rate(theirs)
        criteria.append(judge_cross_domain(name, before, generator, threshold))
        rows.append(
            {
                "domain": name,
                "generator": plain(generator),
                "teacher": plain(before),
                "drop": plain(difference(before, generator)),
                "by_concept": [
                    {
                        "concept": concept,
                        # With few images a concept of a large domain may never have been asked for.
                        "generator": plain(rate(right[asked == k])) if (asked == k).any() else None,
                        "teacher": plain(rate(theirs[teacher.labels == k])),
                    }
                    for k, concept in enumerate(concepts)
                ],
            }
        )
    return rows or None, tuple(criteria)
