"""Where files are in a folder that somebody has. The weights of a network are one file, a variant of it (``fp16``), or
parts with an index, and become the one file that is read here."""

from __future__ import annotations

import codecs
import os
import re
import shutil
from collections import Counter
from collections.abc import Collection, Sequence
from pathlib import Path

from safetensors.torch import load_file

from sfd_core.base_model.config_checks import shown
from sfd_core.base_model.configs import MAX_CONFIG_BYTES
from sfd_core.base_model.layout import MAX_WEIGHTS_BYTES
from sfd_core.base_model.safe_files import read_header
from sfd_core.base_model.saving import save_tensors
from sfd_core.errors import ModelRefused
from sfd_core.text_files import read_json

PICKLES = (".bin", ".ckpt", ".pt", ".pth", ".pkl", ".msgpack", ".h5", ".onnx")
_PART = re.compile(r"-\d{5}-of-\d{5}")
MAX_PARTS = 200
MAX_INDEX_BYTES = 16 * MAX_CONFIG_BYTES


def find_file(path: Path, most: int) -> Path:
    """Find a file of at most ``most`` bytes: what a link leads to, as in a hub's cache.

    Raises:
        ModelRefused: where there is none, or a larger one.
    """
    if not path.is_file():
        if path.is_symlink():
            raise ModelRefused(f"{path}: a link to {os.readlink(path)}, which is not there: fetch the model again")
        raise ModelRefused(f"{path}: no such file")
    if path.stat().st_size > most:
        raise ModelRefused(f"{path}: has {path.stat().st_size} bytes; at most {most} are read")
    return path.resolve()


def find_weights(path: Path, variant: str | None = None) -> tuple[Path, ...]:
    """Find the files that hold the weights which are ``path`` where they are one whole: of ``variant`` if that is
    there, else the whole precision, else the only variant that there is. Of each the header is read.

    Raises:
        ModelRefused: where there are none, none that is safetensors, or several variants and none was chosen; and for
            weights that cannot be read.
    """
    there = {form: path.with_name(name) for form, name in variants(path.name, _beside(path)).items()}
    wanted = variant if variant in there else None
    if wanted not in there:
        if not there:
            raise ModelRefused(f"{path}: {_why_missing(path)}")
        if len(there) > 1:
            raise ModelRefused(f"{path}: there are only variants of it, {', '.join(map(str, there))}: say --variant")
        (wanted,) = there
    found = there[wanted]
    sources = tuple(map(_followed, parts_of(found))) if found.suffix == ".json" else (_followed(found),)
    _check(sources)
    return sources


def variants(name: str, beside: Collection[str]) -> dict[str | None, str]:
    """Find what there is of the weights ``name`` among the names in its folder, by variant: a file, or the index of its
    parts."""
    stem, suffix = Path(name).stem, Path(name).suffix
    found: dict[str | None, str] = {}
    for form in (
        rf"{re.escape(stem)}{re.escape(suffix)}\.index(?:\.([\w-]+))?\.json",
        rf"{re.escape(stem)}(?:\.([\w-]+))?{re.escape(suffix)}",
    ):
        for each in sorted(beside):
            if (match := re.fullmatch(form, each)) is not None and not _PART.search(each):
                found[match[1]] = each
    return found


def _beside(path: Path) -> list[str]:
    return [each.name for each in path.parent.iterdir()] if path.parent.is_dir() else []


def _why_missing(path: Path) -> str:
    beside = sorted(_beside(path))
    if pickled := [name for name in beside if name.endswith(PICKLES)]:
        return (
            f"no such file, but {', '.join(pickled)}: weights are read from safetensors alone, never from pickles, "
            "which may run what is in them; load the model where you trust it and save it with safe_serialization=True"
        )
    if parts := [name for name in beside if _PART.search(name)]:
        return f"no such file, but {len(parts)} parts of one without their {path.name}.index.json"
    return "no such file, nor a variant of it, nor an index of its parts"


def parts_of(index: Path) -> tuple[Path, ...]:
    """Return the files that an index names, whether they are there or not: beside it, and safetensors.

    Raises:
        ModelRefused: for an index that cannot be read, or that names others.
    """
    try:
        if index.stat().st_size > MAX_INDEX_BYTES:
            raise ModelRefused(f"{index}: larger than {MAX_INDEX_BYTES} bytes")
        config = read_json(index)
    except (OSError, ValueError, RecursionError) as error:
        raise ModelRefused(f"{index}: not readable as JSON: {error}") from None
    placed = config.get("weight_map") if isinstance(config, dict) else None
    if not isinstance(placed, dict) or not placed or not all(isinstance(name, str) for name in placed.values()):
        raise ModelRefused(f"{index}: weight_map must be an object that names a file for each weight")
    names = sorted(set(placed.values()))
    if len(names) > MAX_PARTS:
        raise ModelRefused(f"{index}: weight_map names {len(names)} files, at most {MAX_PARTS} are read")
    faults = [
        f"{shown(name)} is no safetensors file beside it"
        for name in names
        if "/" in name or "\\" in name or not name.endswith(".safetensors")
    ]
    if faults:
        raise ModelRefused(f"{index}: {'; '.join(faults)}")
    return tuple(index.with_name(name) for name in names)


def _followed(path: Path) -> Path:
    """The file that a link leads to, as in a hub's cache."""
    if not path.is_symlink() and not path.is_file():
        raise ModelRefused(f"{path}: it is missing")
    if not path.is_file():
        raise ModelRefused(f"{path}: a link to {os.readlink(path)}, which is not there: fetch the model again")
    return path.resolve()


def _check(sources: Sequence[Path]) -> None:
    """Refuse weights that cannot be read, parts that are more than one file may be, and two that hold the same
    weight."""
    if (size := sum(source.stat().st_size for source in sources)) > MAX_WEIGHTS_BYTES:
        raise ModelRefused(f"{sources[0].parent}: weights of {size} bytes; at most {MAX_WEIGHTS_BYTES} are read")
    names = Counter(name for source in sources for name in read_header(source))
    if twice := [name for name, count in names.items() if count > 1]:
        raise ModelRefused(f"{sources[0].parent}: {twice[0]} is in more than one of the parts")


def put_weights(sources: Sequence[Path], path: Path, link: bool = False) -> None:
    """Put the weights of ``sources`` into the one file ``path``. ``link``: without a copy, where they are one file."""
    path.parent.mkdir(parents=True, exist_ok=True)
    if len(sources) == 1:
        put_file(sources[0], path, link)
    else:
        save_tensors({name: value for source in sources for name, value in load_file(source).items()}, path)


def put_file(source: Path, path: Path, link: bool = False) -> None:
    """Copy a file, or give it a second name. A copy of JSON is without the byte order mark that other readers of it
    would stumble over.

    Raises:
        ModelRefused: for a link to another disk.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    if not link and path.suffix == ".json":
        path.write_bytes(source.read_bytes().removeprefix(codecs.BOM_UTF8))
        return
    if not link:
        shutil.copyfile(source, path)
        return
    try:
        os.link(source, path)
    except OSError as error:
        raise ModelRefused(f"{source}: no link to it can be made here ({error.strerror}): leave --link out") from None
