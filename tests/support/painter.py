"""A text-to-image model that is understood to the last detail: a prompt's object is the amount of red, its style the
amount of green, and a word that it does not know leaves something between them. Its judges read these amounts, so what
an evaluation must find is known beforehand."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from sfd_core.base_model.manifest import BaseModel, ImageFormat, JudgeInfo
from sfd_core.base_model.vocabulary import Concept, EvaluationPrompts, Vocabulary
from sfd_core.evaluation.evaluators import Evaluators, OtherDomain
from sfd_core.evaluation.judge import ImageJudge
from sfd_core.evaluation.preprocessing import Preprocessing
from sfd_core.evaluation.reference import Reference, ReferenceSet

OBJECTS = (
    Concept("apple", "red"),
    Concept("banana", "yellow"),
    Concept("pistol", "green", ("gun", "handgun"), {"de": "pistole"}),
    Concept("castle", "old"),
)
STYLES = (Concept("noto"), Concept("fluent"))
VOCABULARY = Vocabulary(
    {"object": OBJECTS, "style": STYLES},
    ("{a} {adjective} {object}, in the style of {style}", "{object}, {style} style"),
    ("{style} drew the {object} here", "on a sunny afternoon by the sea, {a} small {object}, in the style of {style}"),
)
AMOUNTS = {"object": (40, 90, 160, 210), "style": (60, 190)}
"""Of red by object, of green by style."""
NOTHING = 105
DIGEST = "sha256:" + "0" * 64


@dataclass(frozen=True)
class Painter:
    """``instead``: words that it answers with another object's; ``deaf``: what it does not understand a prompt with;
    ``style``: the green that it always paints, if it has lost its styles."""

    instead: Mapping[str, str] = field(default_factory=dict)
    deaf: tuple[str, ...] = ()
    style: int | None = None

    def sample_prompts(self, prompts: Sequence[str], seeds: Sequence[int]) -> NDArray[np.uint8]:
        """uint8 [n, 8, 8, 3]: red, green, noise."""
        return np.stack([self._paint(p, seed) for p, seed in zip(prompts, seeds, strict=True)])

    def sample_labels(self, labels: Sequence[int], seeds: Sequence[int]) -> NDArray[np.uint8]:
        """The same by object, as an evaluation asks for it."""
        return self.sample_prompts(EvaluationPrompts(VOCABULARY, "object").texts(labels, seeds), seeds)

    def _paint(self, prompt: str, seed: int) -> NDArray[np.uint8]:
        words = [self.instead.get(word, word) for word in prompt.replace(",", " ").split()]
        understood = not any(phrase in prompt for phrase in self.deaf)
        green = _amount(words, "style") if self.style is None else self.style
        colour = (_amount(words, "object") if understood else NOTHING, green, NOTHING)
        noise = np.random.default_rng(seed).normal(0, 3, (8, 8, 3))
        return np.clip(np.array(colour) + noise, 0, 255).astype(np.uint8)


def _amount(words: Sequence[str], domain: str) -> int:
    for concept, amount in zip(VOCABULARY.domains[domain], AMOUNTS[domain], strict=True):
        if set(concept.words) & set(words):
            return amount
    return NOTHING


class _Amount(nn.Module):
    """The nearest amount of one channel. Its features are the means of all three."""

    def __init__(self, domain: str) -> None:
        super().__init__()
        channel = list(AMOUNTS).index(domain)
        amounts = torch.tensor([a / 127.5 - 1 for a in AMOUNTS[domain]])
        self.head = nn.Linear(3, len(amounts))
        # -(m - a)^2 less what all share, m^2, is linear in m.
        self.head.weight.data.zero_()
        self.head.weight.data[:, channel] = 200 * 2 * amounts
        self.head.bias.data = -200 * amounts.square()

    def forward(self, images: Tensor) -> _Output:
        return _Output(self.head(images.mean(dim=(2, 3))))


@dataclass(frozen=True)
class _Output:
    logits: Tensor


def model(domain: str | None) -> BaseModel:
    """Seen in ``domain``, or a pipeline of which nothing is known but that it paints."""
    common = {
        "name": "painter",
        "title": "Painter",
        "folder": Path("painter"),
        "family": "stable_diffusion",
        "license": "Apache-2.0",
        "data": "none",
        "image": ImageFormat(3, 8, 8),
        "files": {f"reference-{name}.safetensors": "0" * 64 for name in AMOUNTS},
        "digest": DIGEST,
    }
    if domain is None:
        return BaseModel(**common, concepts=(), judge=None, reference=None, figures={})
    concepts = tuple(concept.name for concept in VOCABULARY.domains[domain])
    judge = JudgeInfo(f"amount of {domain}", f"judge-{domain}", 1.0, 100, (1.0,) * len(concepts), DIGEST)
    return BaseModel(
        **common,
        concepts=concepts,
        judge=judge,
        reference=f"reference-{domain}.safetensors",
        figures={"network_evaluations": 4, "guidance": 1.0},
        vocabulary=VOCABULARY,
        domain=domain,
    )


def evaluators(images: int = 40) -> Evaluators:
    """In the domain of objects, with references of ``images`` an object; real images are those that a painter makes
    who has forgotten nothing."""
    prompts = EvaluationPrompts(VOCABULARY, "object")
    labels = np.repeat(np.arange(len(OBJECTS)), images)
    parts: dict[str, list[ReferenceSet]] = {"object": [], "style": []}
    judges = {domain: ImageJudge(_Amount(domain), Preprocessing((8, 8))) for domain in parts}
    for first in (0, 10_000):
        seeds = list(range(first, first + len(labels)))
        painted = Painter().sample_labels(labels.tolist(), seeds)
        styles = [prompts.asked(int(k), seed).others["style"] for k, seed in zip(labels, seeds, strict=True)]
        for domain, asked in (("object", labels), ("style", np.array(styles))):
            judgement = judges[domain].judge(painted)
            confidence = judgement.probabilities[np.arange(len(asked)), asked]
            parts[domain].append(ReferenceSet(judgement.features, asked, judgement.seen, confidence))
    style = OtherDomain(model("style"), judges["style"], Reference(*parts["style"]))
    return Evaluators(model("object"), judges["object"], Reference(*parts["object"]), others=(style,))
