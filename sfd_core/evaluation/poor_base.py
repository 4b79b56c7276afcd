"""A base model that hardly draws a concept, or a judge that hardly sees it there: nothing of it can be lost, and that
it is gone is no evidence. Said where models are listed, where a request is taken, and in the verdict.

Plain: does not import torch.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

from sfd_core.display.numbers import estimate, percent
from sfd_core.evaluation.intervals import Interval, wilson
from sfd_core.evaluation.whole_numbers import whole_numbers

if TYPE_CHECKING:
    from sfd_core.base_model.manifest import BaseModel
    from sfd_core.evaluation.verdict import Criterion

ENOUGH_SEEN = 0.5
"""Share of the base model's own images in which a judge must see what was asked (the lower end of its interval), for
its answers to decide anything: where it misses most of them its silence is no evidence."""
SIDES = ("seen", "second_seen")
"""What the judge and the second judge see, in a file of reference statistics."""


def hardly_seen(share: Interval | None) -> bool:
    """Return whether ``share`` of the base model's own images, in which a judge sees what was asked, is too small for
    anything to be decided by it. None: there are no such images."""
    return share is None or share.low < ENOUGH_SEEN


def held_to(base_model: Interval, criterion: Criterion, of: str) -> Criterion:
    """Return ``criterion``, a drop below ``base_model``; undecided where the base model shows too little for a small
    drop to say anything. What is lost counts all the same. ``of``: what was asked for, in words."""
    if not hardly_seen(base_model) or criterion.decision == "fail":
        return criterion
    reason = (
        f"in {estimate(base_model)} of the base model's own images of {of} the judge sees what was asked: a drop below "
        f"{percent(ENOUGH_SEEN, None)} means nothing; a better base model or judge is needed"
    )
    return replace(criterion, decision="inconclusive", reason=reason)


@dataclass(frozen=True)
class BaseAccuracy:
    """The share of a base model's own images, stored with it, in which its judge sees what was asked; where there are
    two judges, by the one that sees less. ``hits``: (images that show it, images) of each concept, by name."""

    hits: Mapping[str, tuple[int, int]]

    def of(self, concepts: Iterable[str]) -> Interval | None:
        """Return the share over some concepts; None where there are no images of any."""
        parts = [self.hits[concept] for concept in concepts if concept in self.hits]
        return wilson(*map(sum, zip(*parts, strict=True))) if parts else None


def base_accuracy(model: BaseModel) -> BaseAccuracy | None:
    """Read the accuracy of ``model`` (seen in one domain, if it has several) from its reference statistics; None where
    it ships none, or no file that can be read, which a run then says."""
    if model.reference is None:
        return None
    path = model.folder / model.reference
    try:
        by_judge = _hits(path, path.stat().st_mtime_ns)
    except (OSError, ValueError, KeyError):
        return None
    found = {}
    for label, concept in enumerate(model.concepts):
        counts = [hits[label] for hits in by_judge if label in hits]
        if counts:
            found[concept] = min(counts, key=lambda each: each[0] / each[1])
    return BaseAccuracy(found)


@lru_cache(maxsize=64)
def _hits(path: Path, _modified: int) -> tuple[dict[int, tuple[int, int]], ...]:
    """The images that show what was asked, and all, by label and by judge. The features, most of the file, are not
    read."""
    tensors = whole_numbers(path, ["teacher.labels", *(f"teacher.{side}" for side in SIDES)])
    labels = tensors["teacher.labels"]
    found = []
    for side in SIDES:
        if (seen := tensors.get(f"teacher.{side}")) is not None:
            right = Counter(label for label, what in zip(labels, seen, strict=True) if label == what)
            found.append({label: (right[label], n) for label, n in Counter(labels).items()})
    return tuple(found)


def warnings_about(model: BaseModel, forgotten: Sequence[str]) -> tuple[str, ...]:
    """Say what of a request to forget these concepts cannot be decided, whatever a run makes, because the base model's
    own images do not show it. Nothing where they were never judged."""
    if model.domain is not None:
        return _warnings_in(model, forgotten)
    by_domain: dict[str | None, list[str]] = {}
    for concept in forgotten:
        by_domain.setdefault(model.domain_of(concept), []).append(concept)
    views = ((model if domain is None else model.view(domain), names) for domain, names in by_domain.items())
    return tuple(said for view, names in views for said in _warnings_in(view, names))


def _warnings_in(model: BaseModel, forgotten: Sequence[str]) -> tuple[str, ...]:
    """The same of a model as it is seen."""
    if (accuracy := base_accuracy(model)) is None:
        return ()
    said = []
    for concept in forgotten:
        share = accuracy.of([concept])
        if share is not None and hardly_seen(share):
            said.append(
                f"The judge sees {concept} in {estimate(share)} of this base model's own images of it; below "
                f"{percent(ENOUGH_SEEN, None)} whether it is forgotten is inconclusive."
            )
    kept = accuracy.of([concept for concept in model.concepts if concept not in forgotten])
    if kept is not None and hardly_seen(kept):
        said.append(
            f"The judge sees what was asked in {estimate(kept)} of this base model's own images of the other concepts; "
            f"below {percent(ENOUGH_SEEN, None)} a small loss of them is inconclusive."
        )
    return tuple(said)
