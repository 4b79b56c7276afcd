"""Hyper-parameters, each with its source; a family brings its own values. Plain: importing this does not import torch.

"Paper" is arXiv 2409.11219 (SFD) with its published code (github.com/tqch/score-forgetting-distillation): the
configurations for class-conditional DDPM at 32 pixels and for Stable Diffusion 1.5; "SiD" is arXiv 2404.04057,
"SiD-LSG" arXiv 2406.01561 (long-short guidance, for text). "Measured" values were chosen here, for two CPU cores and
small models: docs/recipes.md has the runs, and the published settings whole.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BeforeValidator, Field, PlainSerializer, WithJsonSchema

from sfd_core.errors import FieldError, InvalidRequest
from sfd_core.request.reading import Flag, Number, Whole, known_fields_only


def _renamed(value: object) -> object:
    if value == "teacher":
        raise ValueError('"teacher" is called "base_model" now')
    return value


def _whole_where_it_is(time: float) -> float:
    return int(time) if time == int(time) else time


Time = Annotated[
    Number,
    Field(ge=0, le=100_000),
    AfterValidator(_whole_where_it_is),
    PlainSerializer(_whole_where_it_is, return_type=Any),
    WithJsonSchema({"type": "number", "minimum": 0, "maximum": 100_000}),
]
"""A step of the base model's schedule, or a continuous time where its family has these. Steps are written as integers,
which a plain ``float`` would not be."""
Precision = Literal["auto", "fp32", "bf16", "bf16-weights"]
Start = Annotated[Literal["auto", "base_model", "distilled"], BeforeValidator(_renamed)]


MOST_FORGOTTEN = 0.5
"""Share of a batch that many forgotten concepts together may have: the rest must be kept as well."""


@known_fields_only
@dataclass(frozen=True)
class Recipe:
    """The settings of the training. Times are the base model's, mostly steps of its schedule; shares and weights are
    plain numbers."""

    alpha: Annotated[Number, Field(ge=0, le=2)] = 1.2
    """Weight of the second term of the generator's loss. Paper: 1.2 (SiD: 1.0 to 1.2)."""
    t_init: Time = 440
    """The generator is the network asked once at this time. Paper; sigma = 2.5 as in SiD."""
    t_min: Time = 38
    t_max: Time = 712
    """Both losses draw t from t_min..t_max, both included. Paper."""
    steps: Annotated[Whole, Field(ge=1, le=4)] = 1
    """The generator draws in so many steps, from ``t_init`` down in even parts, with fresh noise before each but the
    first. In training their number is drawn anew each step, from one to all, and the last alone has a gradient.
    Flow-matching models only: SiD-DiT (arXiv 2509.25127), 4. Paper: 1."""
    batch: Annotated[Whole, Field(ge=2, le=4096)] = 64
    """Generated images a step, remaining and forgotten together. Paper: 128 + 128 (Stable Diffusion 8 + 8); measured:
    64."""
    forgotten_share: Annotated[Number, Field(ge=0, le=0.9)] = 0.125
    """Share of the batch that is asked for a forgotten concept, where there is one. Several share up to half of the
    batch, each as often as one alone beside a remaining one (``forgotten_images``). Measured: 8 of 64."""
    forget_weight: Annotated[Number, Field(ge=0, le=100)] = 1.0
    """w(c) of a forgotten condition, per sample, in both losses; a remaining one has 1. Paper: 0.01 of the mean over a
    whole batch of forgotten images, beside the mean over as many remaining ones. Ours is a mean over one merged batch,
    where share s and weight w give forgotten images w s / (1 - s) of what the remaining ones have: at 0.125 and 1 that
    is 0.143, 14 times the paper's. 0.07 beside that share is the paper's. Measured: hundreds of steps take more than
    50 000 do."""
    deep_weight: Annotated[Number, Field(ge=0, le=1000)] = 4.0
    """Weight of ``L_deep``, which makes the network forget at every time, not only where its one step asks it; 0: it is
    left out, as in the paper. Measured."""
    deep_share: Annotated[Number, Field(gt=0, le=1)] = 0.5
    """Images a step of ``L_deep`` beside the batch, as a share of it: half forgotten, half remaining. Measured: 32
    beside 64."""
    deep_start_share: Annotated[Number, Field(ge=0, le=1)] = 0.25
    """Share of the times of ``L_deep`` that are ``t_init``, where the generator's own loss pulls the other way; the
    others come from the whole schedule. Measured."""
    deep_kappa: Annotated[Number, Field(ge=1, le=30)] = 1.0
    """Guidance of the teacher in ``L_deep`` where the override is a negative prompt, which only guidance expresses.
    With every other override it is asked unguided, as sampling guides by itself what it asks for."""
    lr_generator: Annotated[Number, Field(ge=1e-9, le=1e-1)] = 1e-4
    """Adam. Paper: 1e-5 over 50 000 steps; measured for hundreds of steps."""
    lr_fake_score: Annotated[Number, Field(ge=1e-9, le=1e-1)] = 3e-4
    """Adam. Paper: 1e-5 to 3e-5; measured: three times the generator's."""
    adam_beta1: Annotated[Number, Field(ge=0, le=0.9999)] = 0.0
    adam_beta2: Annotated[Number, Field(ge=0, le=0.999999)] = 0.999
    adam_epsilon: Annotated[Number, Field(ge=1e-12, le=1e-2)] | None = None
    """Null: 1e-8, or 1e-6 where the networks run in half precision, whose small gradients are noise (paper: both), or
    1e-4 where their weights are kept in it too (SiD-DiT, arXiv 2509.25127)."""
    fake_score_updates: Annotated[Whole, Field(ge=1, le=100)] = 1
    """Updates of the fake score a step, each but the last on a batch of its own, before the generator's one: the two
    time-scale rule of DMD2 (arXiv 2405.14867), which has 5. Paper: 1; measured: 3 more change little. A budget counts
    the batches that the generator is trained on."""
    ema: Annotated[Number, Field(ge=0, le=0.999999)] = 0.99
    """Decay of the generator's moving average a step; what is published. Paper: 0.9999 over 50 000 steps."""
    clip_value: Annotated[Number, Field(ge=1e-6, le=1e6)] = 1.0
    """Gradients are clipped by value. Paper: 1.0 (Stable Diffusion: the generator's alone)."""
    start: Start = "auto"
    """Where generator and fake score start: as copies of the base model, or as the distilled pair that the base model
    ships (the first of two stages, made once). auto: distilled where it is shipped."""
    distil_images: Annotated[Whole, Field(ge=0, le=100_000_000)] = 0
    """Two stages: that many images with nothing forgotten come first (distillation). 0: one stage does both."""
    kappa1: Annotated[Number, Field(ge=0, le=30)] = 1.0
    """Guidance of the fake score where it is trained; 1 is none. SiD-LSG. 0: it is asked for the empty prompt alone, in
    all three places that of Zero-CFG (arXiv 2505.12674)."""
    kappa2: Annotated[Number, Field(ge=0, le=30)] = 1.0
    """Guidance of the fake score in ``delta`` of the generator's loss. SiD-LSG."""
    kappa3: Annotated[Number, Field(ge=0, le=30)] = 1.0
    """Guidance of the fake score in the bracket of the generator's loss. SiD-LSG."""
    kappa4: Annotated[Number, Field(ge=1, le=30)] = 1.0
    """Guidance of the teacher in the generator's loss. SiD-LSG."""
    negative_in_fake_score: Flag = False
    """Where the override is a negative prompt: guide the fake score away from it too, in all three places, when it is
    asked for the forgotten prompt; else it is guided away from the empty prompt. Paper: true. Text models only."""
    condition_dropout: Annotated[Number, Field(ge=0, le=0.9)] = 0.0
    """Share of the conditions that are replaced by the empty prompt, or the null class, where the fake score is
    trained, so that it keeps an unconditional side to be guided from (Ho & Salimans 2022). Guided models only."""
    micro_batch: Annotated[Whole, Field(ge=1, le=4096)] | None = None
    """Split a step's batch into pieces of at most this many images to save memory; the gradient is the same."""
    precision: Precision = "auto"
    """What the networks run in. auto: bf16 on a GPU that has it, else fp32. bf16-weights: generator and fake score are
    kept in bf16 too, with their gradients and what Adam keeps: less memory, and small updates are rounded away."""
    compile: Flag = False
    """Run the networks through torch.compile."""
    gradient_checkpointing: Flag = False
    """Keep only the inputs of each block for the backward pass and compute the rest again: less memory, more time."""
    attention_slicing: Flag = False
    """One attention head at a time: less memory, more time. Text models only."""
    lora_rank_generator: Annotated[Whole, Field(ge=0, le=1024)] = 0
    """Train adapters of this rank over the frozen network instead of the generator's own weights. 0: the weights."""
    lora_rank_fake_score: Annotated[Whole, Field(ge=0, le=1024)] = 0
    """The same for the fake score."""
    evaluate_every: Annotated[Whole, Field(ge=1, le=1_000_000)] = 16
    """Steps between two quick evaluations in training (UA, RA, for the curves and for until: "pass")."""

    def forgotten_images(self, concepts: int) -> int:
        """Return how many images of a step are asked for one of so many forgotten concepts.

        The odds grow with their number, K s : (1 - s), so that each keeps its share beside a remaining image: up to
        half of the batch, or to ``forgotten_share`` where that is more. Over the steps each concept has its turn
        equally often, so there may be more of them than images.
        """
        odds = concepts * self.forgotten_share / (1 - self.forgotten_share)
        most = max(self.forgotten_share, MOST_FORGOTTEN)
        return round(self.batch * min(odds / (1 + odds), most))

    @property
    def starts_distilled(self) -> bool:
        """Whether generator and fake score start as the distilled pair, where the base model ships one."""
        return self.start != "base_model"

    @property
    def deep_images(self) -> int:
        """Images of a step that ``L_deep`` is taken over: an even number, so that half are forgotten."""
        return 2 * max(1, round(self.batch * self.deep_share / 2))

    def __post_init__(self) -> None:
        errors = []
        if self.t_init == 0:
            errors.append(FieldError("/t_init", "must be above 0, where there is noise to start from"))
        if self.t_min >= self.t_max:
            errors.append(FieldError("/t_min", f"{self.t_min} must be below t_max {self.t_max}"))
        # A share of 0 is what controls are made with; a request is refused it (sfd_core/admission.py).
        if self.forgotten_share and self.forgotten_images(1) in (0, self.batch):
            message = f"{self.forgotten_share} of a batch of {self.batch} leaves one side without an image"
            errors.append(FieldError("/forgotten_share", message))
        if self.precision == "bf16-weights" and self.lora_rank_generator and self.lora_rank_fake_score:
            message = "bf16-weights has no weights to keep where both networks are trained by adapters: say bf16"
            errors.append(FieldError("/precision", message))
        if errors:
            raise InvalidRequest(tuple(errors))


def completed(standard: Recipe, recommended: Mapping[str, Any], changes: Mapping[str, Any]) -> dict[str, Any]:
    """Return a whole recipe, unread: a family's ``standard``, under what the base model recommends, under
    ``changes``."""
    return {**dataclasses.asdict(standard), **recommended, **changes}


def check_settings(standard: Recipe, without: Mapping[str, str], recipe: Recipe) -> None:
    """Refuse what would do nothing: settings ``without`` a meaning to the family, each with the reason, that are not as
    in ``standard``.

    Raises:
        InvalidRequest: pointing at each setting, from ``/recipe``.
    """
    changed = sorted(name for name in without if getattr(recipe, name) != getattr(standard, name))
    if changed:
        raise InvalidRequest(tuple(FieldError(f"/recipe/{name}", without[name]) for name in changed))
