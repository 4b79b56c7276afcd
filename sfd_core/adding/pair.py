"""The distilled pair that a base model's jobs start from: put beside it and named in its manifest."""

from __future__ import annotations

import contextlib
import hashlib
import json
import shutil
from collections.abc import Callable, Mapping
from pathlib import Path, PurePath
from typing import Any

from sfd_core.adding.writing import changing
from sfd_core.base_model.manifest import BaseModel, file_sha256
from sfd_core.base_model.manifest_parts import PAIR
from sfd_core.families.registry import describe


def pair_folders(model: BaseModel) -> tuple[str, ...]:
    """Return the folders of a model that are its pair's alone: a fake score may be the base model's own network."""
    if model.distilled is None:
        return ()
    own = {str(PurePath(file).parent) for layout in describe(model.family).layouts for file in layout.weights}
    return tuple(folder for folder in (model.distilled.generator, model.distilled.fake_score) if folder not in own)


def enter_pair(
    model: BaseModel,
    fill: Callable[[Path], None],
    t_init: float,
    own: str = "",
    recipe: Mapping[str, Any] | None = None,
) -> str:
    """Keep a pair with ``model``, in place of an earlier one. Returns its folder's name.

    ``fill``: writes ``generator/`` and ``fake_score/`` into a folder, and raises where they are not to be kept; one
    that it leaves out is the model's network ``own``. ``t_init``: when the generator is asked. ``recipe``: settings
    that it was made with and that its jobs should have too, beside those that the model recommends already.

    Raises:
        ModelRefused: where another process is at work on the models beside it.
    """
    partial = model.folder / ".distilled"
    shutil.rmtree(partial, ignore_errors=True)
    try:
        fill(partial)
        digests = {path.relative_to(partial).as_posix(): file_sha256(path) for path in sorted(partial.glob("*/*"))}
        name = f"distilled-{hashlib.sha256(json.dumps(digests).encode()).hexdigest()[:8]}"
        before = pair_folders(model)
        with changing(model.folder) as raw:
            if not (model.folder / name).is_dir():
                partial.rename(model.folder / name)
            old = tuple(f"{folder}/" for folder in before)
            raw["files"] = {file: digest for file, digest in raw["files"].items() if not file.startswith(old)}
            raw["files"] |= {f"{name}/{file}": digest for file, digest in digests.items()}
            raw["distilled"] = {part: f"{name}/{part}" if _has(digests, part) else own for part in PAIR}
            raw["distilled"]["t_init"] = t_init
            if recipe:
                raw["recipe"] = raw.get("recipe", {}) | dict(recipe)
    finally:
        shutil.rmtree(partial, ignore_errors=True)
    for left in before:
        if not left.startswith(f"{name}/"):
            shutil.rmtree(model.folder / left, ignore_errors=True)
            with contextlib.suppress(OSError):  # something else is in it
                (model.folder / left).parent.rmdir()
    return name


def _has(files: dict[str, str], part: str) -> bool:
    return any(file.startswith(f"{part}/") for file in files)
