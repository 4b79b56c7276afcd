"""What an evaluation asks for: the concepts it counts by label, and the prompt of every image of them.

A class-conditional model is asked by label alone. A text-to-image model is asked by prompts that (label, seed) alone
decide: those of its vocabulary where it has one, else those that the request itself names, with some of the captions
that were to be kept as the concepts that remain.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from sfd_core.base_model.manifest import BaseModel
from sfd_core.base_model.vocabulary import EvaluationPrompts
from sfd_core.families.registry import describe
from sfd_core.prompts.plan import PromptPlan
from sfd_core.request.overrides.fixed import FixedOverride
from sfd_core.request.unlearning_request import UnlearningRequest

Images = NDArray[np.uint8]
Sample = Callable[[Sequence[int], Sequence[int]], Images]
"""Class labels and seeds to images: a one-step generator's or a base model's ``sample_labels``."""
SamplePrompts = Callable[[Sequence[str], Sequence[int]], Images]
"""Prompts and seeds to images: ``sample_prompts`` of a text-to-image base model or of its generator."""
REMAINING_CAPTIONS = 24
"""Captions that stand for what remains where a model has no vocabulary: chance is then one in some 25."""


@dataclass(frozen=True)
class Samplers:
    """The two ways to make images: by label, and by prompt where it is a text-to-image model."""

    labels: Sample
    prompts: SamplePrompts | None = None


class Prompts(Protocol):
    """The prompt of every image of an evaluation."""

    def texts(self, labels: Sequence[int], seeds: Sequence[int]) -> list[str]:
        """Write one prompt for each (label, seed), by these alone."""
        ...


@dataclass(frozen=True)
class PlannedPrompts:
    """The prompts of each label that its images cycle through."""

    by_label: tuple[tuple[str, ...], ...]

    def texts(self, labels: Sequence[int], seeds: Sequence[int]) -> list[str]:
        asked = (self.by_label[label] for label in labels)
        return [prompts[seed % len(prompts)] for prompts, seed in zip(asked, seeds, strict=True)]


def questions_of(
    model: BaseModel, request: UnlearningRequest, plan: PromptPlan | None
) -> tuple[BaseModel, Prompts | None]:
    """Return ``model`` with the concepts that an evaluation of ``request`` counts, and how their images are asked for
    (None: by label). ``model``: seen in the domain of what is forgotten, if it has domains. ``plan``: what admission
    made of the request.

    Raises:
        ValueError: without a plan, of a text-to-image model that is asked by its prompts.
    """
    if model.vocabulary is not None and model.domain is not None:
        return model, EvaluationPrompts(model.vocabulary, model.domain)
    if not describe(model.family).takes_prompts:
        return model, None
    if plan is None:
        raise ValueError(f"{model.name} is asked by prompts: hand on the plan that admission made of them")
    asked = {
        item.concept: tuple(one.prompt for one in prompts)
        for item, prompts in zip(request.forget, plan.forgotten, strict=True)
    }
    for item, prompts in zip(request.forget, plan.forgotten, strict=True):
        if isinstance(item.override, FixedOverride):
            instead = (one.overrides[0].prompt for one in prompts)
            asked.setdefault(item.override.concept, tuple(dict.fromkeys(instead)))
    for caption in _spread(plan.retained, REMAINING_CAPTIONS):
        asked.setdefault(caption, (caption,))
    return dataclasses.replace(model, concepts=tuple(asked)), PlannedPrompts(tuple(asked.values()))


def by_label(samplers: Samplers, prompts: Prompts | None) -> Sample:
    """Return what makes images for (label, seed) as the evaluation asks for them: by its prompts, if there are any and
    they are taken."""
    if prompts is None or (by_prompt := samplers.prompts) is None:
        return samplers.labels
    return lambda labels, seeds: by_prompt(prompts.texts(labels, seeds), seeds)


def _spread(captions: Sequence[str], n: int) -> list[str]:
    """At most ``n`` of them, evenly from the first to the last."""
    if len(captions) <= n:
        return list(captions)
    return [captions[i * len(captions) // n] for i in range(n)]
