"""How much memory of a device a job's training takes: counted from the headers of the base model's files and from the
recipe, before anything is loaded. Plain: importing this does not import torch.

What is kept from one step to the next is counted to the byte. What a step has alive beside it depends on more than the
weights (the sizes of pictures, of a micro-batch, of a device's kernels), so of that only the least is counted which any
network was found to take: the sum is a lower bound. A device that has less cannot train the job; one that has more
mostly can, and where it cannot, half the micro-batch is tried (docs/memory.md).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import prod
from pathlib import Path

from sfd_core.base_model.manifest import BaseModel
from sfd_core.base_model.weight_shapes import weight_shapes
from sfd_core.families.description import Description
from sfd_core.families.registry import describe
from sfd_core.request.recipe import Recipe

FLOAT32, BFLOAT16 = 4, 2
STEP_SHARE = 0.85
"""What a step in bf16 has alive at its worst beside what is kept, as a part of the network's weights in float32: the
smallest of all that are counted in docs/memory.md is 0.89 (FLUX.1 dev with gradient checkpointing, one image at once),
rounded down. In float32 nothing is added: no such step was counted."""


@dataclass(frozen=True)
class Sizes:
    """The sizes of a base model, in numbers. ``network``: the weights of what is trained, P, with what else its file
    has, such as a table of positions; ``adapter``: the weights of an adapter of rank 1 over it; ``beside``: the weights
    of all that stands by, such as text encoders and an autoencoder."""

    network: int
    adapter: int
    beside: int = 0

    @classmethod
    def of(cls, network: Mapping[str, Sequence[int]], modules: Sequence[str], beside: int = 0) -> Sizes:
        """Count a network whose weights have these shapes by name. ``modules``: those that adapters attach to."""
        ends = tuple(f".{module}.weight" for module in modules)
        adapted = [shape for name, shape in network.items() if name.endswith(ends)]
        # A projection of [out, in] gets rank * (in + out) numbers.
        return cls(sum(map(prod, network.values())), sum(sum(shape[:2]) for shape in adapted), beside)

    @classmethod
    def of_model(cls, model: BaseModel) -> Sizes | None:
        """Read the headers of the files of ``model``; None where they are not here, as a hub's before it is fetched,
        or cannot be read."""
        family = describe(model.family)
        files = _weights(family, model)
        if not files:
            return None
        try:
            network, *others = map(weight_shapes, files)
        except (OSError, ValueError):
            return None
        return cls.of(network, family.adapters, sum(prod(shape) for other in others for shape in other.values()))


@dataclass(frozen=True)
class Kept:
    """The bytes that are on the device from one step to the next. ``weights``: of base model, generator, fake score and
    average, each once; ``optimizer``: what Adam keeps; ``gradients``: of both trained networks."""

    weights: int
    optimizer: int
    gradients: int

    @property
    def total(self) -> int:
        return self.weights + self.optimizer + self.gradients


def kept(sizes: Sizes, recipe: Recipe, distilled: bool = False) -> Kept:
    """Count what training by ``recipe`` keeps. ``distilled``: generator and fake score start as a pair that the base
    model ships, so that adapters lie over weights of their own.

    A network that is trained whole has its weights, a gradient and two moments of Adam's, all in float32 or with
    ``bf16-weights`` in bf16; one that is trained by an adapter has these of the adapter, in float32, over weights that
    it shares. The average is in float32.
    """
    whole = BFLOAT16 if recipe.precision == "bf16-weights" else FLOAT32
    network = FLOAT32 * sizes.network

    def trained(rank: int) -> int:
        return FLOAT32 * rank * sizes.adapter if rank else whole * sizes.network

    def lies_over(rank: int) -> int:
        return network if rank and distilled else 0

    of_generator, of_fake_score = recipe.lora_rank_generator, recipe.lora_rank_fake_score
    moved = trained(of_generator) + trained(of_fake_score)
    average = FLOAT32 * of_generator * sizes.adapter if of_generator else network
    start = network if recipe.deep_weight and distilled else 0  # theta_0, for L_deep
    weights = network + moved + average + lies_over(of_generator) + lies_over(of_fake_score) + start
    return Kept(weights, 2 * moved, moved)


def training_bytes(sizes: Sizes, recipe: Recipe, distilled: bool = False) -> int:
    """Count the bytes that training takes at least, on one device that holds all of it: what is :func:`kept`, what
    stands by in float32, and the least of a step."""
    step = 0 if recipe.precision == "fp32" else STEP_SHARE * FLOAT32 * sizes.network
    return kept(sizes, recipe, distilled).total + FLOAT32 * sizes.beside + round(step)


def memory_needed(model: BaseModel, recipe: Recipe) -> int | None:
    """Count the bytes that training ``model`` takes at least, as :func:`training_bytes`; None where its sizes are not
    known."""
    sizes = Sizes.of_model(model)
    distilled = model.distilled is not None and recipe.starts_distilled
    return None if sizes is None else training_bytes(sizes, recipe, distilled)


def _weights(family: Description, model: BaseModel) -> list[Path]:
    """The files of the model's weights, that of the trained network first; none where the model has no such files."""
    for layout in family.layouts:
        if set(layout.weights) <= set(model.files) and layout.fits(model.folder):
            return [model.folder / name for name in layout.weights]
    return []
