"""What a report does not say, in plain sentences."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

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

_BY_NAME = (
    "For the verdict, images were asked for by the concepts' names alone: no paraphrase, no misspelling, no other "
    "language."
)
_OTHERWISE = (
    "For the verdict, images were asked for by the prompts that were to be forgotten. Other phrasings were tried "
    "beside it, on fewer images and only those kinds that are shown; words that nobody thought of, and prompts that "
    "describe the concept without naming it, may still bring it back."
)
_NOBODY = (
    "No judge looked at the images: whether the concept is gone, and whether the rest is intact, was not measured."
)
_ZERO_SHOT = (
    "The judge is CLIP zero-shot: it was never tested on real images of these concepts, and says only which of the "
    "texts that it was given an image is nearest to."
)

_TRIED = {
    "relearning": "Relearning was tried with one method of fine-tuning, on the base model's own images, for the "
    "numbers of images and steps that are shown. More images, more steps, other methods and real images may bring "
    "back more.",
    "image_start": "The part-noised images were the base model's own, at the noise levels that are shown. Real "
    "images, and a search for the noise that leads to a given image, were not tried.",
    "condition_attack": "The search over the condition had a fixed budget and changed nothing else. A longer search, "
    "or one that changes the noise too, may find more.",
}
_NOT_TRIED = {
    "relearning": "Whether further training brings the concept back was not tried.",
    "image_start": "Whether the network shows the concept when it is started from a part-noised image of it was not "
    "tried.",
    "condition_attack": "Whether some other condition than the concept's name makes the generator show it was not "
    "tried.",
}


def limits_of(report: Mapping[str, Any]) -> list[str]:
    """:data:`LIMITS`, how images were asked for and judged, and of each probe what it did not try, or that it was not
    tried at all."""
    asked = (report.get("probes") or {}).get("asked") or ()
    here = [_OTHERWISE if report.get("phrasings") else _BY_NAME]
    judge = report.get("judge", {})
    if judge is None:
        here.append(_NOBODY)
    elif judge.get("accuracy", 0.0) is None:
        here.append(_ZERO_SHOT)
    return [*LIMITS, *here, *(_TRIED[name] if name in asked else _NOT_TRIED[name] for name in _TRIED)]
