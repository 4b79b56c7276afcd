"""What sections measure from: the images as the evaluators saw them, and the answers to what was asked beside."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sfd_core.evaluation.concept_images import Judgements
from sfd_core.evaluation.evaluators import Evaluators, Judge
from sfd_core.evaluation.intervals import Interval
from sfd_core.evaluation.rates import Labels, pooled, rate
from sfd_core.evaluation.reference import Reference, ReferenceSet
from sfd_core.evaluation.verdict import each_judge
from sfd_core.request.concepts import remaining
from sfd_core.request.unlearning_request import UnlearningRequest

Hits = NDArray[np.bool_]
LookAt = Callable[[NDArray[np.uint8], Sequence[int]], Hits]
"""Says of images and their places in a question what counts as a hit."""


@dataclass(frozen=True)
class Question:
    """Further images that a section asks for by prompt: image i is made from ``prompts[i]`` and ``seeds[i]``, by the
    base model those at the places ``base_model`` alone. ``looks``: of everyone that looks at all of them, each judge in
    its turn. ``about``: for the section itself."""

    prompts: Sequence[str]
    seeds: Sequence[int]
    base_model: Sequence[int]
    looks: Sequence[LookAt]
    about: Any = None


@dataclass(frozen=True)
class Found:
    """The hits that one who looked found, [n] of the generator and [m] of the base model."""

    generator: Hits
    base_model: Hits


@dataclass(frozen=True)
class Answer:
    """The hits of one question. ``found``: by each that looked, in the order of the question's looks."""

    question: Question
    found: Sequence[Found]


@dataclass(frozen=True)
class Setting:
    """The evaluators that look, and the request that they look for. ``evaluators``: asking for it. ``seed_offset``: as
    in ``evaluate``."""

    evaluators: Evaluators
    request: UnlearningRequest
    seed_offset: int

    @property
    def concepts(self) -> tuple[str, ...]:
        return self.evaluators.model.concepts

    @property
    def judges(self) -> list[Judge]:
        """The judges that look at whatever is judged, the first one first; none where there is no judge."""
        first, second = self.evaluators.judge, self.evaluators.second_judge
        return [judge for judge in (first, second) if judge is not None]

    def looks_for(self, labels: Sequence[int]) -> list[LookAt]:
        """Return how each judge looks for the concept ``labels[i]`` in the image at place i."""
        asked = np.asarray(labels)

        def by(judge: Judge) -> LookAt:
            return lambda images, at: judge.judge(images).seen == asked[list(at)]

        return [by(judge) for judge in self.judges]

    @property
    def forgotten(self) -> list[int]:
        """Labels of what is forgotten, in the request's order."""
        return [self.concepts.index(item.concept) for item in self.request.forget]

    @property
    def kept(self) -> list[int]:
        """Labels of what remains, in the model's order."""
        return [self.concepts.index(concept) for concept in remaining(self.request.forget, self.concepts)]


@dataclass(frozen=True)
class JudgeView:
    """The view of one judge. ``who``: in words. ``generator``: the concepts seen in the images that were asked for each
    label. ``base_model``, ``real``: the references, with what this judge sees in their images."""

    who: str
    generator: Mapping[int, Labels]
    base_model: ReferenceSet
    real: ReferenceSet

    def right(self, labels: Sequence[int]) -> Interval:
        """Return the share of the generator's images of ``labels`` that show what was asked."""
        return pooled([self.generator[label] == label for label in labels])

    def seen_elsewhere(self, label: int, kept: Sequence[int]) -> tuple[Interval, Interval | None]:
        """Return the share of images asked for ``kept`` in which this judge sees ``label``, the generator's and the
        base model's; None where there are none of these."""
        part = self.base_model.only(kept)
        base_model = rate(part.seen == label) if len(part.labels) else None
        return pooled([self.generator[other] == label for other in kept]), base_model

    def mistaken(self, label: int, override: int) -> tuple[float | None, float | None]:
        """Return the share of images of ``override``, real and the base model's, in which this judge sees ``label``;
        None where there are none."""
        parts = (part.only([override]).seen for part in (self.real, self.base_model))
        real, base_model = (float((seen == label).mean()) if len(seen) else None for seen in parts)
        return real, base_model

    def base_model_right(self, labels: Sequence[int]) -> Interval | None:
        """Return the same of the base model's images; None where there are none of these concepts."""
        part = self.base_model.only(labels)
        return rate(part.seen == part.labels) if len(part.labels) else None


@dataclass(frozen=True)
class Evidence(Setting):
    """All that the sections measure from. ``answers``: by the section that asked, in the order of its questions.
    ``looked``: by the section that looked, what it saw of the generator's own network; empty where there is none to
    look at. ``refused``: forgotten labels of which a filter made no image. ``in_all``: how many concepts are forgotten
    where the request is one domain's part of a larger one; None where it is all."""

    judgements: Judgements
    answers: Mapping[type[Any], Sequence[Answer]]
    looked: Mapping[type[Any], Any] = field(default_factory=dict)
    refused: Collection[int] = ()
    in_all: int | None = None

    @property
    def looked_at(self) -> int:
        """For how many forgotten concepts at once the intervals of a verdict hold: also for those of other domains,
        for the worst of all decides."""
        return len(self.request.forget) if self.in_all is None else self.in_all

    @property
    def has_judge(self) -> bool:
        return self.evaluators.judge is not None

    def could_not_ask(self, section: type[Any], questions: Callable[[Setting], Sequence[Question]]) -> bool:
        """Return whether a section has questions to a model that is asked by prompts, and what is evaluated takes none:
        a filter of labels says nothing of what other words bring back."""
        return self.evaluators.prompts is not None and section not in self.answers and bool(questions(self))

    @cached_property
    def views(self) -> tuple[JudgeView, ...]:
        """What each judge sees that decides: the first, and the second where it has looked at the same images and at
        the base model's. There is none where no judge looked."""
        if not self.has_judge:
            return ()
        by_label, reference = self.judgements.by_label, self.reference
        first = {label: images.seen for label, images in by_label.items()}
        second = {label: images.second.seen for label, images in by_label.items() if images.second is not None}
        theirs, real = (_as_seen_by_the_second(part) for part in (reference.base_model, reference.real))
        by_second = None
        if len(second) == len(first) and theirs is not None and real is not None:
            by_second = second, theirs, real
        found = each_judge((first, reference.base_model, reference.real), by_second)
        return tuple(JudgeView(who, *seen) for who, seen in found)

    def view_of(self, judge: int) -> JudgeView | None:
        """Return the view of a judge in its turn; None where it never saw the base model's images."""
        views = self.views
        return views[judge] if judge < len(views) else None

    @property
    def reference(self) -> Reference:
        """Real images and the base model's, as the judge saw them.

        Raises:
            ValueError: for evaluators without reference statistics.
        """
        if self.evaluators.reference is None:
            raise ValueError("no reference statistics: the base model ships none, and none were made")
        return self.evaluators.reference


def _as_seen_by_the_second(part: ReferenceSet) -> ReferenceSet | None:
    """The same images with what the second judge sees in them; None where it never looked."""
    return None if part.second_seen is None else dataclasses.replace(part, seen=part.second_seen)
