"""How much work a job is: what of its request and of its base model decides how long it takes, and a first guess of the
seconds of each part of it.

A guess says how seconds grow with the work and little of how many they are: it counts evaluations of the network, at
round figures of what a device does. What jobs have taken is held against it (``jobs.forecast``), and decides.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from sfd_core.base_model.manifest import BaseModel
from sfd_core.families.memory import Sizes
from sfd_core.families.registry import describe
from sfd_core.request.recipe import Recipe
from sfd_core.request.unlearning_request import UnlearningRequest

Part = Literal["preparing", "training", "evaluating", "probing", "publishing"]
PARTS: tuple[Part, ...] = ("preparing", "training", "evaluating", "probing", "publishing")
"""Of a job, in their order. ``training``: without the run's own checks; ``evaluating``: without the probes."""

CPU = "CPU"
CPU_RATE, GPU_RATE = 5e10, 2e13
"""Operations a second that a device does for a network, roughly."""
UNKNOWN_NETWORK = 1_000_000_000
"""Weights of a network whose files are not here: a model of a hub is mostly a large one."""
BACKWARD = 2.0
"""Evaluations that a backward pass is worth."""
MANY_STEPS = 20
"""Evaluations an image of a base model's own sampler, where its manifest does not say."""
DEEP_IMAGES = 400
"""Images a forgotten concept that are drawn in many steps, for criteria of the network itself."""
PROBE_EVALUATIONS = 20_000
"""Of one probe of one forgotten concept."""
START_SECONDS, PUBLISH_SECONDS = 3.0, 0.5
BYTES_A_SECOND = 2e8
"""At which weights are read and written."""
REPORT_BYTES = 2_000_000


@dataclass(frozen=True)
class Work:
    """The work that a job is.

    ``images``: of the budget, at most; ``limit_seconds``: of the budget; ``until``: as a request has it, "budget" where
    nothing can check the run. ``evaluations``: of the network, for one image that is trained on. ``judged``: images
    asked for in the evaluation. ``forgotten``: concepts. ``network``, ``beside``: weights of the network and of what
    stands by. ``cells``: positions that the network works at, of one image. ``many_steps``: evaluations an image of the
    base model's own sampler.
    """

    images: int
    limit_seconds: float | None
    until: Literal["pass", "budget"]
    evaluations: float
    judged: int
    forgotten: int
    probes: tuple[str, ...]
    network: int
    beside: int
    cells: float
    many_steps: int

    @classmethod
    def of(cls, request: UnlearningRequest, model: BaseModel) -> Work:
        """Measure a whole request against its base model, as it is seen in the domain of what is forgotten."""
        sizes, looked_at = Sizes.of_model(model), request.evaluation
        forgotten = len(request.forget)
        kept = max(0, len(model.concepts) - forgotten)
        text = describe(model.family).takes_prompts
        steps = model.figures.get("network_evaluations")
        pixels = model.image.height * model.image.width
        return cls(
            images=request.budget.images,
            limit_seconds=request.budget.seconds,
            until=request.budget.until if model.judge is not None else "budget",
            evaluations=_evaluations(request.recipe),
            judged=kept * looked_at.images_per_concept + forgotten * looked_at.images_per_forgotten_concept,
            forgotten=forgotten,
            probes=tuple(looked_at.probes),
            network=UNKNOWN_NETWORK if sizes is None else sizes.network,
            beside=0 if sizes is None else sizes.beside,
            # Latents of an autoencoder have an eighth of the pixels each way.
            cells=max(1.0, pixels / 64 if text else pixels / model.image.patch**2),
            many_steps=steps if isinstance(steps, int) else MANY_STEPS,
        )

    @classmethod
    def from_json(cls, raw: Mapping[str, Any]) -> Work:
        """Read it as :meth:`to_json` writes it."""
        return cls(**{**raw, "probes": tuple(raw["probes"])})

    def to_json(self) -> dict[str, Any]:
        """Return it as it is stored."""
        return dataclasses.asdict(self)

    def parts(self) -> tuple[Part, ...]:
        """Return the parts that this job has."""
        return tuple(part for part in PARTS if part != "probing" or self.probes)

    def guess(self, part: Part, device: str, gpus: int, images: int) -> float:
        """Guess the seconds of ``part`` on ``device``, of which ``gpus`` train together, for a job that trains on so
        many ``images``."""
        one = 2.0 * self.network * self.cells / 4 / (CPU_RATE if device.startswith(CPU) else GPU_RATE)
        match part:
            case "preparing":
                return START_SECONDS + 4 * (self.network + self.beside) / BYTES_A_SECOND
            case "training":
                return images * self.evaluations * one / gpus
            case "evaluating":
                return START_SECONDS + one * (self.judged + self.forgotten * DEEP_IMAGES * self.many_steps)
            case "probing":
                return len(self.probes) * self.forgotten * PROBE_EVALUATIONS * one
            case "publishing":
                return PUBLISH_SECONDS + self.guessed_bytes() / BYTES_A_SECOND

    def guessed_bytes(self) -> int:
        """Guess the bytes that are kept of the job: the generator, the pair of networks in half precision that another
        job can go on from, and the report."""
        return 4 * (self.network + self.beside) + 2 * 2 * self.network + REPORT_BYTES


def _evaluations(recipe: Recipe) -> float:
    """Evaluations of a network for one image of a step: the fake score's updates, the generator's, and ``L_deep``."""
    drawn = (1 + recipe.steps) / 2
    backward = BACKWARD + (1 if recipe.gradient_checkpointing else 0)
    fake_score = recipe.fake_score_updates * (drawn + _guided(recipe.kappa1) + backward)
    bracket = _guided(recipe.kappa2) + _guided(recipe.kappa4)
    deep = recipe.deep_share * (2 + backward) if recipe.deep_weight else 0.0
    return fake_score + drawn + backward + bracket + deep


def _guided(kappa: float) -> int:
    return 1 if kappa in (0, 1) else 2
