"""Which verdicts a base model's runs can come to, with the judges, the statistics and the weights that are at hand: the
criteria are asked, each by itself."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from safetensors import SafetensorError, safe_open

from sfd_core.base_model.manifest import BaseModel
from sfd_core.errors import ModelRefused
from sfd_core.evaluation.criteria import CRITERIA
from sfd_core.evaluation.criterion import Material
from sfd_core.evaluation.poor_base import base_accuracy, hardly_seen
from sfd_core.families.registry import describe


@dataclass(frozen=True)
class Prospects:
    """The prospects of a model's runs, seen in one domain if it has several. ``undecided``: by criterion, what keeps
    it undecided whatever a run makes; ``notes``: what else is not measured, each with what would change that.
    ``unseen``: too little of any concept is seen in the model's own images for one that is gone to be missed."""

    domain: str | None
    undecided: dict[str, str]
    notes: tuple[str, ...]
    unseen: bool = False

    def lines(self) -> Iterator[str]:
        """Say it in sentences, one a line."""
        where = f" in the domain {self.domain}" if self.domain else ""
        if not self.undecided and self.unseen:
            yield f"verdicts{where}: fail and inconclusive are possible, pass is not:"
        elif not self.undecided:
            yield f"verdicts{where}: pass, fail and inconclusive are all possible"
        elif len(self.undecided) == len(CRITERIA):
            yield f"verdicts{where}: inconclusive alone: {next(iter(self.undecided.values()))}"
        else:
            yield f"verdicts{where}: fail and inconclusive are possible, pass is not:"
            yield from (f"  {name} stays inconclusive: {why}" for name, why in self.undecided.items())
        yield from (f"  {note}" for note in self.notes)


def prospects(model: BaseModel, clip: bool = False) -> tuple[Prospects, ...]:
    """Return the prospects of ``model``, of each of its domains if it has several. ``clip``: whether CLIP's weights are
    at hand.

    Raises:
        ModelRefused: for reference statistics that cannot be read.
    """
    views = [model.view(name) for name in model.domains] or [model]
    return tuple(_of(view, clip) for view in views)


def _of(model: BaseModel, clip: bool) -> Prospects:
    judged = model.judge is not None or clip
    real, features = _real(model)
    material = Material(judged, real, features)
    lacking = {name: why for name, spec in CRITERIA.items() if (why := spec.lacking(material)) is not None}
    poor = _poor(model)
    return Prospects(model.domain, lacking, tuple(_notes(model, clip, poor)), 0 < len(model.concepts) == len(poor))


def _real(model: BaseModel) -> tuple[int, int]:
    """Real images of what remains among the reference statistics of ``model``, whichever one concept is forgotten at
    most, and features of each."""
    if model.reference is None:
        return 0, 0
    path = model.folder / model.reference
    try:
        with safe_open(path, framework="np") as file:
            _, features = file.get_slice("real.features").get_shape()
            labels = file.get_tensor("real.labels").astype(np.int64)
        of_each = np.bincount(labels, minlength=len(model.concepts))
    except (SafetensorError, OSError, ValueError) as error:
        raise ModelRefused(f"{path}: not a file of reference statistics: {error}") from None
    return int(of_each.sum() - of_each.min()), features


def _poor(model: BaseModel) -> Sequence[str]:
    """The concepts of ``model`` of which its own images, where they were judged, show too little."""
    accuracy = base_accuracy(model) if model.judge is not None else None
    return [c for c in model.concepts if accuracy is not None and hardly_seen(accuracy.of([c]))]


def _notes(model: BaseModel, clip: bool, poor: Sequence[str]) -> Iterator[str]:
    if model.judge is None:
        if clip:
            yield "the judge is CLIP zero-shot (LETHE_CLIP_WEIGHTS), whose errors on real images are not known"
        yield "no probe attacks a generator, and no run stops once it passes: both take a judge of the model's own"
        return
    if model.judge.accuracy is None:
        yield f"the judge was tried on no real images: `lethe models measure {model.name} --real FOLDER` does"
    if model.reference is None:
        yield (
            "the model's own images were not judged, so each evaluation makes them again, and no run stops once it "
            f"passes: `lethe models measure {model.name}` does it once"
        )
    if model.second_judge is None:
        yield "one judge decides alone, and not where it chooses what replaces a concept (--second-judge)"
    if poor:
        yield f"too little of it is seen in the model's own images for a verdict on forgetting {', '.join(poor)}"
    if model.distilled is None and not describe(model.family).takes_prompts:
        yield f"every job distils it again: `lethe models distil {model.name}` does it once"
