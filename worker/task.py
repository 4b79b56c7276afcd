"""What an attempt is to do, and how its processes speak to their runner: one JSON line an event on standard output."""

from __future__ import annotations

import dataclasses
import json
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

EXIT_STOPPED = 75
"""Stopped on request, after a checkpoint (EX_TEMPFAIL)."""


@dataclass(frozen=True)
class Task:
    """One attempt. ``request`` is the JSON of an ``UnlearningRequest``; ``model_folder`` holds the base model, or gets
    it from a hub, of which it is fetched as one of ``family``; ``earlier`` are the checkpoint folders of earlier
    attempts of the same job; ``inception`` and ``clip`` are paths of weights for the evaluation; ``gpus``: processes
    that train together, each on a GPU of its own where ``device`` is one; ``shard``: each holds its shards of what they
    train; ``pair``: the folder of what the request's parent kept, where it has one; ``mark_images``: the report's
    pictures say that a model has made them."""

    request: dict[str, Any]
    model_folder: str
    checkpoints: str
    earlier: list[str]
    checkpoint_seconds: float
    device: str
    threads: int | None
    inception: str | None = None
    clip: str | None = None
    family: str | None = None
    gpus: int = 1
    shard: bool = False
    pair: str | None = None
    mark_images: bool = True

    @property
    def pair_folder(self) -> Path | None:
        """The folder of what the request's parent kept."""
        return None if self.pair is None else Path(self.pair)

    def write(self, folder: Path) -> None:
        (folder / "task.json").write_text(json.dumps(dataclasses.asdict(self)))

    @classmethod
    def read(cls, folder: Path) -> Task:
        return cls(**json.loads((folder / "task.json").read_text()))


class Stopped(Exception):
    """A stop that was asked for while the base model was fetched: what came of it stays for the next attempt."""


def emit(type_: str, **data: Any) -> None:
    """Print one event as one line."""
    sys.stdout.write(json.dumps({"type": type_, **data}) + "\n")
    sys.stdout.flush()
