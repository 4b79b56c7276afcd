"""What one judge sees of accuracy that is to remain. Plain: does not import torch."""

from __future__ import annotations

from dataclasses import dataclass

from sfd_core.evaluation.intervals import Interval, difference


@dataclass(frozen=True)
class AccuracyView:
    """The accuracy that is to remain, as one judge sees it."""

    generator: Interval
    """Share of the generator's images in which this judge sees what was asked."""
    base_model: Interval
    """The same of the base model."""
    drop: Interval
    """Base model minus generator, with Newcombe's interval."""

    @classmethod
    def of(cls, generator: Interval, base_model: Interval) -> AccuracyView:
        """Make the view of both shares."""
        return cls(generator, base_model, difference(base_model, generator))
