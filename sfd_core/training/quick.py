"""The quick evaluation in training: a few images of the averaged generator, for the curves and to know when a check is
worth its time.

It never decides a verdict; the evaluation after training does, on many more images.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class QuickFigures:
    """UA and RA by point estimate on a few images, and where in the run they were taken.

    ``good``: UA and RA are as near to what the thresholds ask for as so few images can tell. The losses are those of
    the step before.
    """

    step: int
    images: int
    seconds: float
    unlearning_accuracy: float | None
    retained_accuracy: float
    good: bool
    loss_generator: float | None = None
    loss_fake_score: float | None = None
