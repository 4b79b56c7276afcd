"""The processes that train one run together, each on a share of every batch.

All of them are the same run: each draws the whole batch's noise, times and conditions from the same seed
(``sfd_core.training.draws``), takes its own images of it, and adds up its gradient with the others'. So a run does not
depend on how many they are, but for how floating-point sums round. The first of them leads: it looks at the images,
saves the checkpoints and decides; the others only take steps.
"""

from __future__ import annotations

import datetime
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import torch
import torch.distributed as dist
from torch import Tensor, nn

N = TypeVar("N", bound=nn.Module)

FOREVER = datetime.timedelta(days=7)
"""What a process waits for the others: the first may look at images for hours. Whoever started them ends all of them
when one has ended, and its supervisor sees when nothing moves."""
BUCKET = 2**24
"""Numbers that are added up at once: few messages, and little memory beside the gradients."""

NOTHING = -1
"""In place of a number, in what the first process says."""


@dataclass(frozen=True)
class Next:
    """A word of the first process on what is next. ``step``: the one that it stands at. ``part``: by number, what of
    the state it gathers from all of them; None: the next step is taken."""

    step: int
    part: int | None = None


class Ranks:
    """One process that trains alone: all of a batch is its own, and nobody follows it."""

    number, count = 0, 1

    def share(self, n: int) -> Tensor:
        """Return which of ``n`` images this process takes, on the CPU. They are dealt out one by one, so forgotten
        ones, which stand first in a batch, are shared too; where there are fewer than processes, some get none."""
        return torch.arange(self.number, n, self.count)

    def pieces(self, n: int, most: int) -> Sequence[tuple[Tensor, float]]:
        """Return what this process takes of ``n`` images in pieces of at most ``most``: which images, on the CPU, and
        what share of all ``n`` they count."""
        own = self.share(n)
        return [(images, len(images) / n) for images in own.split(most)] if len(own) else []

    def sums(self, *numbers: float) -> tuple[float, ...]:
        """Add up each of ``numbers`` over the processes: the same bits in all of them."""
        return numbers

    def sum_gradients(self, weights: Sequence[nn.Parameter]) -> None:
        """Add up the gradients over the processes, in place. Where a process has none of a weight that another has one
        of, it counts as nought."""

    def say_next(self, what: Next | None) -> None:
        """Say to those that follow what is next; None: the run is over."""

    def told_next(self) -> Next | None:
        """Wait for what the first process says is next (:meth:`say_next`)."""
        raise RuntimeError("the first process leads: nobody tells it")

    def trained(self, network: N) -> N:
        """Return ``network``, the same in every process, as this one holds what it trains and runs. Before it has an
        optimizer."""
        return network

    def kept(self, network: N) -> N:
        """Return ``network``, the same in every process, as this one holds what it does not run."""
        return network

    def placed(self, whole: Mapping[str, Tensor], held: Mapping[str, Tensor]) -> Mapping[str, Tensor]:
        """Return of each ``whole`` tensor what this process has of it, as it has of the ``held`` one of that name."""
        return whole

    def gathered(self, held: Mapping[str, Tensor], what: Next) -> Mapping[str, Tensor]:
        """Return ``held``, what a process has of a part of the state, whole. Every process calls it; those that follow
        once they are told of ``what``, and what they get is of no use."""
        return held

    def whole(self, network: N, tensors: Mapping[str, Tensor]) -> N:
        """Return a ``network`` that is :meth:`kept` as one that runs without the others. ``tensors``: all of its, as
        :meth:`gathered`."""
        return network

    def times(self, device: str) -> str:
        """Return what the run is on, in words, where each process has such a ``device``."""
        return device if self.count == 1 else f"{self.count} x {device}"

    def leave(self) -> None:
        """Leave the others; each goes on, or ends, alone."""

    @contextmanager
    def led(self) -> Iterator[None]:
        """Hold the others while this process, the first, takes steps; afterwards they are told that it is over. Not
        after an error: whoever started them sees it and ends them."""
        yield
        self.say_next(None)
        self.leave()


ALONE = Ranks()


class ProcessGroup(Ranks):
    """Process ``number`` of ``count`` on one machine, which find each other by the file ``meeting``; it must not be
    there before. Gradients on GPUs go by NCCL, all else by gloo."""

    def __init__(self, number: int, count: int, meeting: Path, device: torch.device) -> None:
        self.number, self.count = number, count
        backend = "cpu:gloo,cuda:nccl" if device.type == "cuda" else "gloo"
        # Not as a URL, in which a folder may not have any name.
        store = dist.FileStore(str(meeting), count)  # type: ignore[attr-defined]
        dist.init_process_group(backend, store=store, timeout=FOREVER, world_size=count, rank=number)

    def sums(self, *numbers: float) -> tuple[float, ...]:
        added = torch.tensor(numbers, dtype=torch.float64)
        dist.all_reduce(added)
        return tuple(added.tolist())

    def sum_gradients(self, weights: Sequence[nn.Parameter]) -> None:
        has = torch.tensor([weight.grad is not None for weight in weights], dtype=torch.int32)
        dist.all_reduce(has, dist.ReduceOp.MAX)
        moved = [weight for weight, anywhere in zip(weights, has.tolist(), strict=True) if anywhere]
        gradients = [torch.zeros_like(weight) if weight.grad is None else weight.grad for weight in moved]
        for bucket in _buckets(gradients):
            # In float32 also where gradients are kept in bf16, whose sums would lose most of what they have.
            flat = torch.cat([gradient.flatten().float() for gradient in bucket])
            dist.all_reduce(flat)
            for gradient, part in zip(bucket, flat.split([g.numel() for g in bucket]), strict=True):
                gradient.copy_(part.view_as(gradient))
        for weight, gradient in zip(moved, gradients, strict=True):
            weight.grad = gradient

    def say_next(self, what: Next | None) -> None:
        step, part = (None, None) if what is None else (what.step, what.part)
        dist.broadcast(torch.tensor([NOTHING if number is None else number for number in (step, part)]), 0)

    def told_next(self) -> Next | None:
        said = torch.tensor([NOTHING, NOTHING])
        dist.broadcast(said, 0)
        step, part = (None if number == NOTHING else number for number in said.tolist())
        return None if step is None else Next(step, part)

    def leave(self) -> None:
        dist.destroy_process_group()


def _buckets(gradients: Sequence[Tensor]) -> Iterator[list[Tensor]]:
    """Gradients, in order, in groups of at most ``BUCKET`` numbers; a larger one is a group by itself."""
    group: list[Tensor] = []
    for gradient in gradients:
        if group and sum(g.numel() for g in group) + gradient.numel() > BUCKET:
            yield group
            group = []
        group.append(gradient)
    if group:
        yield group
