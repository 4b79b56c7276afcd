"""The criteria, one a file: what a request may ask of a generator before it is released. Plain: does not import
torch."""

from __future__ import annotations

from collections.abc import Mapping

from sfd_core.discovery import discover
from sfd_core.errors import FieldError, InvalidRequest
from sfd_core.evaluation.criterion import CriterionSpec
from sfd_core.suggestions import unknown

CRITERIA: Mapping[str, CriterionSpec] = {spec.name: spec for spec in discover(__name__, "CRITERION", CriterionSpec)}
"""By the name that a request uses, in the order of a page."""


def complete(thresholds: Mapping[str, float]) -> dict[str, float]:
    """Return a request's thresholds with every default written out.

    Raises:
        InvalidRequest: for a threshold of no criterion, or one out of bounds; every wrong one is listed.
    """
    errors = [
        FieldError(f"/thresholds/{name}", unknown("threshold", name, CRITERIA))
        for name in thresholds
        if name not in CRITERIA
    ]
    whole = {name: thresholds.get(name, spec.default) for name, spec in CRITERIA.items()}
    errors += [error for name, spec in CRITERIA.items() if (error := spec.error(whole[name])) is not None]
    if errors:
        raise InvalidRequest(tuple(errors))
    return whole
