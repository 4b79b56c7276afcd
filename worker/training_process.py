"""What the runner starts with exec: one attempt of one job, in a process of its own, so that its crash, its memory and
its GPU die with it.

    python -m worker.training_process FOLDER

``FOLDER/task.json`` says what to do (:class:`Task`). Every event is one JSON line on standard output; the generator,
the report and, for the record, ``environment.json`` are written below ``FOLDER``. SIGTERM asks for a checkpoint and
the end. Standard input is a line to the runner that is never written to: when it closes, the runner is gone and this
process ends.
"""

from __future__ import annotations

import dataclasses
import json
import os
import signal
import sys
import threading
import time
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import Any

from jobs.hub_models import PREFIX
from sfd_core.base_model.hub_name import parse_hub_name
from sfd_core.base_model.manifest import BaseModel
from sfd_core.families.registry import load_manifest

EXIT_STOPPED = 75
"""Stopped on request, after a checkpoint (EX_TEMPFAIL)."""
FETCH_SECONDS = 1.0
"""How often a fetch says that it moves."""


@dataclass(frozen=True)
class Task:
    """One attempt. ``request`` is the JSON of an ``UnlearningRequest``; ``model_folder`` holds the base model, or gets
    it from a hub, of which it is fetched as one of ``family``; ``earlier`` are the checkpoint folders of earlier
    attempts of the same job; ``inception`` and ``clip`` are paths of weights for the evaluation."""

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

    def write(self, folder: Path) -> None:
        (folder / "task.json").write_text(json.dumps(dataclasses.asdict(self)))

    @classmethod
    def read(cls, folder: Path) -> Task:
        return cls(**json.loads((folder / "task.json").read_text()))


def main(folder: Path) -> int:
    """Run the attempt in ``folder``. Returns the exit status; every foreseen error is told as an event first."""
    threading.Thread(target=_end_with_the_runner, daemon=True).start()
    stop = threading.Event()
    signal.signal(signal.SIGTERM, lambda signum, frame: _ask_to_stop(stop, signum, frame))
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the runner's: it asks by SIGTERM
    emit("phase", phase="preparing")
    try:
        return run(Task.read(folder), folder, stop)
    except MemoryError as error:
        emit("error", code="out_of_memory", message=str(error) or "out of memory", retryable=True)
    return 1


def run(task: Task, folder: Path, stop: threading.Event) -> int:
    """Run the attempt itself. Torch is imported here, so that the first line goes out before it."""
    import torch

    from sfd_core.admission import admit
    from sfd_core.environment import environment
    from sfd_core.errors import InvalidRequest, ModelRefused, ModelUnavailable, TrainingDiverged
    from sfd_core.evaluation.evaluators import GivenWeights
    from sfd_core.families.device import pick_device
    from sfd_core.run import Checkpoints, CheckpointSaved, Finished, PhaseStarted, Progress, unlearn

    if task.threads is not None:
        torch.set_num_threads(task.threads)
    checkpoints = Checkpoints(Path(task.checkpoints), [Path(p) for p in task.earlier], task.checkpoint_seconds)
    try:
        model = base_model(task.request["base_model"], Path(task.model_folder), task.family, stop)
        admitted = admit(task.request, model)
        weights = GivenWeights(*(Path(path) if path else None for path in (task.inception, task.clip)))
        for event in unlearn(
            admitted, folder, checkpoints=checkpoints, device=task.device, weights=weights, should_stop=stop
        ):
            match event:
                case PhaseStarted(phase):
                    emit("phase", phase=phase)
                case Progress():
                    emit("progress", **dataclasses.asdict(event))
                case CheckpointSaved():
                    emit("checkpoint", **dataclasses.asdict(event))
                case Finished():
                    where = environment(pick_device(task.device))
                    (folder / "environment.json").write_text(json.dumps(where))
                    emit("done")
                    return 0
    except Stopped:
        return EXIT_STOPPED
    except ModelRefused as error:
        emit("error", code="model_refused", message=str(error), retryable=False)
        return 1
    except ModelUnavailable as error:
        emit("error", code="model_unavailable", message=str(error), retryable=True)
        return 1
    except InvalidRequest as error:
        emit("error", code="invalid_request", message=str(error), retryable=False)
        return 1
    except TrainingDiverged as error:
        emit("error", code="training_diverged", message=str(error), retryable=False)
        return 1
    except torch.OutOfMemoryError as error:
        emit("error", code="out_of_memory", message=str(error), retryable=True)
        return 1
    return EXIT_STOPPED


class Stopped(Exception):
    """A stop that was asked for while the base model was fetched: what came of it stays for the next attempt."""


def base_model(name: str, folder: Path, family: str | None, stop: threading.Event) -> BaseModel:
    """Load the base model in ``folder``, fetched first where it is a hub's, of ``family``. Bytes that come keep the
    attempt alive.

    Raises:
        ModelRefused, ModelUnavailable: as ``hub.fetch`` and ``registry.load_manifest`` of ``sfd_core.families``.
        Stopped: ``stop`` was set meanwhile.
    """
    if not name.startswith(PREFIX):
        return load_manifest(folder)
    assert family is not None  # the runner knows what a hub's model is allowed as
    from sfd_core.families.hub import fetch

    told = 0.0

    def moved() -> None:
        nonlocal told
        if stop.is_set():
            raise Stopped
        if (now := time.monotonic()) - told >= FETCH_SECONDS:
            told = now
            emit("phase", phase="preparing")

    return fetch(parse_hub_name(name), family, folder, moved)


def emit(type_: str, **data: Any) -> None:
    """Print one event as one line."""
    sys.stdout.write(json.dumps({"type": type_, **data}) + "\n")
    sys.stdout.flush()


def _ask_to_stop(stop: threading.Event, signum: int, frame: FrameType | None) -> None:
    stop.set()


def _end_with_the_runner() -> None:
    """Leave at once when the runner is gone: another attempt may be under way elsewhere."""
    while os.read(sys.stdin.fileno(), 1):
        pass
    os._exit(EXIT_STOPPED)


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
