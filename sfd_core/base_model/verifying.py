"""A model's folder held against its manifest: what lies in it, how large, and with which digests. Plain: importing this
does not import torch."""

from __future__ import annotations

import os
from collections.abc import Collection, Mapping
from pathlib import Path
from types import MappingProxyType

from safetensors import SafetensorError, safe_open

from sfd_core.base_model.layout import MAX_TOKENIZER_BYTES, MAX_WEIGHTS_BYTES
from sfd_core.base_model.manifest import MANIFEST, BaseModel, file_sha256
from sfd_core.errors import ModelRefused

NOT_READ = frozenset({".md", ".png", ".jpg", ".jpeg", ".svg", ".log", ".jsonl"})
"""Endings of files that no loader opens: they may lie beside the others."""


def verify_files(model: BaseModel, limits: Mapping[str, int] = MappingProxyType({})) -> None:
    """Recompute the digest of every file of the model. ``limits``: as of :func:`check_files`.

    Raises:
        ModelRefused: as that; and for a file that does not have the digest that the manifest states, or is not as long
            as its header says.
    """
    check_files(model, limits)
    for name in model.files:
        if name.endswith(".safetensors"):
            _check_whole(model.folder / name)
    for name, stated in model.files.items():
        if (found := file_sha256(model.folder / name)) != stated:
            raise ModelRefused(f"{model.folder / name}: sha256 is {found}, {MANIFEST} states {stated}")


def check_files(model: BaseModel, limits: Mapping[str, int]) -> None:
    """Hold the model's folder against its manifest, what is there and how large it is, without reading a byte.

    Args:
        limits: the files that the model's family reads, with the most bytes that each may have.

    Raises:
        ModelRefused: for a file that is missing, no plain file, too large, or a link that leaves the folder; and for
            one that a loader may find and that nobody has checked.
    """
    if beside := unlisted(model, limits):
        raise ModelRefused(
            f"{model.folder}: {', '.join(beside)} lie beside the model's files and not in {MANIFEST}: a loader may "
            "read them, so list them with their digests, or take them away"
        )
    root = model.folder.resolve()
    for name in model.files:
        path = model.folder / name
        if not path.resolve().is_relative_to(root):
            raise ModelRefused(f"{path}: a link that leaves the model's folder")
        if not path.exists():
            raise ModelRefused(f"{path}: named in {MANIFEST} but missing")
        if not path.is_file():
            raise ModelRefused(f"{path}: not a plain file")
        most = limits.get(name, MAX_WEIGHTS_BYTES if path.suffix == ".safetensors" else MAX_TOKENIZER_BYTES)
        if path.stat().st_size > most:
            raise ModelRefused(f"{path}: has {path.stat().st_size} bytes; at most {most} are read")


def _check_whole(path: Path) -> None:
    """Check the length of a safetensors file by its header: one that nobody wrote would all be read for its digest."""
    try:
        with safe_open(path, framework="np"):
            pass
    except (SafetensorError, OSError) as error:
        raise ModelRefused(f"{path}: not a readable safetensors file: {error}") from None


def unlisted(model: BaseModel, limits: Collection[str]) -> tuple[str, ...]:
    """List the files below the model's folder that its manifest does not name, and links to folders: libraries open
    what they find in a folder, such as an index of other weights. Of the model's own folder only files by name are
    opened, those that a family reads (``limits``) among them."""
    found = [name for name in limits if os.path.lexists(model.folder / name)]
    for folder, folders, files in os.walk(model.folder):
        inside = Path(folder).relative_to(model.folder)
        folders[:] = [name for name in folders if not name.startswith(".")]
        linked = [name for name in folders if (Path(folder) / name).is_symlink()]
        if inside != Path():
            found += [(inside / name).as_posix() for name in files]
        found += [(inside / name).as_posix() for name in linked]
    return tuple(
        name
        for name in sorted(set(found))
        if name not in model.files and Path(name).suffix not in NOT_READ and not Path(name).name.startswith(".")
    )
