"""Checkpoints: an atomic save and a verified load. Safetensors and JSON only, no pickle.

A checkpoint is a folder ``step-<8 digits>`` with the networks, the optimisers' moments, ``state.json`` and, written
last, ``checkpoint.json`` with the SHA-256 of each. It is made beside its final name, synced to disk and renamed, so a
folder with the final name is whole; a flipped bit is found when it is loaded.
"""

from __future__ import annotations

import dataclasses
import json
import os
import shutil
from collections.abc import Iterable
from pathlib import Path

from safetensors.torch import load_file, save_file

from sfd_core.base_model.manifest import file_sha256
from sfd_core.training.check import Check
from sfd_core.training.quick import QuickFigures
from sfd_core.training.state import PARTS, TrainingState

KEPT = 2
"""Checkpoints kept in one folder: the newest, and one before it in case the newest turns out damaged."""
_MANIFEST = "checkpoint.json"


class CheckpointDamaged(ValueError):
    """A checkpoint that is incomplete or whose content does not have the digest that was written with it."""


def save(state: TrainingState, root: Path) -> Path:
    """Write a checkpoint of ``state`` below ``root`` and drop all but the newest two. Returns its folder.

    Raises:
        OSError, SafetensorError: if the disk is full (``sfd_core.storage.is_full``) or not writable; what was there
            before is untouched, and nothing is left of what was begun.
    """
    root.mkdir(parents=True, exist_ok=True)
    for stale in root.glob("new-*"):
        shutil.rmtree(stale)
    final = root / f"step-{state.step:08d}"
    if final.exists():
        return final
    new = root / f"new-{state.step:08d}"
    try:
        new.mkdir()
        for part in PARTS:
            tensors = {name: tensor.contiguous() for name, tensor in state.gathered(part).items()}
            save_file(tensors, new / f"{part}.safetensors")
        save_file({"rng": state.rng.get_state()}, new / "rng.safetensors")
        numbers = {
            "step": state.step,
            "images": state.images,
            "seconds": state.seconds,
            "curve": [dataclasses.asdict(q) for q in state.curve],
            "checks": [dataclasses.asdict(check) for check in state.checks],
        }
        (new / "state.json").write_text(json.dumps(numbers))
        digests = {path.name: file_sha256(path) for path in sorted(new.iterdir())}
        (new / _MANIFEST).write_text(json.dumps(digests))
        for path in new.iterdir():
            _sync(path)
        _sync(new)
        new.rename(final)
        _sync(root)
    except Exception:
        shutil.rmtree(new, ignore_errors=True)
        raise
    for old in sorted(root.glob("step-*"))[:-KEPT]:
        shutil.rmtree(old)
    return final


def restore_newest(state: TrainingState, roots: Iterable[Path]) -> Path | None:
    """Load the newest undamaged checkpoint below any of ``roots`` into ``state``; None if there is none.

    ``roots`` are the folders of a job's attempts: each attempt writes only to its own. What a save that was killed left
    in them goes: nobody else would take it away before the job is over.
    """
    roots = list(roots)
    for root in roots:
        for stale in root.glob("new-*"):
            shutil.rmtree(stale, ignore_errors=True)  # of several processes that restore, another was first
    found = [folder for root in roots for folder in root.glob("step-*")]
    for folder in sorted(found, key=lambda folder: folder.name, reverse=True):
        try:
            restore(state, folder)
        except CheckpointDamaged:
            continue
        return folder
    return None


def restore(state: TrainingState, folder: Path) -> None:
    """Load the checkpoint in ``folder`` into ``state``, after verifying every file.

    Raises:
        CheckpointDamaged: naming the file.
    """
    verify(folder)
    numbers = json.loads((folder / "state.json").read_text())
    for part in PARTS:
        state.load(part, load_file(folder / f"{part}.safetensors"))
    state.rng.set_state(load_file(folder / "rng.safetensors")["rng"])
    state.step, state.images, state.seconds = numbers["step"], numbers["images"], numbers["seconds"]
    state.curve = [QuickFigures(**q) for q in numbers["curve"]]
    made = numbers.get("checks", [])  # none in a checkpoint from before there were any
    state.checks = [Check(**{**check, "missing": tuple(check["missing"])}) for check in made]


def verify(folder: Path) -> None:
    """Recompute every digest. Raises ``CheckpointDamaged``."""
    try:
        digests = json.loads((folder / _MANIFEST).read_text())
        expected = {f"{name}.safetensors" for name in (*PARTS, "rng")} | {"state.json"}
        if not isinstance(digests, dict) or set(digests) != expected:
            raise CheckpointDamaged(f"{folder / _MANIFEST}: does not list the files of a checkpoint")
        for name, stated in digests.items():
            if file_sha256(folder / name) != stated:
                raise CheckpointDamaged(f"{folder / name}: does not have the digest it was written with")
    except (OSError, ValueError) as error:
        if isinstance(error, CheckpointDamaged):
            raise
        raise CheckpointDamaged(f"{folder}: {error}") from None


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
