"""How much memory a training step needs, counted and not measured: docs/memory.md.

    python -m benchmarks.memory                      # prints the table of Stable Diffusion 1.5
    python -m benchmarks.memory --shapes flux-dev    # of another model

The step is ``sfd_core.training.step.TrainingStep``'s own, over networks of published shapes, run with fake tensors:
they have shapes and types, but no storage, so it takes no GPU, no weights and next to no memory. What is counted is
every byte of every tensor that is alive at once. What a GPU adds is not: its context, the allocator's gaps, the
kernels' own buffers.
"""

from __future__ import annotations

import argparse
import weakref
from dataclasses import dataclass
from typing import Any
from unittest.mock import patch

import torch
from torch import Tensor, nn
from torch._subclasses.fake_tensor import FakeTensorMode
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from benchmarks.shared.bench import SETTINGS, Bench, Setting, Trained
from benchmarks.shared.command import Command, Option
from benchmarks.shared.experiment import CPU
from benchmarks.shared.flows import FLOWS
from benchmarks.shared.page import table
from benchmarks.shared.sd15 import SHAPES
from sfd_core.families.memory import Kept, Sizes, kept
from sfd_core.families.registry import describe
from sfd_core.families.sampling import SAMPLE_BATCH
from sfd_core.training.state import TrainingState
from sfd_core.training.step import TrainingStep

GB = 1e9
MODELS = {**{name: shapes.trained for name, shapes in SHAPES.items()}, **FLOWS}
NUMBERS = tuple(range(1, len(SETTINGS) + 1))
COMMAND = Command(
    "memory",
    __doc__,
    Option("--micro-batch", 1, "images at once"),
    Option("--only", NUMBERS, "rows by number", choices=NUMBERS, quick=(1, len(SETTINGS))),
    Option("--shapes", "sd15", "of the networks", quick="small", choices=tuple(MODELS)),
)
HEADS = ("setting", "weights", "what Adam keeps", "gradients", "activations and copies", "peak")


class Alive(TorchDispatchMode):
    """A counter: while entered, it counts the bytes of all storages that an operation puts out and that are still
    referred to."""

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
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
    """A mode that survives the copying of networks that hold its tensors, which must all be of one mode."""

    def __deepcopy__(self, memo: Any) -> _Fakes:
        return self


@dataclass(frozen=True)
class Row:
    """Bytes on the GPU. ``kept``: from one step to the next, as jobs are counted; ``peak``: the most at any time of a
    step, all of it."""

    name: str
    kept: Kept
    peak: int

    @property
    def activations(self) -> int:
        """What a step has alive at its worst beside the rest."""
        return self.peak - self.kept.total


class _Step(TrainingStep):
    """A step without the checks that read values, which fake tensors do not have."""

    def _apply(self, optimizer: torch.optim.Adam, loss: float, who: str, state: TrainingState) -> None:
        optimizer.step()


def counted(setting: Setting, micro_batch: int, trained: Trained) -> Row:
    """Count a second step, so that what Adam keeps is there from the start."""
    # A fake tensor's value is asked for by the logged losses, the check of the images, and Adam's count of steps; a
    # network of fake tensors is where it shall be, and cannot be moved.
    no_values, stays = (
        patch.object(Tensor, "item", lambda self: 1.0),
        patch.object(nn.Module, "to", lambda self, *_, **__: self),
    )
    with _Fakes(), no_values, stays, (alive := Alive()):
        bench = Bench(setting, 2 * micro_batch, micro_batch, CPU, trained, _Step)
        for _ in range(2):
            alive.most = alive.now
            bench.step()
        network = {name: weight.shape for name, weight in bench.base_model.named_parameters()}
        sizes = Sizes.of(network, describe(trained.family).adapters)
        return Row(setting.name, kept(sizes, bench.recipe), alive.most)


def decoding(images: int, trained: Trained) -> int:
    """Count the bytes alive while ``images`` latents are decoded in float32, the autoencoder's own included."""
    with _Fakes(), torch.no_grad(), (alive := Alive()):
        vae: Any = trained.autoencoder().eval()
        vae.decode(torch.zeros(images, *trained.latents))
        return alive.most


def cells(row: Row) -> tuple[str, ...]:
    """Write the row in units of 10^9 bytes."""
    values = (row.kept.weights, row.kept.optimizer, row.kept.gradients, row.activations, row.peak)
    return (row.name, *(f"{value / GB:.1f}" for value in values))


def run(arguments: argparse.Namespace) -> str:
    """Count every setting, then decoding."""
    trained = MODELS[arguments.shapes]
    rows = [counted(SETTINGS[i - 1], arguments.micro_batch, trained) for i in arguments.only]
    print(table(HEADS, [cells(row) for row in rows]))
    for images in (1, SAMPLE_BATCH):
        print(f"decoding {images} at {trained.pixels} pixels: {decoding(images, trained) / GB:.1f}")
    return f"peak {rows[-1].peak / GB:.3g} x 10^9 bytes, {rows[-1].name}"


if __name__ == "__main__":
    COMMAND.main(run)
