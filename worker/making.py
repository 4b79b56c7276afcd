"""An attempt as it is made: what of it needs torch. Importing this imports all that an attempt will need, whichever
family its base model is of."""

from __future__ import annotations

import dataclasses
import importlib
import json
import pkgutil
import threading
import time
from collections.abc import Callable
from pathlib import Path

import torch

from jobs.hub_models import PREFIX
from sfd_core import evaluation
from sfd_core.admission import admit
from sfd_core.base_model.hub_name import parse_hub_name
from sfd_core.base_model.manifest import BaseModel
from sfd_core.environment import environment
from sfd_core.evaluation.evaluators import GivenWeights
from sfd_core.families import hub
from sfd_core.families.device import pick_device
from sfd_core.families.registry import NAMES, family_of, load_manifest
from sfd_core.prepared import Checkpoints, take_part
from sfd_core.run import CheckpointSaved, Finished, PhaseStarted, Progress, unlearn
from sfd_core.storage import StorageFull
from sfd_core.training.ranks import ALONE, Ranks
from worker.task import EXIT_STOPPED, Stopped, Task, emit

FETCH_SECONDS = 1.0
"""How often a fetch says that it moves."""

for _name in NAMES:
    family_of(_name)
for _module in pkgutil.iter_modules(evaluation.__path__, f"{evaluation.__name__}."):  # its sections import them late
    importlib.import_module(_module.name)


def make(task: Task, folder: Path, stop: threading.Event, ranks: Ranks | None) -> int:
    """Make the attempt, and say what happens; as ``worker.attempt.run``."""
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
        pair=task.pair_folder,
        keep_pair=True,
        mark_images=task.mark_images,
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


def make_with_others(task: Task, ranks: Ranks) -> None:
    """Take the steps of an attempt that another process leads."""
    if task.threads is not None:
        torch.set_num_threads(task.threads)
    model = base_model(task, lambda: None)
    take_part(admit(task.request, model), _checkpoints(task), pick_device(task.device), ranks, task.pair_folder)


def _checkpoints(task: Task) -> Checkpoints:
    return Checkpoints(Path(task.checkpoints), [Path(p) for p in task.earlier], task.checkpoint_seconds)


def base_model(task: Task, moved: Callable[[], None]) -> BaseModel:
    """Load the base model of ``task``, fetched first where it is a hub's. ``moved`` is called as bytes come.

    Raises:
        ModelRefused, ModelUnavailable: as ``hub.fetch`` and ``registry.load_manifest`` of ``sfd_core.families``.
    """
    name, folder = task.request["base_model"], Path(task.model_folder)
    if not name.startswith(PREFIX):
        return load_manifest(folder)
    assert task.family is not None  # the runner knows what a hub's model is allowed as
    return hub.fetch(parse_hub_name(name), task.family, folder, moved)


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
