"""A base model's folder and its manifest, written so that nobody ever finds half of one."""

from __future__ import annotations

import fcntl
import json
import os
import secrets
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from sfd_core.base_model.manifest import MANIFEST, digest_of
from sfd_core.errors import ModelRefused
from sfd_core.text_files import read_json

_UNFINISHED = ".unfinished-"


@contextmanager
def unfinished(models: Path) -> Iterator[Path]:
    """Yield a new folder in ``models`` that is no model yet: whoever finishes it renames it. It is gone afterwards, or,
    where the process was killed, when the next one is made."""
    models.mkdir(parents=True, exist_ok=True)
    with _alone(models):
        for left in models.glob(f"{_UNFINISHED}*"):
            shutil.rmtree(left, ignore_errors=True)
        folder = fresh_folder(models)
        try:
            yield folder
        finally:
            shutil.rmtree(folder, ignore_errors=True)


def fresh_folder(parent: Path) -> Path:
    """Make a new folder in ``parent`` that is nothing yet, for whomever the umask lets in: it will be what it is made
    for by its name alone."""
    folder = parent / f"{_UNFINISHED}{secrets.token_hex(4)}"
    folder.mkdir()
    return folder


@contextmanager
def saying(names: Mapping[str, str], before: str = "") -> Iterator[None]:
    """Have refusals call things as ``names`` has them, in place of what they are called while something is made of
    them. ``before``: what they begin with.

    Raises:
        ModelRefused: whatever is refused.
    """
    try:
        yield
    except ModelRefused as error:
        said = str(error)
        for made in sorted(names, key=len, reverse=True):  # one may begin as another does
            said = said.replace(made, names[made])
        raise ModelRefused(f"{before}{said}") from None


@contextmanager
def _alone(models: Path) -> Iterator[None]:
    """Hold the lock of a folder of models: it goes with the process that holds it.

    Raises:
        ModelRefused: where another process holds it.
    """
    with (models / ".lock").open("a") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise ModelRefused(
                f"{models}: another process is at work on its models: try again when it is done"
            ) from None
        yield


@contextmanager
def changing(folder: Path) -> Iterator[dict[str, Any]]:
    """Yield the manifest of the model in ``folder``, which is written again with what was changed in it, whole or not
    at all. Files that it is to name must be there by then.

    Raises:
        ModelRefused: where another process is at work on the models beside it, or the manifest cannot be read.
    """
    path = folder / MANIFEST
    with _alone(folder.parent):
        try:
            raw = read_json(path)
        except (OSError, ValueError, RecursionError) as error:
            raise ModelRefused(f"{path}: not readable as JSON: {error}") from None
        yield raw
        write_manifest(folder, raw)


def write_manifest(folder: Path, raw: Mapping[str, Any]) -> None:
    """Write the manifest of ``folder``, whole or not at all."""
    partial = folder / f".{MANIFEST}"
    partial.write_text(json.dumps(raw, indent=2, ensure_ascii=False) + "\n", "utf-8")
    os.replace(partial, folder / MANIFEST)


def judge_entry(name: str, folder: str, measured: Mapping[str, Any], files: Mapping[str, str]) -> dict[str, Any]:
    """Return what a manifest says of a judge. ``measured``: its figures on real images, if it has any; ``files``:
    digests by path, the judge's own among them."""
    digest = digest_of({path: value for path, value in files.items() if path.startswith(f"{folder}/")})
    return {"name": name, "folder": folder, **measured, "digest": digest}
