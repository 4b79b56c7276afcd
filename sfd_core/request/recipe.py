"""Hyper-parameters by family, each with its source. Plain: importing this does not import torch.

"Paper" is arXiv 2409.11219 (SFD) with its published configurations for class-conditional DDPM at 32 pixels and for
Stable Diffusion 1.5; "SiD" is arXiv 2404.04057, "SiD-LSG" arXiv 2406.01561 (long-short guidance, for text). "Measured"
values were chosen here, for two CPU cores and small models: docs/recipes.md has the runs.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from sfd_core.errors import FieldError, InvalidRequest

Precision = Literal["auto", "fp32", "bf16"]
Start = Literal["auto", "teacher", "distilled"]


@dataclass(frozen=True)
class Recipe:
    """How to train. Times are steps of the base model's schedule; shares and weights are plain numbers."""

    alpha: float = 1.2
    """Weight of the second term of the generator's loss. Paper: 1.2 (SiD: 1.0 to 1.2)."""
    t_init: int = 440
    """The generator is the network asked once at this step. Paper; sigma = 2.5 as in SiD."""
    t_min: int = 38
    t_max: int = 712
    """Both losses draw t from t_min..t_max, both included. Paper."""
    batch: int = 64
    """Generated images a step, remaining and forgotten together. Paper: 128 + 128; measured: 64."""
    forgotten_share: float = 0.125
    """Share of the batch that is asked for a forgotten concept. Measured: 8 of 64."""
    forget_weight: float = 1.0
    """w(c) of a forgotten condition, per sample, in both losses; a remaining one has 1. Paper: 0.01 of a mean over a
    whole batch of its own; in a merged batch the share already makes it small."""
    lr_generator: float = 1e-4
    """Adam. Paper: 1e-5 over 50 000 steps; measured for hundreds of steps."""
    lr_fake_score: float = 3e-4
    """Adam. Paper: 1e-5 to 3e-5; measured: three times the generator's."""
    adam_beta1: float = 0.0
    adam_beta2: float = 0.999
    adam_epsilon: float = 1e-8
    """Paper."""
    ema: float = 0.99
    """Decay of the generator's moving average a step; what is published. Paper: 0.9999 over 50 000 steps."""
    clip_value: float = 1.0
    """Gradients are clipped by value. Paper: 1.0."""
    start: Start = "auto"
    """Where generator and fake score start: as copies of the teacher, or as the distilled pair that the base model
    ships (the first of two stages, made once). auto: distilled where it is shipped."""
    distil_images: int = 0
    """Two stages: that many images with nothing forgotten come first (distillation). 0: one stage does both."""
    kappa1: float = 1.0
    """Guidance of the fake score where it is trained; 1 is none. SiD-LSG."""
    kappa2: float = 1.0
    """Guidance of the fake score in ``delta`` of the generator's loss. SiD-LSG."""
    kappa3: float = 1.0
    """Guidance of the fake score in the bracket of the generator's loss. SiD-LSG."""
    kappa4: float = 1.0
    """Guidance of the teacher in the generator's loss. SiD-LSG."""
    condition_dropout: float = 0.0
    """Share of the conditions that are replaced by the empty prompt where the fake score is trained, so that it keeps
    an unconditional side to be guided from (Ho & Salimans 2022). Text models only."""
    micro_batch: int | None = None
    """Split a step's batch into pieces of at most this many images to save memory; the gradient is the same."""
    precision: Precision = "auto"
    """auto: bf16 on a GPU that has it, else fp32."""
    compile: bool = False
    """Run the networks through torch.compile."""
    gradient_checkpointing: bool = False
    """Keep only the inputs of each block for the backward pass and compute the rest again: less memory, more time."""
    attention_slicing: bool = False
    """One attention head at a time: less memory, more time. Text models only."""
    lora_rank_generator: int = 0
    """Train adapters of this rank over the frozen network instead of the generator's own weights. 0: the weights."""
    lora_rank_fake_score: int = 0
    """The same for the fake score."""
    evaluate_every: int = 16
    """Steps between two quick evaluations in training (UA, RA, for the curves and for stop_when_unlearned)."""

    @property
    def forgotten_count(self) -> int:
        """Images of a step that are asked for a forgotten concept."""
        return round(self.batch * self.forgotten_share)


STABLE_DIFFUSION = Recipe(
    alpha=1.0,
    t_init=625,
    t_min=20,
    t_max=980,
    batch=8,
    forgotten_share=0.5,
    lr_generator=1e-6,
    lr_fake_score=3e-6,
    ema=0.0,
    kappa1=4.5,
    kappa2=4.5,
    kappa3=4.5,
    kappa4=4.5,
    condition_dropout=0.1,
    evaluate_every=200,
)
"""The paper's for Stable Diffusion 1.5 at 512 pixels (forget coefficient 1, no moving average), but for two numbers
that it does not give: half of a batch is asked for a forgotten concept, a tenth of the conditions is dropped."""

RECIPES: Mapping[str, Recipe] = {"class_unet": Recipe(), "stable_diffusion": STABLE_DIFFUSION}
_TEXT_ONLY = ("kappa1", "kappa2", "kappa3", "kappa4", "condition_dropout", "attention_slicing")
_LORA = ("lora_rank_generator", "lora_rank_fake_score")

_RANGES: Mapping[str, tuple[float, float]] = {
    "alpha": (0.0, 2.0),
    "t_init": (1, 100_000),
    "t_min": (0, 100_000),
    "t_max": (0, 100_000),
    "batch": (2, 4096),
    "forgotten_share": (0.0, 0.9),
    "forget_weight": (0.0, 100.0),
    "lr_generator": (1e-9, 1e-1),
    "lr_fake_score": (1e-9, 1e-1),
    "adam_beta1": (0.0, 0.9999),
    "adam_beta2": (0.0, 0.999999),
    "adam_epsilon": (1e-12, 1e-2),
    "ema": (0.0, 0.999999),
    "clip_value": (1e-6, 1e6),
    "distil_images": (0, 100_000_000),
    "kappa1": (1.0, 30.0),
    "kappa2": (1.0, 30.0),
    "kappa3": (1.0, 30.0),
    "kappa4": (1.0, 30.0),
    "condition_dropout": (0.0, 0.9),
    "lora_rank_generator": (0, 1024),
    "lora_rank_fake_score": (0, 1024),
    "micro_batch": (1, 4096),
    "evaluate_every": (1, 1_000_000),
}


def parse_recipe(family: str, changes: Mapping[str, Any], recommended: Mapping[str, Any] | None = None) -> Recipe:
    """The family's recipe with ``changes`` applied, over what the base model itself recommends.

    Raises:
        InvalidRequest: for an unknown key, a value of the wrong type or outside its range, or times that
            contradict each other; pointers start at ``/recipe``.
    """
    base = RECIPES[family]
    known = {field.name: getattr(base, field.name) for field in dataclasses.fields(Recipe)}
    errors: list[FieldError] = []
    values: dict[str, Any] = {}
    for key, value in {**(recommended or {}), **changes}.items():
        pointer = "/recipe/" + key.replace("~", "~0").replace("/", "~1")  # RFC 6901
        if key not in known:
            errors.append(FieldError(pointer, f"unknown key; known: {', '.join(known)}"))
        elif message := _wrong(key, known[key], value):
            errors.append(FieldError(pointer, message))
        elif family == "class_unet" and key in (*_TEXT_ONLY, *_LORA) and value != known[key]:
            errors.append(FieldError(pointer, "means something for text-to-image models only"))
        else:
            values[key] = value
    if errors:
        raise InvalidRequest(tuple(errors))
    recipe = dataclasses.replace(base, **values)
    if recipe.t_min >= recipe.t_max:
        raise InvalidRequest((FieldError("/recipe/t_min", f"{recipe.t_min} must be below t_max {recipe.t_max}"),))
    if recipe.forgotten_count == 0 or recipe.forgotten_count == recipe.batch:
        message = f"{recipe.forgotten_share} of a batch of {recipe.batch} leaves one side without an image"
        raise InvalidRequest((FieldError("/recipe/forgotten_share", message),))
    return recipe


def _wrong(key: str, default: Any, value: Any) -> str | None:
    """What is wrong with ``value`` for ``key``, or None."""
    if key == "precision":
        return None if value in ("auto", "fp32", "bf16") else "must be auto, fp32 or bf16"
    if key == "start":
        return None if value in ("auto", "teacher", "distilled") else "must be auto, teacher or distilled"
    if isinstance(default, bool):
        return None if isinstance(value, bool) else "must be true or false"
    if key == "micro_batch" and value is None:
        return None
    low, high = _RANGES[key]
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        return f"must be a number from {low:g} to {high:g}"
    if (isinstance(default, int) or key == "micro_batch") and not isinstance(value, int):
        return f"must be a whole number from {low:g} to {high:g}"
    if not low <= value <= high:
        return f"must be from {low:g} to {high:g}, not {value:g}"
    return None
