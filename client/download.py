"""A generator's archive onto the disk: whole, checked and inside the folder it is meant for, or not at all."""

from __future__ import annotations

import base64
import hashlib
import json
import os
import shutil
import tempfile
import zipfile
from collections.abc import Iterable, Mapping
from pathlib import Path, PurePosixPath

from client.errors import BadAnswer, Refused

RECORD = "unlearning-record.json"
"""The record's name in an archive."""


def named_in(record: str) -> dict[str, str]:
    """Return the SHA-256 in hexadecimal of every file of the archive by its name: those that the record names, and
    itself. Nothing is said of its signature: that takes a public key.

    Raises:
        BadAnswer: for what is no record.
    """
    try:
        statement = json.loads(base64.b64decode(json.loads(record)["payload"]))
        named = {str(each["name"]): str(each["digest"]["sha256"]) for each in statement["subject"]}
    except (ValueError, KeyError, TypeError) as error:
        raise BadAnswer(f"the service sent a record that this client cannot read: {error!r}") from None
    return {**named, RECORD: hashlib.sha256(record.encode()).hexdigest()}


def check_target(target: Path) -> None:
    """Refuse, before anything is fetched, a target that would overwrite something.

    Raises:
        Refused: if ``target`` is there already, other than as an empty folder.
    """
    if target.suffix == ".zip":
        if target.exists():
            raise Refused(f"{target} is there already: it will not be overwritten")
    elif target.exists() and (not target.is_dir() or any(target.iterdir())):
        raise Refused(f"{target} is there already and is not an empty folder: it will not be overwritten")


def save(chunks: Iterable[bytes], target: Path, digests: Mapping[str, str]) -> Path:
    """Write a zip that comes in ``chunks`` to ``target``: as it is where the name ends in ``.zip``, else unpacked
    into a folder of that name. It appears under its name only when it is complete.

    ``digests``: {name: hexadecimal SHA-256} of the files that must be in it, and no others.

    Raises:
        Refused: as :func:`check_target`.
        BadAnswer: for what is not such a zip.
    """
    check_target(target)
    target.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=f".{target.name}-", dir=target.parent) as scratch:
        archive, folder = Path(scratch) / "archive.zip", Path(scratch) / "folder"
        with archive.open("wb") as stream:
            for chunk in chunks:
                stream.write(chunk)
        _unpack(archive, folder, digests)
        # A folder is renamed onto nothing, or onto an empty one.
        os.replace(archive if target.suffix == ".zip" else folder, target)
    return target


def _unpack(archive: Path, folder: Path, digests: Mapping[str, str]) -> None:
    """Only names that the service has stated are written, each once, so none of them can leave ``folder``."""
    missing = dict(digests)
    try:
        with zipfile.ZipFile(archive) as entries:
            for entry in entries.infolist():
                stated = missing.pop(entry.filename, None)
                if stated is None or not _stays_inside(entry.filename):
                    raise BadAnswer(f"the archive holds {entry.filename!r}, which is no file of this generator")
                place = folder / entry.filename
                place.parent.mkdir(parents=True, exist_ok=True)
                with entries.open(entry) as source, place.open("xb") as sink:
                    shutil.copyfileobj(source, sink)
                with place.open("rb") as stream:
                    found = hashlib.file_digest(stream, "sha256").hexdigest()
                if found != stated:
                    raise BadAnswer(f"{entry.filename}: sha256 is {found}, the service states {stated}")
    except (zipfile.BadZipFile, OSError) as error:
        raise BadAnswer(f"the archive cannot be unpacked: {error}") from None
    if missing:
        raise BadAnswer(f"the archive lacks {', '.join(sorted(missing))}")


def _stays_inside(name: str) -> bool:
    path = PurePosixPath(name)
    return not path.is_absolute() and ".." not in path.parts and "\\" not in name
