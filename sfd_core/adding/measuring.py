"""What is measured of a base model once and kept with it: its own images as its judges see them, real images, and how
often the judges are right on these; features of both where further networks look. Of a text-to-image model that is of
one domain of its vocabulary at a time."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import torch
from numpy.typing import NDArray

from sfd_core.adding.real_images import RealImages
from sfd_core.adding.writing import changing, judge_entry
from sfd_core.base_model.manifest import BaseModel, file_sha256
from sfd_core.display.numbers import percent
from sfd_core.errors import ModelRefused
from sfd_core.evaluation.features import FeatureExtractor, fd_name
from sfd_core.evaluation.judge import ImageJudge
from sfd_core.evaluation.metrics import frechet_distance, halves, images_needed
from sfd_core.evaluation.reference import FeatureReference, Reference, ReferenceSet
from sfd_core.families.loading import load_base
from sfd_core.families.registry import family_of

FIRST_SEED = 500_000_000
"""Image i of those that are kept is made from seed FIRST_SEED + i: no evaluation has it."""
CHUNK = 500
PLACES = 4

Images = NDArray[np.uint8]
Labels = NDArray[np.int64]


class Sampler(Protocol):
    """A base model at its own sampler."""

    def sample_labels(self, labels: Sequence[int], seeds: Sequence[int]) -> Images:
        """Make one image for each (label, seed)."""
        ...


@dataclass(frozen=True)
class Measured:
    """The measurements of a base model. ``reference``: as it is kept; ``judges``: by "judge" and "second_judge", the
    figures on real images, where there were any; ``figures``: of the base model itself; ``features``: by the name of
    their extractor."""

    reference: Reference
    judges: Mapping[str, Mapping[str, Any]]
    figures: Mapping[str, Any]
    features: Mapping[str, FeatureReference] = field(default_factory=dict)

    def lines(self, concepts: Sequence[str]) -> Iterator[str]:
        """Say it in sentences, one a line."""
        for name, judge in self.judges.items():
            who, images = name.replace("_", " "), judge["accuracy_images"]
            yield f"{who}: right in {_percents(judge, concepts)} of {images} real images"
        yield f"the model's own images: as asked in {_percents(self.figures, concepts)}"
        if "fd_against_real" in self.figures:
            real, floor = self.figures["fd_against_real"], self.figures["fd_floor_real"]
            yield f"Frechet distance to real images: {real}; of two halves of these: {floor}"
        for name, found in self.features.items():
            sides = f"{len(found.base_model)} images of its own, {len(found.real)} real ones"
            yield f"features by {name} ({sides}): a distance on them is called {fd_name(name, found.weights)}"


def _percents(of: Mapping[str, Any], concepts: Sequence[str]) -> str:
    """The accuracy, and that of the concept with the lowest."""
    least = min(range(len(concepts)), key=of["by_concept"].__getitem__)
    return f"{percent(of['accuracy'])} (least: {concepts[least]}, {percent(of['by_concept'][least])})"


@dataclass(frozen=True)
class Judges:
    """Those that look: ``first`` decides, ``second`` says where it errs."""

    first: ImageJudge
    second: ImageJudge | None = None

    @classmethod
    def load(cls, model: BaseModel, device: torch.device | str = "cpu") -> Judges:
        """Load the judges of ``model``, whose files were verified.

        Raises:
            ModelRefused: for a model without a judge, or one that does not load.
        """
        second = model.second_judge
        return cls(
            ImageJudge.load(model, device), None if second is None else ImageJudge.load(model, device, info=second)
        )

    def look(self, images: Images, labels: Labels) -> ReferenceSet:
        """Return what they see in images of these labels."""
        judgement = self.first.judge(images)
        confidence = judgement.probabilities[np.arange(len(labels)), labels]
        second = None if self.second is None else self.second.judge(images).seen
        return ReferenceSet(judgement.features, labels, judgement.seen, confidence, second)


def shares(seen: Labels, labels: Labels, concepts: int) -> dict[str, Any]:
    """Return how often the label is what was seen: of all, and by concept."""
    by_concept = [round(float((seen[labels == i] == i).mean()), PLACES) for i in range(concepts)]
    return {"accuracy": round(float((seen == labels).mean()), PLACES), "by_concept": by_concept}


def on_real(seen: Labels, labels: Labels, concepts: int) -> dict[str, Any]:
    """Return a judge's figures on real images, as a manifest has them."""
    of = shares(seen, labels, concepts)
    return {"accuracy": of["accuracy"], "accuracy_images": len(labels), "by_concept": of["by_concept"]}


@dataclass
class OwnImages:
    """The base model's own images, drawn in pieces. ``images``, ``labels``, ``seconds``: those so far."""

    images: list[Images] = field(default_factory=list)
    labels: list[Labels] = field(default_factory=list)
    seconds: float = 0.0

    def draw(self, sampler: Sampler, concepts: int, each: int) -> Iterator[tuple[int, int]]:
        """Draw ``each`` images a concept, yielding how many there are of how many."""
        labels = np.repeat(np.arange(concepts), each)
        for i in range(0, len(labels), CHUNK):
            began, some = time.monotonic(), labels[i : i + CHUNK]
            self.images.append(sampler.sample_labels(some.tolist(), range(FIRST_SEED + i, FIRST_SEED + i + len(some))))
            self.labels.append(some)
            self.seconds += time.monotonic() - began
            yield i + len(some), len(labels)

    def seen_by(self, judges: Judges) -> ReferenceSet:
        """Return what ``judges`` see in them."""
        return judges.look(np.concatenate(self.images), np.concatenate(self.labels))

    def features_by(self, extractor: FeatureExtractor, real: RealImages | None) -> FeatureReference:
        """Return the features of them, and of ``real`` ones where there are any."""
        own, labels = extractor.extract(np.concatenate(self.images)), np.concatenate(self.labels)
        others = (own[:0], labels[:0]) if real is None else (extractor.extract(real.images), real.labels)
        return FeatureReference(extractor.name, *others, own, labels, extractor.digest)


def figures_of(own: ReferenceSet, real: ReferenceSet, concepts: int, steps: int, seconds: float) -> dict[str, Any]:
    """Return what a manifest says of a base model's own images. ``steps``: network evaluations of each; ``seconds``:
    that they took. Distances are left out where the images are too few for one."""
    figures: dict[str, Any] = {
        "network_evaluations": steps,
        "images_per_concept": len(own.labels) // concepts,
        **shares(own.seen, own.labels, concepts),
    }
    if own.second_seen is not None:
        figures["second_judge"] = shares(own.second_seen, own.labels, concepts)
    needed = images_needed(own.features.shape[1])
    figures["features"] = f"judge-{own.features.shape[1]}"
    if len(real.labels) // 2 >= needed and len(own.labels) >= needed:
        figures["fd_against_real"] = round(frechet_distance(real.features, own.features), 3)
        figures["fd_floor_real"] = round(frechet_distance(*halves(real.features)), 3)
    figures["images_per_second"] = round(len(own.labels) / max(seconds, 1e-9), 1)
    return figures


def measure_model(
    model: BaseModel,
    real: RealImages | None,
    each: int,
    device: torch.device | str = "cpu",
    extractors: Sequence[FeatureExtractor] = (),
) -> Iterator[tuple[int, int, Measured | None]]:
    """Measure ``model`` on ``each`` of its own images a concept, and its judges on ``real`` ones; a text-to-image model
    as it is seen in one domain, asked by an evaluation's prompts. ``extractors``: whose features are kept beside the
    judge's. Yields (images drawn, of, None), at last (of, of, what was measured).

    Raises:
        ModelRefused: for a model that has no judge of its concepts, or does not load.
    """
    if model.judge is None:
        raise ModelRefused(f"{model.name} has no judge, so nothing can be measured of it: add it with --judge")
    base = load_base(model, device)
    judges, concepts = Judges.load(model, device), len(model.concepts)
    sampler = family_of(model.family).base_sampler(base, device)
    own, of = OwnImages(), 0
    for done, of in own.draw(sampler, concepts, each):
        yield done, of, None
    made = own.seen_by(judges)
    seen = made.only([]) if real is None else judges.look(real.images, real.labels)
    tried: dict[str, Mapping[str, Any]] = {}
    if real is not None:
        tried["judge"] = on_real(seen.seen, seen.labels, concepts)
        if seen.second_seen is not None:
            tried["second_judge"] = on_real(seen.second_seen, seen.labels, concepts)
    figures = figures_of(made, seen, concepts, sampler.steps, own.seconds)
    features = {extractor.name: own.features_by(extractor, real) for extractor in extractors}
    yield of, of, Measured(Reference(seen, made), tried, figures, features)


def keep(model: BaseModel, measured: Measured) -> None:
    """Write what was measured into the folder of ``model``, for the domain that it is seen in: the manifest names the
    new files once they are there, and until then the old ones. Features that nobody measured again stay."""
    of = f"-{model.domain}" if model.domain is not None else ""
    name = _placed(model.folder, f"reference{of}", measured.reference.save)
    features = {
        extractor: _placed(model.folder, f"features-{extractor.lower()}{of}", found.save)
        for extractor, found in measured.features.items()
    }
    new = {file: file_sha256(model.folder / file) for file in (name, *features.values())}
    with changing(model.folder) as raw:
        about = raw if model.domain is None else raw["domains"][model.domain]
        known = about.get("features", {})
        before = {about.get("reference"), *(file for extractor, file in known.items() if extractor in features)}
        raw["files"] = {n: d for n, d in raw["files"].items() if n not in before} | new
        about |= {"reference": name, "teacher": {**about["teacher"], **measured.figures}}
        if features:
            about["features"] = {**known, **features}
        for part, info in (("judge", model.judge), ("second_judge", model.second_judge)):
            if info is not None and part in measured.judges:
                about[part] = judge_entry(info.name, info.folder, measured.judges[part], raw["files"])
    for old in before - {None, *new}:
        (model.folder / old).unlink(missing_ok=True)


def _placed(folder: Path, stem: str, save: Callable[[Path], None]) -> str:
    """Save a file whose name ends with its own digest; returns that name."""
    partial = folder / f".{stem}.safetensors"
    save(partial)
    name = f"{stem}-{file_sha256(partial)[:8]}.safetensors"
    partial.rename(folder / name)
    return name
