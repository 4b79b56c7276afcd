"""Everything that looks at images in an evaluation: judges, feature extractors, CLIP, and the reference statistics that
go with them. What a base model ships or whose weights are given is used; nothing is downloaded, and nothing is named
after weights that are not there."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import torch

from sfd_core.errors import ModelRefused
from sfd_core.evaluation.clip import ClipScore
from sfd_core.evaluation.features import EffLite0, FeatureExtractor, Inception
from sfd_core.evaluation.judge import ImageJudge
from sfd_core.evaluation.reference import FeatureReference, Reference
from sfd_core.manifest import BaseModel


@dataclass(frozen=True)
class GivenWeights:
    """Weights that no package ships: paths on this machine. ``inception``: the standard FID Inception-v3, one file;
    ``clip``: a transformers CLIP folder."""

    inception: Path | None = None
    clip: Path | None = None


@dataclass(frozen=True)
class Evaluators:
    """``extractors``: in the order of the report's quality table; ``references``: by extractor name, where the base
    model ships features (an extractor without is measured against the teacher's own samples, made on the spot)."""

    model: BaseModel
    judge: ImageJudge
    reference: Reference
    second_judge: ImageJudge | None = None
    extractors: Sequence[FeatureExtractor] = ()
    references: Mapping[str, FeatureReference] = field(default_factory=dict)
    clip: ClipScore | None = None

    @classmethod
    def load(
        cls, model: BaseModel, device: torch.device | str = "cpu", given: GivenWeights | None = None
    ) -> Evaluators:
        """The evaluators of ``model``, whose files were verified before, and of the ``given`` weights.

        Raises:
            ModelRefused: for weights or statistics that do not load, or features of an unknown extractor.
        """
        given = given or GivenWeights()
        extractors: list[FeatureExtractor] = []
        for name in model.features:
            if name != EffLite0.name:
                raise ModelRefused(f"{model.folder}: features of unknown extractor {name!r}; known: {EffLite0.name}")
            extractors.append(EffLite0(device))
        if given.inception is not None:
            extractors.append(Inception(given.inception, device))
        return cls(
            model,
            ImageJudge.load(model, device),
            Reference.load(model.folder / model.reference),
            ImageJudge.load(model, device, model.second_judge) if model.second_judge else None,
            tuple(extractors),
            {name: FeatureReference.load(model.folder / file) for name, file in model.features.items()},
            None if given.clip is None else ClipScore(given.clip, device),
        )

    def judge_alone(self) -> Evaluators:
        """Only the judge: what the quick evaluations in training need."""
        return dataclasses.replace(self, second_judge=None, extractors=(), references={}, clip=None)

    def prompt(self, label: int) -> str:
        """What CLIP is asked about an image of this class."""
        return f"a photo of a {self.model.concepts[label]}"

    def as_json(self) -> list[dict[str, str]]:
        """Each evaluator with its role and the digest of its weights or statistics."""
        model = self.model
        rows = [{"name": model.judge.name, "role": "judge", "digest": model.judge.digest}]
        if model.second_judge is not None and self.second_judge is not None:
            rows.append({"name": model.second_judge.name, "role": "second judge", "digest": model.second_judge.digest})
        rows += [{"name": e.name, "role": "features", "digest": e.digest} for e in self.extractors]
        if self.clip is not None:
            rows.append({"name": self.clip.name, "role": "clip", "digest": self.clip.digest})
        files = [model.reference, *(file for name, file in model.features.items() if name in self.references)]
        return rows + [{"name": f, "role": "reference", "digest": f"sha256:{model.files[f]}"} for f in files]
