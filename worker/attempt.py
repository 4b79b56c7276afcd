"""One attempt of one job, as the processes that make it do it: its task, what they tell their runner, and how they end.

``FOLDER/task.json`` says what to do (:class:`Task`). Every event is one JSON line on standard output; the generator,
the report and, for the record, ``environment.json`` are written below ``FOLDER``. Standard input is a line to the
runner that is never written to: when it closes, the runner is gone, and so shall these be.
"""

from __future__ import annotations

import dataclasses
import json
import os
import sys
import threading
import time
import traceback
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from jobs.hub_models import PREFIX
from sfd_core.base_model.hub_name import parse_hub_name
from sfd_core.base_model.manifest import BaseModel
from sfd_core.families.registry import load_manifest
from worker.causes import FORESEEN, cause_of, is_of_another

if TYPE_CHECKING:
    from sfd_core.prepared import Checkpoints
    from sfd_core.training.ranks import Ranks

EXIT_STOPPED = 75
"""Stopped on request, after a checkpoint (EX_TEMPFAIL)."""
FETCH_SECONDS = 1.0
"""How often a fetch says that it moves."""


@dataclass(frozen=True)
class Task:
    """One attempt. ``request`` is the JSON of an ``UnlearningRequest``; ``model_folder`` holds the base model, or gets
    it from a hub, of which it is fetched as one of ``family``; ``earlier`` are the checkpoint folders of earlier
    attempts of the same job; ``inception`` and ``clip`` are paths of weights for the evaluation; ``gpus``: processes
    that train together, each on a GPU of its own where ``device`` is one; ``shard``: each holds its shards of what they
    train."""

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

    def write(self, folder: Path) -> None:
        (folder / "task.json").write_text(json.dumps(dataclasses.asdict(self)))

    @classmethod
    def read(cls, folder: Path) -> Task:
        return cls(**json.loads((folder / "task.json").read_text()))


def run(task: Task, folder: Path, stop: threading.Event, ranks: Ranks | None = None) -> int:
    """Run the attempt, until ``stop`` is set; where there are ``ranks``, lead them. Returns the exit status.

    Torch is imported here and below, so that the first line goes out before it.
    """
    return told(lambda: _run(task, folder, stop, ranks))


def take_part(task: Task, ranks: Ranks) -> int:
    """Take the steps of an attempt that another process leads. Returns the exit status."""
    return told(lambda: _take_part(task, ranks))


def told(work: Callable[[], int]) -> int:
    """Do the ``work`` and return its exit status; whatever ends it is told as an event first, but for the end of
    another process, of which ``worker.launch`` tells."""
    try:
        return work()
    except Stopped:
        return EXIT_STOPPED
    except Exception as error:  # noqa: BLE001 - nothing may end an attempt without a word
        cause = cause_of(error, "run_failed")
        if not isinstance(error, FORESEEN):
            traceback.print_exc()
        if not is_of_another(error):
            emit("error", **dataclasses.asdict(cause))
    return 1


def _run(task: Task, folder: Path, stop: threading.Event, ranks: Ranks | None) -> int:
    import torch

    from sfd_core.admission import admit
    from sfd_core.environment import environment
    from sfd_core.evaluation.evaluators import GivenWeights
    from sfd_core.families.device import pick_device
    from sfd_core.run import CheckpointSaved, Finished, PhaseStarted, Progress, unlearn
    from sfd_core.storage import StorageFull
    from sfd_core.training.ranks import ALONE

    if task.threads is not None:
        torch.set_num_threads(task.threads)
    model = base_model(task, _moving(stop))
    admitted = admit(task.request, model)
    weights = GivenWeights(*(Path(path) if path else None for path in (task.inception, task.clip)))
    for event in unlearn(
        admitted,
        folder,
        checkpoints=_checkpoints(task),
        device=task.device,
        weights=weights,
        should_stop=stop,
        ranks=ranks or ALONE,
    ):
        match event:
            case PhaseStarted(phase):
                emit("phase", phase=phase)
            case Progress():
                emit("progress", **dataclasses.asdict(event))
            case CheckpointSaved():
                emit("checkpoint", **dataclasses.asdict(event))
            case StorageFull(message):
                emit("waiting", code="storage_full", message=message)
            case Finished():
                where = environment(pick_device(task.device))
                (folder / "environment.json").write_text(json.dumps(where))
                emit("done")
                return 0
    return EXIT_STOPPED


def _take_part(task: Task, ranks: Ranks) -> int:
    import torch

    from sfd_core.admission import admit
    from sfd_core.families.device import pick_device
    from sfd_core.prepared import take_part

    if task.threads is not None:
        torch.set_num_threads(task.threads)
    model = base_model(task, lambda: None)
    take_part(admit(task.request, model), _checkpoints(task), pick_device(task.device), ranks)
    return 0


def _checkpoints(task: Task) -> Checkpoints:
    from sfd_core.prepared import Checkpoints

    return Checkpoints(Path(task.checkpoints), [Path(p) for p in task.earlier], task.checkpoint_seconds)


class Stopped(Exception):
    """A stop that was asked for while the base model was fetched: what came of it stays for the next attempt."""


def base_model(task: Task, moved: Callable[[], None]) -> BaseModel:
    """Load the base model of ``task``, fetched first where it is a hub's. ``moved`` is called as bytes come.

    Raises:
        ModelRefused, ModelUnavailable: as ``hub.fetch`` and ``registry.load_manifest`` of ``sfd_core.families``.
    """
    name, folder = task.request["base_model"], Path(task.model_folder)
    if not name.startswith(PREFIX):
        return load_manifest(folder)
    assert task.family is not None  # the runner knows what a hub's model is allowed as
    from sfd_core.families.hub import fetch

    return fetch(parse_hub_name(name), task.family, folder, moved)


def _moving(stop: threading.Event) -> Callable[[], None]:
    """What is called as bytes of a base model come: it keeps the attempt alive, and raises ``Stopped`` once ``stop`` is
    set."""
    told = 0.0

    def moved() -> None:
        nonlocal told
        if stop.is_set():
            raise Stopped
        if (now := time.monotonic()) - told >= FETCH_SECONDS:
            told = now
            emit("phase", phase="preparing")

    return moved


def emit(type_: str, **data: Any) -> None:
    """Print one event as one line."""
    sys.stdout.write(json.dumps({"type": type_, **data}) + "\n")
    sys.stdout.flush()


def end_with_the_runner() -> None:
    """Leave at once when the runner is gone, from a thread of its own: another attempt may be under way elsewhere."""

    def watch() -> None:
        while os.read(sys.stdin.fileno(), 1):
            pass
        os._exit(EXIT_STOPPED)

    threading.Thread(target=watch, daemon=True).start()
