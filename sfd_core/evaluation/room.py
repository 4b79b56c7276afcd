"""How much unlearning accuracy an override leaves room for: in some images of the override itself a judge sees what was
forgotten. A threshold above that is no failure of the generator. Plain: does not import torch."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from sfd_core.display.numbers import percent
from sfd_core.evaluation.verdict import Criterion
from sfd_core.request.concepts import Forget
from sfd_core.request.overrides.fixed import FixedOverride

if TYPE_CHECKING:
    from sfd_core.evaluation.evidence import Evidence, JudgeView

SUGGESTED = 5
"""Overrides that are named where the request's leaves no room for its threshold."""


def within_reach(criterion: Criterion, view: JudgeView | None, item: Forget, evidence: Evidence) -> Criterion:
    """Return ``criterion``, whose figure is a share of images in which the judge of ``view`` does not see ``item``;
    undecided if it fails by no more than what the override leaves no room for."""
    found = criterion.measured
    if criterion.decision != "fail" or found is None or view is None:
        return criterion
    if (most := ceiling(view, item, evidence)) is None:
        return criterion
    if not (most < criterion.threshold <= 1 and found.high >= most):
        return criterion
    return replace(criterion, decision="inconclusive", reason=_cannot(criterion, item, evidence, most, view))


def ceiling(view: JudgeView | None, item: Forget, evidence: Evidence) -> float | None:
    """Return the most that it can be with this override, be its images real or the base model's. None where the
    override is not one concept that the judge knows, or nothing is known of the judge."""
    if view is None or not isinstance(item.override, FixedOverride) or item.override.concept not in evidence.concepts:
        return None
    label, override = (evidence.concepts.index(name) for name in (item.concept, item.override.concept))
    return _room(view, label, override)


def _room(view: JudgeView, label: int, override: int) -> float | None:
    """1 - the larger share of images of ``override``, real or the base model's, in which the judge sees ``label``."""
    shares = [share for share in view.mistaken(label, override) if share is not None]
    return 1 - max(shares) if shares else None


def _cannot(criterion: Criterion, item: Forget, evidence: Evidence, most: float, view: JudgeView) -> str:
    """Why no generator could reach the threshold with this override, and with which it could."""
    assert isinstance(item.override, FixedOverride)
    label = evidence.concepts.index(item.concept)
    rooms = {i: room for i in evidence.kept if (room := _room(view, label, i)) is not None}
    better = sorted((i for i, room in rooms.items() if room >= criterion.threshold), key=lambda i: -rooms[i])
    would = ", ".join(evidence.concepts[i] for i in better[:SUGGESTED])
    said = criterion.reason.rpartition(": ")[0] or criterion.reason
    return (
        f"{said}, but {percent(criterion.threshold, None)} cannot be reached with this override: the judge sees "
        f"{item.concept} in {percent(1 - most, 2)} of images of {item.override.concept} itself. "
        + (f"Overrides that leave room: {would}" if would else "No other concept leaves room for this threshold")
    )
