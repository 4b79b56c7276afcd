"""Corrupted generators: every file of a good one changed, cut, moved, replaced by a link, joined by another."""

from __future__ import annotations

import itertools
import json
import os
import shutil
import struct
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

from jobs.record import RECORD, read_statement, sign
from jobs.record.statement import subjects
from tests.record.case import Case, Mutation, flipped


def files(case: Case) -> Iterator[Mutation]:
    """Every file of the generator and of the report: changed, cut, emptied, removed, renamed, made a link."""
    names = sorted(subjects(read_statement(case.text)))
    for name in names:
        size = (case.folder / name).stat().st_size
        for i in sorted({0, size // 2, size - 1}):
            yield Mutation(
                "file changed", f"{name}, byte {i}", lambda c, n=name, i=i: _edit(c, n, lambda b: flipped(b, i)), name
            )
        yield Mutation("file changed", f"{name}, cut", lambda c, n=name: _edit(c, n, lambda b: b[:-1]), name)
        yield Mutation("file changed", f"{name}, longer", lambda c, n=name: _edit(c, n, lambda b: b + b"\n"), name)
        yield Mutation("file changed", f"{name}, empty", lambda c, n=name: _edit(c, n, lambda b: b""), name)
        yield Mutation("file missing", f"{name}, removed", lambda c, n=name: _remove(c, n), name)
        yield Mutation("file missing", f"{name}, renamed", lambda c, n=name: _rename(c, n, n + ".old"), name)
        yield Mutation("link", name, lambda c, n=name: _link(c, n), name)
    for a, b in itertools.pairwise(names):
        yield Mutation("files swapped", f"{a} and {b}", lambda c, a=a, b=b: _swap(c, a, b), a)
    for name in names:
        for tensor, offset in tensors(case.folder / name) if name.endswith(".safetensors") else ():
            yield Mutation(
                "file changed",
                f"{name}, the lowest bit of {tensor}",
                lambda c, n=name, i=offset: _edit(c, n, lambda b: flipped(b, i, 0)),
                name,
            )


def folders(case: Case) -> Iterator[Mutation]:
    """What does not belong in the folder, and what is not a folder."""
    for name in ("extra.txt", ".hidden", "unet/extra.bin", "evaluation/extra.png", "new/extra", f"evaluation/{RECORD}"):
        yield Mutation("file added", name, lambda c, n=name: _add(c, n), name)
    yield Mutation("file added", "a copy of a good file", lambda c: _copy(c, "README.md", "README-2.md"), "README-2.md")
    yield Mutation("file added", "a name that is no text", _add_odd_name, "\\udcff")
    yield Mutation(
        "link", "a link to a file outside", lambda c: _link_to(c, "outside", Path("/etc/hostname")), "outside"
    )
    yield Mutation("link", "a link to a folder", lambda c: _link_to(c, "unet2", c.folder / "unet"), "unet2")
    yield Mutation("link", "a folder that became a link", _link_folder, "unet")
    yield Mutation("file added", "a pipe", _add_pipe, "pipe")
    yield Mutation("record", "an older record lies in the folder", _older_record, RECORD)
    yield Mutation(
        "record", "the folder is not there", lambda c: replace(c, folder=c.folder / "absent"), "no such folder"
    )


def tensors(path: Path) -> Iterator[tuple[str, int]]:
    """Name and first byte, within the file, of each tensor of a safetensors file."""
    content = path.read_bytes()
    (length,) = struct.unpack("<Q", content[:8])
    header = json.loads(content[8 : 8 + length])
    for name, each in header.items():
        if name != "__metadata__":
            yield name, 8 + length + each["data_offsets"][0]


def _edit(case: Case, name: str, change: Callable[[bytes], bytes]) -> Case:
    path = case.folder / name
    path.write_bytes(change(path.read_bytes()))
    return case


def _remove(case: Case, name: str) -> Case:
    (case.folder / name).unlink()
    return case


def _rename(case: Case, name: str, new: str) -> Case:
    (case.folder / name).rename(case.folder / new)
    return case


def _swap(case: Case, a: str, b: str) -> Case:
    _rename(case, a, "held")
    _rename(case, b, a)
    return _rename(case, "held", b)


def _link(case: Case, name: str) -> Case:
    """The very same content, but it lies elsewhere."""
    elsewhere = case.folder.parent / "elsewhere"
    (case.folder / name).rename(elsewhere)
    (case.folder / name).symlink_to(elsewhere)
    return case


def _link_to(case: Case, name: str, target: Path) -> Case:
    (case.folder / name).symlink_to(target)
    return case


def _link_folder(case: Case) -> Case:
    elsewhere = case.folder.parent / "elsewhere"
    (case.folder / "unet").rename(elsewhere)
    return _link_to(case, "unet", elsewhere)


def _add(case: Case, name: str) -> Case:
    path = case.folder / name
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(b"x")
    return case


def _copy(case: Case, name: str, new: str) -> Case:
    shutil.copyfile(case.folder / name, case.folder / new)
    return case


def _add_odd_name(case: Case) -> Case:
    with open(os.fsencode(case.folder) + b"/\xff", "wb") as stream:
        stream.write(b"x")
    return case


def _add_pipe(case: Case) -> Case:
    os.mkfifo(case.folder / "pipe")
    return case


def _older_record(case: Case) -> Case:
    (case.folder / RECORD).write_text(sign(read_statement(case.text), None))
    return case
