"""Everything that looks at images in an evaluation: judges, feature extractors, CLIP, the NSFW detector, and the
reference statistics that go with them. What a base model ships or whose weights are given is used; nothing is
downloaded, and nothing is named after weights that are not there."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

import numpy as np
import torch
from numpy.typing import NDArray

from sfd_core.base_model.manifest import BaseModel, JudgeInfo
from sfd_core.errors import ModelRefused
from sfd_core.evaluation.clip import ClipModel
from sfd_core.evaluation.features import EffLite0, FeatureExtractor, Inception
from sfd_core.evaluation.judge import ImageJudge, Judgement
from sfd_core.evaluation.judge_facts import EvaluatorFacts, JudgeFacts
from sfd_core.evaluation.nsfw import NsfwDetector
from sfd_core.evaluation.questions import Prompts, questions_of
from sfd_core.evaluation.reference import FeatureReference, Reference
from sfd_core.evaluation.zero_shot import ClipJudge, photo_of
from sfd_core.prompts.plan import PromptPlan
from sfd_core.request.overrides.fixed import FixedOverride
from sfd_core.request.unlearning_request import UnlearningRequest


class Judge(Protocol):
    """A network that says which concept is in an image."""

    def judge(self, images: NDArray[np.uint8]) -> Judgement:
        """Judge uint8 images [n, H, W] or [n, H, W, 3]."""
        ...


@dataclass(frozen=True)
class OtherDomain:
    """The judges of what an image shows in another domain than that of what is forgotten. ``model``: seen in it;
    ``reference``: None as of :class:`Evaluators`; ``second_judge``: None where that domain has one judge."""

    model: BaseModel
    judge: ImageJudge
    reference: Reference | None
    second_judge: ImageJudge | None = None


@dataclass(frozen=True)
class GivenWeights:
    """Weights that no package ships: paths on this machine. ``inception``: the standard FID Inception-v3, one file;
    ``clip``: a transformers CLIP folder."""

    inception: Path | None = None
    clip: Path | None = None


@dataclass(frozen=True)
class Evaluators:
    """All that looks at images in an evaluation. ``judge``: None where the base model has none and no CLIP weights
    stand in for it; ``reference``: None where the base model ships none, it is then made of its own images, on the
    spot. ``extractors``: in the order of the report's quality table; ``references``: by extractor name, where the base
    model ships features. ``others``: the other domains of a text-to-image model; ``prompts``: what its images are asked
    for by."""

    model: BaseModel
    judge: ImageJudge | ClipJudge | None
    reference: Reference | None
    second_judge: ImageJudge | None = None
    extractors: Sequence[FeatureExtractor] = ()
    references: Mapping[str, FeatureReference] = field(default_factory=dict)
    clip: ClipModel | None = None
    nsfw: NsfwDetector | None = None
    others: tuple[OtherDomain, ...] = ()
    prompts: Prompts | None = None

    @classmethod
    def load(
        cls,
        model: BaseModel,
        device: torch.device | str = "cpu",
        given: GivenWeights | None = None,
        nsfw: bool = False,
    ) -> Evaluators:
        """Load the evaluators of ``model``, whose files were verified before, and of the ``given`` weights. ``nsfw``:
        with the NSFW detector.

        Raises:
            ModelRefused: for weights or statistics that do not load, or features of an unknown extractor.
        """
        given = given or GivenWeights()
        extractors: list[FeatureExtractor] = []
        for name in model.features:
            if name not in (known := (EffLite0.name, Inception.name)):
                raise ModelRefused(f"{model.folder}: features of unknown extractor {name!r}; known: {', '.join(known)}")
        if EffLite0.name in model.features:
            extractors.append(EffLite0(device))
        if given.inception is not None:
            extractors.append(Inception(given.inception, device))
        views = [model.view(name) for name in model.domains if name != model.domain] if model.domain else []
        return cls(
            model,
            ImageJudge.load(model, device) if model.judge else None,
            Reference.load(model.folder / model.reference, len(model.concepts)) if model.reference else None,
            _second_judge(model, device),
            tuple(extractors),
            {
                extractor.name: _features(model, extractor)
                for extractor in extractors
                if extractor.name in model.features
            },
            None if given.clip is None else ClipModel(given.clip, device),
            NsfwDetector() if nsfw else None,
            tuple(_other_domain(view, device) for view in views),
        )

    def seen_in(self, model: BaseModel) -> Evaluators:
        """Return the same for what is forgotten in another of their domains, as ``model`` is seen there: its judges
        decide, and those that decided stand among the others. Nothing of the judges is loaded again.

        Raises:
            ModelRefused: for statistics that do not load.
            KeyError: for a domain that none of the others is of.
        """
        if model.domain == self.model.domain:
            return dataclasses.replace(self, model=model)
        by_domain = {other.model.domain: other for other in self.others}
        seen = by_domain.pop(model.domain)
        assert isinstance(self.judge, ImageJudge)  # others are there where domains have judges
        left = OtherDomain(self.model, self.judge, self.reference, self.second_judge)
        references = {each.name: _features(model, each) for each in self.extractors if each.name in model.features}
        return dataclasses.replace(
            self,
            model=model,
            judge=seen.judge,
            reference=seen.reference,
            second_judge=seen.second_judge,
            references=references,
            others=(left, *by_domain.values()),
        )

    def asking(self, request: UnlearningRequest, plan: PromptPlan | None) -> Evaluators:
        """Return the same for the questions of ``request``: with their prompts, and with CLIP as the judge of their
        concepts where the base model has no judge and CLIP is at hand. ``plan``: as of :func:`questions_of`."""
        model, prompts = questions_of(self.model, request, plan)
        judge = self.judge
        if judge is None and self.clip is not None:
            # A caption stands for itself, a concept for a photo of it.
            named = set(model.concepts) if prompts is None else {item.concept for item in request.forget}
            named |= {o.concept for item in request.forget if isinstance(o := item.override, FixedOverride)}
            judge = ClipJudge(self.clip, [photo_of(c) if c in named else (c,) for c in model.concepts])
        return dataclasses.replace(self, model=model, judge=judge, prompts=prompts)

    @property
    def has_references(self) -> bool:
        """Whether the base model's own images are known to every judge that decides, so that none have to be made."""
        return self.reference is not None and all(other.reference is not None for other in self.others)

    def judge_alone(self) -> Evaluators:
        """Return the judge alone: what the quick evaluations in training need."""
        return dataclasses.replace(
            self, second_judge=None, extractors=(), references={}, clip=None, nsfw=None, others=()
        )

    def deciding(self) -> Evaluators:
        """Return what criteria are decided by, without what is only reported beside: further features, CLIP scores and
        the NSFW detector."""
        return dataclasses.replace(self, extractors=(), references={}, clip=None, nsfw=None)

    def texts(self, labels: Sequence[int], seeds: Sequence[int]) -> list[str]:
        """Return what CLIP is asked about the images of these labels and seeds."""
        if self.prompts is not None:
            return self.prompts.texts(labels, seeds)
        return [photo_of(self.model.concepts[label])[0] for label in labels]

    def judges(self) -> tuple[JudgeFacts | None, JudgeFacts | None]:
        """Return who looks, as a report names them: the judge that decides, and the second."""
        model, zero_shot = self.model, self.judge
        second = _described(model.second_judge) if model.second_judge and self.second_judge else None
        if isinstance(zero_shot, ClipJudge):
            return JudgeFacts(zero_shot.name, None, 0, zero_shot.digest), second
        return _described(model.judge) if model.judge else None, second

    def facts(self) -> tuple[EvaluatorFacts, ...]:
        """Return each evaluator with its role and the digest of its weights or statistics."""
        model = self.model
        judge, second = self.judges()
        rows = [EvaluatorFacts(judge.name, "judge", judge.digest)] if judge is not None else []
        rows += [EvaluatorFacts(second.name, "second judge", second.digest)] if second is not None else []
        for other in self.others:
            if (info := other.model.judge) is not None:
                rows.append(EvaluatorFacts(info.name, "judge of another domain", info.digest))
            if other.second_judge is not None and (info := other.model.second_judge) is not None:
                rows.append(EvaluatorFacts(info.name, "second judge of another domain", info.digest))
        rows += [EvaluatorFacts(e.name, "features", e.digest) for e in self.extractors]
        if self.clip is not None:
            rows.append(EvaluatorFacts(self.clip.name, "clip", self.clip.digest))
        if self.nsfw is not None:
            rows.append(EvaluatorFacts(self.nsfw.name, "nsfw detector", self.nsfw.digest))
        files = [model.reference, *(file for name, file in model.features.items() if name in self.references)]
        files += [other.model.reference for other in self.others]
        named = [file for file in files if file is not None]
        return (*rows, *(EvaluatorFacts(file, "reference", f"sha256:{model.files[file]}") for file in named))


def _other_domain(view: BaseModel, device: torch.device | str) -> OtherDomain:
    reference = Reference.load(view.folder / view.reference, len(view.concepts)) if view.reference else None
    return OtherDomain(view, ImageJudge.load(view, device), reference, _second_judge(view, device))


def _features(model: BaseModel, extractor: FeatureExtractor) -> FeatureReference:
    path = model.folder / model.features[extractor.name]
    reference = FeatureReference.load(path, len(model.concepts))
    if reference.weights and reference.weights != extractor.digest:
        raise ModelRefused(
            f"{path}: features by weights of {extractor.name} with the digest {reference.weights}, those given have "
            f"{extractor.digest}: give the same, or measure the model again"
        )
    return reference


def _second_judge(model: BaseModel, device: torch.device | str) -> ImageJudge | None:
    return ImageJudge.load(model, device, model.second_judge) if model.second_judge else None


def _described(info: JudgeInfo) -> JudgeFacts:
    return JudgeFacts(info.name, info.accuracy, info.accuracy_images, info.digest)
