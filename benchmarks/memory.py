"""How much memory a training step of Stable Diffusion 1.5 needs, counted and not measured: docs/memory.md.

    python -m benchmarks.memory            # prints the table

The step is ``sfd_core.train.Stage``'s own, over networks of SD 1.5's shapes, run with fake tensors: they have shapes
and types, but no storage, so it takes no GPU, no weights and next to no memory. What is counted is every byte of every
tensor that is alive at once. What a GPU adds is not: its context, the allocator's gaps, the kernels' own buffers.
"""

from __future__ import annotations

import argparse
import weakref
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any
from unittest.mock import patch

import torch
from diffusers import AutoencoderKL, UNet2DConditionModel
from torch import Tensor, nn
from torch._subclasses.fake_tensor import FakeTensorMode
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from sfd_core.conditions import ConditionSampler, Judge
from sfd_core.generator import SAMPLE_BATCH
from sfd_core.loading import LoadedBase
from sfd_core.manifest import plain_text_model
from sfd_core.noise import schedule_from_config
from sfd_core.recipe import STABLE_DIFFUSION, Recipe
from sfd_core.scores.lora import trainable
from sfd_core.scores.prompt_table import EMPTY, PromptTable
from sfd_core.scores.stable_diffusion import StableDiffusionScore
from sfd_core.text.plan import Condition
from sfd_core.train import Stage, start

GB = 1e9
CPU = torch.device("cpu")
RANK = 64
TOKENS, WIDTH = 77, 768
UNET: dict[str, Any] = {
    "sample_size": 64,
    "down_block_types": (*("CrossAttnDownBlock2D",) * 3, "DownBlock2D"),
    "up_block_types": ("UpBlock2D", *("CrossAttnUpBlock2D",) * 3),
    "block_out_channels": (320, 640, 1280, 1280),
    "cross_attention_dim": WIDTH,
    "attention_head_dim": 8,
}
"""Stable Diffusion 1.5's, at 512 pixels: 859.5 million parameters."""
VAE: dict[str, Any] = {
    "down_block_types": ("DownEncoderBlock2D",) * 4,
    "up_block_types": ("UpDecoderBlock2D",) * 4,
    "block_out_channels": (128, 256, 512, 512),
    "layers_per_block": 2,
    "sample_size": 512,
}
SCHEDULE = {
    "num_train_timesteps": 1000,
    "beta_start": 0.00085,
    "beta_end": 0.012,
    "beta_schedule": "scaled_linear",
    "prediction_type": "epsilon",
}


class Alive(TorchDispatchMode):
    """While entered, counts the bytes of all storages that an operation puts out and that are still referred to."""

    def __init__(self) -> None:
        super().__init__()
        self.now = self.most = 0
        self._known: set[int] = set()

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        out = func(*args, **(kwargs or {}))
        for tensor in tree_leaves(out):
            if isinstance(tensor, Tensor):
                self._count(tensor.untyped_storage())
        return out

    def _count(self, storage: Any) -> None:
        key, size = storage._cdata, storage.nbytes()
        if key in self._known:
            return
        self._known.add(key)
        self.now += size
        self.most = max(self.most, self.now)
        weakref.finalize(storage, self._gone, key, size)

    def _gone(self, key: int, size: int) -> None:
        self._known.discard(key)
        self.now -= size


class _Fakes(FakeTensorMode):
    """Survives the copying of networks that hold its tensors, which must all be of one mode."""

    def __deepcopy__(self, memo: Any) -> _Fakes:
        return self


@dataclass(frozen=True)
class Setting:
    """A row of the table."""

    name: str
    changes: dict[str, Any]


@dataclass(frozen=True)
class Row:
    """Bytes on the GPU. ``weights``: of teacher, generator, fake score and average, each storage once; ``optimizer``:
    what Adam keeps; ``gradients``: of both trained networks; ``peak``: the most at any time of a step, all of it."""

    name: str
    weights: int
    optimizer: int
    gradients: int
    peak: int

    @property
    def activations(self) -> int:
        """What a step has alive at its worst beside the rest."""
        return self.peak - self.weights - self.optimizer - self.gradients


_CHECKPOINTED = {"gradient_checkpointing": True}
SETTINGS = (
    Setting("all weights", {}),
    Setting("all weights, gradient checkpointing", _CHECKPOINTED),
    Setting("fake score by adapters, checkpointing", {**_CHECKPOINTED, "lora_rank_fake_score": RANK}),
    Setting("both by adapters", {"lora_rank_fake_score": RANK, "lora_rank_generator": RANK}),
    Setting(
        "both by adapters, checkpointing",
        {**_CHECKPOINTED, "lora_rank_fake_score": RANK, "lora_rank_generator": RANK},
    ),
)


class _Blank:
    """Embeddings of the right shape: what they hold is nothing to their size."""

    def embeddings(self, prompts: Sequence[str]) -> Tensor:
        return torch.zeros(len(prompts), TOKENS, WIDTH)


class _Unchanged(ConditionSampler):
    """Overrides nothing: which prompt the teacher is asked for is nothing to the memory that this takes."""

    def overrides(self, c: Tensor, f_psi: Tensor, judge: Judge | None, generator: torch.Generator) -> Tensor:
        return c


class _Step(Stage):
    """A step without the checks that read values, which fake tensors do not have."""

    def _apply(self, optimizer: torch.optim.Adam, loss: float, who: str, step: int) -> None:
        optimizer.step()


def counted(setting: Setting, micro_batch: int) -> Row:
    """A second step, so that what Adam keeps is there from the start."""
    changes = {"batch": 2 * micro_batch, "micro_batch": micro_batch, "precision": "bf16", **setting.changes}
    recipe: Recipe = replace(STABLE_DIFFUSION, **changes)
    # A fake tensor's value is asked for by the logged losses, the check of the images, and Adam's count of steps; a
    # network of fake tensors is where it shall be, and cannot be moved.
    no_values, stays = (
        patch.object(Tensor, "item", lambda self: 1.0),
        patch.object(nn.Module, "to", lambda self, *_, **__: self),
    )
    with _Fakes(), no_values, stays, Alive() as alive:
        base = LoadedBase(plain_text_model("sd", "SD"), UNet2DConditionModel(**UNET), schedule_from_config(SCHEDULE))
        state = start(base, recipe, 0, CPU)
        base.unet.eval().requires_grad_(False)
        table = PromptTable([Condition("one"), Condition("two")], _Blank(), torch.bfloat16)  # type: ignore[arg-type]

        def score(unet: Any) -> StableDiffusionScore:
            return StableDiffusionScore(unet, base.schedule, table, dtype=torch.bfloat16)

        phi, psi, theta = (score(unet) for unet in (base.unet, state.fake_score, state.generator))
        stage = _Step(phi, psi, theta, base.schedule, recipe, None, EMPTY)
        sampler = _Unchanged((), [1, 2], {}, recipe, CPU)
        for _ in range(2):
            alive.most = alive.now
            stage.step(state, sampler, sampler.draw(state.rng))
        networks = (base.unet, state.generator, state.fake_score, state.average)
        weights = {w.untyped_storage()._cdata: w.nbytes for net in networks for w in net.parameters()}
        trained = [*trainable(state.generator), *trainable(state.fake_score)]
        optimizer = sum(2 * weight.nbytes for weight in trained)
        gradients = sum(weight.grad.nbytes for weight in trained if weight.grad is not None)
        return Row(setting.name, sum(weights.values()), optimizer, gradients, alive.most)


def decoding(images: int) -> int:
    """Bytes alive while ``images`` latents are decoded in float32, the autoencoder's own included."""
    with _Fakes(), torch.no_grad(), Alive() as alive:
        vae = AutoencoderKL(**VAE).eval()
        vae.decode(torch.zeros(images, 4, 64, 64))
        return alive.most


def table(rows: Sequence[Row]) -> list[str]:
    """Markdown, in units of 10^9 bytes."""
    heads = ("setting", "weights", "what Adam keeps", "gradients", "activations and copies", "peak")
    lines = [f"| {' | '.join(heads)} |", "|" + " --- |" * len(heads)]
    for row in rows:
        values = (row.weights, row.optimizer, row.gradients, row.activations, row.peak)
        lines.append(f"| {row.name} | " + " | ".join(f"{value / GB:.1f}" for value in values) + " |")
    return lines


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--micro-batch", type=int, default=1, help="images at once")
    parser.add_argument("--only", type=int, nargs="+", help="rows by number, from 1")
    arguments = parser.parse_args()
    chosen = [SETTINGS[i - 1] for i in arguments.only] if arguments.only else list(SETTINGS)
    print("\n".join(table([counted(setting, arguments.micro_batch) for setting in chosen])))
    for images in (1, SAMPLE_BATCH):
        print(f"decoding {images} at 512 pixels: {decoding(images) / GB:.1f}")


if __name__ == "__main__":
    main()
