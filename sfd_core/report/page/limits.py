"""What a report does not say, in plain sentences."""

from __future__ import annotations

from sfd_core.evaluation.probes import probes_for
from sfd_core.evaluation.sections import SECTIONS
from sfd_core.report.page.probes import asked_by
from sfd_core.report.report import Report

LIMITS = (
    "Every figure is measured on samples, by judges that err. A passing test is not proof that the concept is gone; "
    "tests of unlearning can be misled (“Verification of Machine Unlearning is Fragile”, ICML 2024).",
    "Score forgetting distillation remaps a condition: asked for the forgotten concept, the generator answers with "
    "something else. The verdict says how it answers, not what its weights still hold. A filter or another method "
    "that is measured here changes the answer in its own way, and the same is true of it.",
    "The base model is not changed. Whoever has a copy of it can still make the concept.",
    "What learns from the base model's own images, as a distilled generator does, inherits that model's errors and "
    "biases.",
    "This page says what was measured. It says nothing about which law or contract that satisfies.",
)
"""What holds for every report, whatever was asked for."""

_NO_JUDGE = (
    "No judge looked at the images: whether the concept is gone, and whether the rest is intact, was not measured."
)
_UNTRIED = (
    "The judge was never tested on real images of these concepts: how often it errs is not known. A judge by CLIP "
    "zero-shot says only which of the texts that it was given an image is nearest to."
)

SEVERAL_DOMAINS = (
    "The base model's images, and real ones, that the generator's are held against in a domain show what was forgotten "
    "in the other domains too (objects in a style that was forgotten), also where its accuracy on them is counted; the "
    "generator is not asked for that. Compared as pictures (distances, coverage, variety) it is counted as missing, so "
    "these figures are held to more than is asked."
)
"""Of a report on what was forgotten in several domains."""


def limits_of(report: Report) -> tuple[str, ...]:
    """List :data:`LIMITS`, those of each section, how images were judged, and of each probe for its kind of model
    what it did not try, or that it was not tried at all."""
    here = [limit for section in SECTIONS for limit in section.limits(report)]
    if report.judge is None:
        here.append(_NO_JUDGE)
    elif report.judge.accuracy is None:
        here.append(_UNTRIED)
    asked = report.probes.asked
    known = probes_for(asked_by(report))
    tried = (spec.tried if name in asked else spec.not_tried for name, spec in known.items())
    return (*LIMITS, *here, *tried)
