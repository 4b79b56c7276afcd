"""What to try after a job that did not pass: of each criterion why, by how much, and what may help it, as a request.

What may help a criterion the criterion says (``CriterionSpec.remedies``); how far to go, the report and the tenant's
earlier jobs of the same base model. What helped one of these comes first.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pydantic import TypeAdapter

from jobs.job import JsonObject
from sfd_core.display.numbers import number, percent
from sfd_core.display.overrides import written_in_words
from sfd_core.evaluation.criteria import CRITERIA
from sfd_core.evaluation.criterion import Remedy
from sfd_core.evaluation.intervals import Interval
from sfd_core.evaluation.verdict import Verdict
from sfd_core.request.concepts import MAX_BUDGET_IMAGES

MOST_JUDGED = 100_000
"""Evaluation images of a concept that a request may ask for, at most."""
SPARE = 1.2
"""More images than would decide a criterion, as the next estimate lies elsewhere."""
LONGER, DEEPER = 2, 2
"""Times as many images of training, times as large a ``deep_weight``, where nothing says how far to go."""
FIRST_DEEP_WEIGHT, MOST_DEEP_WEIGHT = 4.0, 1000.0
APART = 0.01
"""An override is told apart better where the judge takes it for the forgotten concept in fewer images by that share."""
COMPARED = ("deep_weight", "forget_weight", "alpha", "lr_generator", "lr_fake_score", "start")
"""Settings of a recipe that decide what is learnt: what is looked at of an earlier job."""


@dataclass(frozen=True)
class Advice:
    """One thing to try. ``why``: the criterion with its figures, and what speaks for it; ``change``: what of the
    request is changed, as ``like`` takes it; ``request``: ready to be submitted."""

    why: str
    change: JsonObject
    request: JsonObject


@dataclass(frozen=True)
class Cost:
    """The part of a run's cost that matters here. ``ended``: why its training did, as the report has it."""

    images: int
    ended: str | None = None


@dataclass(frozen=True)
class Confusion:
    """The judge's view of the base model's images: a row a concept that is asked for, a column one that is seen."""

    concepts: tuple[str, ...]
    base_model: tuple[tuple[float, ...], ...]


@dataclass(frozen=True)
class Criterion:
    """A criterion of a report, of whichever version: ``name`` may be one that is no more."""

    name: str
    decision: Verdict
    threshold: float
    measured: Interval | None
    reason: str
    about: str | None = None


@dataclass(frozen=True)
class Decided:
    """The part of a report that matters here."""

    criteria: tuple[Criterion, ...]
    cost: Cost | None = None
    confusion: Confusion | None = None


@dataclass(frozen=True)
class Outcome:
    """A job with what its report decided."""

    job_id: str
    request: JsonObject
    decided: Decided

    @property
    def images(self) -> int:
        """Images that it was trained on."""
        cost = self.decided.cost
        return int(self.request["budget"]["images"]) if cost is None else cost.images

    def override_of(self, concept: str | None) -> Any:
        """Return what overrides ``concept``; None where it is not forgotten."""
        return next((item["override"] for item in self.request["forget"] if item["concept"] == concept), None)

    def decision(self, like: Criterion) -> str | None:
        """Return what was decided of the same criterion, about the same where that was forgotten; None where it was
        not held against anything."""
        about = like.about if like.about in self.forgotten else None
        found = [each for each in self.decided.criteria if each.name == like.name]
        found = [each for each in found if about is None or each.about == about]
        return found[0].decision if found else None

    @property
    def forgotten(self) -> tuple[str, ...]:
        return tuple(item["concept"] for item in self.request["forget"])

    @property
    def kept(self) -> tuple[str, ...]:
        """Return what the generator that it went on from had forgotten: it is asked for as it was, whatever helps."""
        return tuple(self.request.get("parent", {}).get("kept", ()))


_DECIDED = TypeAdapter(Decided)
Change = tuple[str, dict[str, Any]]
"""What speaks for a change, and the change."""


def outcome(job_id: str, request: JsonObject, report: JsonObject) -> Outcome:
    """Read what a report decided; ``report``: that, or the parts of it that matter."""
    return Outcome(job_id, request, _DECIDED.validate_python(dict(report)))


def advise(job: Outcome, earlier: Sequence[Outcome]) -> tuple[Advice, ...]:
    """Return what to try, for each criterion that ``job`` did not pass; nothing where it passed all. ``earlier``: other
    jobs of the same tenant and base model, newest first."""
    whys: dict[str, tuple[list[str], dict[str, Any]]] = {}
    for criterion in (each for each in job.decided.criteria if each.decision != "pass"):
        for why, change in (*_helped(job, earlier, criterion), *_remedies(job, earlier, criterion)):
            said, _ = whys.setdefault(repr(change), ([], change))
            said.append(f"{_sentence(criterion.reason)} {why}")
    return tuple(
        Advice("\n".join(dict.fromkeys(said)), change, {"like": job.job_id, **change}) for said, change in whys.values()
    )


def _helped(job: Outcome, earlier: Iterable[Outcome], criterion: Criterion) -> Iterator[Change]:
    """What the newest earlier job had otherwise that passed where this one did not."""
    for other in earlier:
        if other.decision(criterion) != "pass" or (criterion.about in job.forgotten) != (
            criterion.about in other.forgotten
        ):
            continue
        change, said = _difference(job, other, criterion)
        if change:
            yield f"{other.job_id} passed it with {' and '.join(said)}.", change
            return


def _difference(job: Outcome, other: Outcome, criterion: Criterion) -> tuple[dict[str, Any], list[str]]:
    change: dict[str, Any] = {}
    said: list[str] = []
    instead = None if criterion.about in job.kept else other.override_of(criterion.about)
    if instead is not None and not _long(instead) and instead != job.override_of(criterion.about):
        change["forget"] = _with_override(job, str(criterion.about), instead)
        said.append(f"{written_in_words(instead)} in place of {criterion.about}")
    if other.images > job.images:
        change["budget"] = {"images": max(other.images, job.request["budget"]["images"]), "seconds": None}
        said.append(f"{number(other.images)} images of training, where this one had {number(job.images)}")
    mine, theirs = job.request["recipe"], other.request["recipe"]
    recipe = {name: theirs[name] for name in COMPARED if name in theirs and theirs[name] != mine.get(name)}
    if recipe:
        change["recipe"] = recipe
        said += [f"{name} {value}" for name, value in recipe.items()]
    return change, said


def _remedies(job: Outcome, earlier: Sequence[Outcome], criterion: Criterion) -> Iterator[Change]:
    spec = CRITERIA.get(criterion.name)
    if criterion.measured is None or spec is None:  # nothing measured it: the reason says what is missing
        return
    for remedy in spec.remedies:
        if (found := _MAKE[remedy](job, earlier, criterion)) is not None:
            yield found


def _judge_more(which: str) -> Callable[[Outcome, Sequence[Outcome], Criterion], Change | None]:
    def make(job: Outcome, earlier: Sequence[Outcome], criterion: Criterion) -> Change | None:
        measured, now = criterion.measured, job.request["evaluation"][which]
        if criterion.decision != "inconclusive" or measured is None or now >= MOST_JUDGED:
            return None
        gap = abs(criterion.threshold - measured.value)
        half = max(measured.high - measured.value, measured.value - measured.low)
        # An interval narrows with the root of its images.
        times = SPARE * (half / gap) ** 2 if gap else math.inf
        needed = min(MOST_JUDGED, math.ceil(now * min(max(times, SPARE), MOST_JUDGED)))
        return f"{number(needed)} evaluation images would show on which side it lies.", {"evaluation": {which: needed}}

    return make


def _another_override(job: Outcome, earlier: Sequence[Outcome], criterion: Criterion) -> Change | None:
    """The remaining concept that the judge takes least often for the forgotten one, in the base model's own images."""
    seen, now = job.decided.confusion, job.override_of(criterion.about)
    if seen is None or not isinstance(now, str) or criterion.about not in seen.concepts or now not in seen.concepts:
        return None
    if criterion.about in job.kept:
        return None
    column = seen.concepts.index(criterion.about)
    taken = {
        concept: row[column]
        for concept, row in zip(seen.concepts, seen.base_model, strict=True)
        if concept not in job.forgotten
    }
    best = min(taken, key=lambda concept: (taken[concept], concept))
    if taken.get(now, 0.0) - taken[best] < APART:
        return None
    why = (
        f"The judge takes {percent(taken[now])} of the base model's images of the override {now} for "
        f"{criterion.about}, and {percent(taken[best])} of those of {best}."
    )
    return why, {"forget": _with_override(job, criterion.about, best)}


def _raise_deep_weight(job: Outcome, earlier: Sequence[Outcome], criterion: Criterion) -> Change | None:
    now = float(job.request["recipe"].get("deep_weight", 0.0))
    if now >= MOST_DEEP_WEIGHT:
        return None
    more = min(MOST_DEEP_WEIGHT, now * DEEPER) if now else FIRST_DEEP_WEIGHT
    why = f"deep_weight makes the network forget at every time, not only in its one step; it was {number(now)}."
    return why, {"recipe": {"deep_weight": more}}


def _train_longer(job: Outcome, earlier: Sequence[Outcome], criterion: Criterion) -> Change | None:
    """More images, as many as others took where some passed with more."""
    budget, cost = job.request["budget"], job.decided.cost
    if cost is None or cost.ended is None:
        return None
    if cost.ended == "passed_check":
        why = "Training ended as the run's own check passed; with until: budget it goes on to the end of the budget."
        return why, {"budget": {"until": "budget"}}
    passed = sorted(
        other.images for other in earlier if other.decision(criterion) == "pass" and other.images > cost.images
    )
    images = passed[len(passed) // 2] if passed else LONGER * max(cost.images, 1)
    limited = {"seconds": None} if cost.ended == "seconds" else {}
    images = min(MAX_BUDGET_IMAGES, max(images, budget["images"] if limited else 0))
    why = f"Training used up its {'time' if limited else 'images'} after {number(cost.images)} images."
    if passed:
        why += f" {len(passed)} earlier jobs passed it with more, half of them with {number(images)} or fewer."
    return why, {"budget": {"images": images, **limited}}


_MAKE: Mapping[Remedy, Callable[[Outcome, Sequence[Outcome], Criterion], Change | None]] = {
    "judge_more_forgotten": _judge_more("images_per_forgotten_concept"),
    "judge_more_kept": _judge_more("images_per_concept"),
    "another_override": _another_override,
    "raise_deep_weight": _raise_deep_weight,
    "train_longer": _train_longer,
}


def _with_override(job: Outcome, concept: str, override: Any) -> list[dict[str, Any]]:
    """What is forgotten, with another override of one concept."""
    return [
        {**item, "override": override} if item["concept"] == concept else dict(item) for item in job.request["forget"]
    ]


def _long(override: Any) -> bool:
    """Whether it has prompts, which are not carried from job to job."""
    return isinstance(override, Mapping) and "prompts" in override


def _sentence(text: str) -> str:
    return text[:1].upper() + text[1:] + ("" if text.endswith(".") else ".")
