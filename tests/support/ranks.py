"""Real processes that train together, for tests: each calls one function, and what it returns comes back."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
import torch.multiprocessing as mp

from sfd_core.training.ranks import ProcessGroup

CPU = torch.device("cpu")


def in_ranks(
    count: int, work: Callable[..., Any], *arguments: Any, group: type[ProcessGroup] = ProcessGroup
) -> list[Any]:
    """What ``work(ranks, *arguments)`` returns in each of ``count`` processes, which are a ``group``. An error in one
    is raised here."""
    with tempfile.TemporaryDirectory(prefix="lethe-ranks-") as folder:
        mp.spawn(_one, (count, Path(folder), group, work, arguments), nprocs=count)  # type: ignore[no-untyped-call]
        return [torch.load(Path(folder) / str(number), weights_only=False) for number in range(count)]


def _one(
    number: int,
    count: int,
    folder: Path,
    group: type[ProcessGroup],
    work: Callable[..., Any],
    arguments: tuple[Any, ...],
) -> None:
    os.environ["GLOO_SOCKET_IFNAME"] = "lo"
    torch.set_num_threads(1)
    ranks = group(number, count, folder / "meeting", CPU)
    torch.save(work(ranks, *arguments), folder / str(number))
    ranks.leave()
