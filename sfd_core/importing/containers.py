"""The files that checkpoints come in: torch's archive (since 1.6), torch's older form, and a bare pickle, whose numbers
are files of the older form inside it."""

from __future__ import annotations

import mmap
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from sfd_core.errors import ModelRefused
from sfd_core.importing.inert import PersistentId, Record
from sfd_core.importing.machine import Machine
from sfd_core.importing.names import STORAGE_BYTES
from sfd_core.importing.tensors import declared, made, numbers

MAX_FILE_BYTES = 40 << 30
MAX_MEMBERS = 100_000
MAX_PICKLE_BYTES = 1 << 30
MAGIC = 0x1950A86A20F9469CFC6C
"""The number that torch's older form begins with (``torch.serialization.MAGIC_NUMBER``)."""
OLDER_PROTOCOL = 1001


def is_archive(path: Path) -> bool:
    """Say whether the file begins as a zip archive does."""
    with path.open("rb") as file:
        return file.read(4) == b"PK\x03\x04"


@contextmanager
def _opened(path: Path) -> Iterator[tuple[zipfile.ZipFile, str]]:
    """Yield a torch archive and the prefix of its members, once all that it says of sizes is true.

    Raises:
        ModelRefused: for an archive that is damaged, compressed, larger than its file, or not torch's.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            yield archive, _prefix(path, archive)
    except (zipfile.BadZipFile, OSError, EOFError, ValueError, NotImplementedError, RuntimeError) as error:
        if isinstance(error, ModelRefused):
            raise
        raise ModelRefused(f"{path}: not a whole archive: {error}") from None


def _prefix(path: Path, archive: zipfile.ZipFile) -> str:
    members, length = archive.infolist(), path.stat().st_size
    if len(members) > MAX_MEMBERS:
        raise ModelRefused(f"{path}: {len(members)} members, at most {MAX_MEMBERS} are read")
    for member in members:
        if member.compress_type != zipfile.ZIP_STORED or member.file_size != member.compress_size:
            raise ModelRefused(f"{path}: {member.filename!a} is compressed; torch stores as it is, and so is read")
    if sum(member.file_size for member in members) > length:
        raise ModelRefused(f"{path}: its members say that they are larger than the file, which has {length} bytes")
    if len({member.filename for member in members}) < len(members):
        raise ModelRefused(f"{path}: two of its members have one name")
    pickles = [
        member for member in members if member.filename.endswith("/data.pkl") and member.filename.count("/") == 1
    ]
    if len(pickles) != 1:
        raise ModelRefused(f"{path}: an archive without one data.pkl, which torch writes: not a checkpoint of torch")
    if pickles[0].file_size > MAX_PICKLE_BYTES:
        raise ModelRefused(f"{path}: data.pkl has {pickles[0].file_size} bytes, at most {MAX_PICKLE_BYTES} are read")
    prefix = pickles[0].filename.removesuffix("data.pkl")
    order = f"{prefix}byteorder"
    if order in archive.namelist() and archive.getinfo(order).file_size < 10 and archive.read(order) != b"little":
        raise ModelRefused(f"{path}: written on a machine of the other byte order")
    return prefix


def read_archive(path: Path) -> Any:
    """Read what a torch archive describes, as :class:`Machine` does.

    Raises:
        ModelRefused: naming the file and what is refused.
    """
    with _opened(path) as (archive, prefix):
        known: dict[str, Tensor] = {}

        def fetch(found: PersistentId) -> Tensor:
            dtype, key, length = declared(found, str(path))
            name = f"{prefix}data/{key}"
            if name not in archive.NameToInfo:
                raise ModelRefused(f"{path}: refers to {key!a}, which is not in it")
            what = f"{path}: {name!a}"
            if key not in known:
                if archive.getinfo(name).file_size != length * dtype.itemsize:
                    numbers(memoryview(b""), dtype, max(length, 1), what)
                known[key] = numbers(memoryview(archive.read(name)), dtype, length, what)
            if known[key].dtype != dtype or known[key].numel() != length:
                raise ModelRefused(f"{what} is read as two types of numbers, or in two lengths")
            return known[key]

        text = memoryview(archive.read(f"{prefix}data.pkl"))
        machine = Machine(text, 0, str(path), partial(made, at=str(path)), fetch)
        found = machine.run()
        _ended(machine)
        return found


def mapped(path: Path) -> memoryview:
    """Return the bytes of a file that is not empty, not read into memory. They go with whoever holds them last."""
    with path.open("rb") as file:
        return memoryview(mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ))


def read_pickle(data: memoryview, at: str) -> Any:
    """Read what a bare pickle, or a file in torch's older form, describes.

    Raises:
        ModelRefused: naming the file and what is refused.
    """
    machine = Machine(data, 0, at, _Numbers(len(data), at).make, partial(_nothing_outside, at))
    found = machine.run()
    if _is(found, MAGIC):
        return _older(data, machine.reader.position, at)
    _ended(machine)
    return found


def _ended(machine: Machine) -> None:
    if left := len(machine.reader.data) - machine.reader.position:
        raise ModelRefused(f"{machine.at}: {left} bytes follow after the end of its pickle")


def _is(found: object, number: int) -> bool:
    return isinstance(found, int) and found == number


def _nothing_outside(at: str, found: PersistentId) -> Any:
    raise ModelRefused(f"{at}: refers to something outside of it, and there is nothing")


class _Numbers:
    """Makes the tensors of a bare pickle of ``length`` bytes: their numbers are files of the older form within it."""

    def __init__(self, length: int, at: str) -> None:
        self.left, self.at = length, at

    def make(self, record: Record) -> Any:
        """Return the tensor or the numbers that ``record`` describes, or the record."""
        if record.kind != STORAGE_BYTES:
            return made(record, self.at)
        inner = record.arguments[0] if len(record.arguments) == 1 else None
        if not isinstance(inner, memoryview):
            raise ModelRefused(f"{self.at}: numbers are made of what are no bytes")
        self.left -= len(inner)
        if self.left < 0:
            raise ModelRefused(f"{self.at}: reads the same numbers again and again")
        # torch.storage._load_from_bytes would unpickle these bytes and run what they ask for. Here they are data too.
        at = f"{self.at}: numbers within it"
        machine = Machine(inner, 0, at, partial(made, at=at), partial(_nothing_outside, at))
        found = machine.run()
        found = _older(inner, machine.reader.position, at) if _is(found, MAGIC) else None
        if not isinstance(found, Tensor):
            raise ModelRefused(f"{at}: not a storage as torch writes one")
        return found


def _older(data: memoryview, position: int, at: str) -> Any:
    """The rest of a file in torch's older form: its version, its machine, the object, the keys of its storages in
    their order, and each storage's length and numbers."""
    storages: dict[str, Tensor] = {}
    left = len(data)

    def fetch(found: PersistentId) -> Tensor:
        nonlocal left
        dtype, key, length = declared(found, at)
        if key not in storages:
            left -= length * dtype.itemsize
            if left < 0:
                raise ModelRefused(
                    f"{at}: storages say that they are larger than the file, which has {len(data)} bytes"
                )
            storages[key] = torch.zeros(length, dtype=dtype)
        if storages[key].dtype != dtype or storages[key].numel() != length:
            raise ModelRefused(f"{at}: storage {key!a} is read as two types of numbers, or in two lengths")
        return storages[key]

    parts = []
    for _ in range(4):
        machine = Machine(data, position, at, partial(made, at=at), fetch)
        parts.append(machine.run())
        position = machine.reader.position
    version, system, found, keys = parts
    if not _is(version, OLDER_PROTOCOL) or not isinstance(system, dict) or system.get("little_endian") is not True:
        raise ModelRefused(f"{at}: not torch's older form of protocol {OLDER_PROTOCOL} and little-endian")
    if not isinstance(keys, list) or not all(isinstance(key, str) for key in keys) or set(keys) != set(storages):
        raise ModelRefused(f"{at}: the storages that it lists are not those that it uses")
    for key in keys:
        storage, what = storages[key], f"{at}: storage {key!a}"
        length = int.from_bytes(data[position : position + 8], "little", signed=True)
        end = position + 8 + storage.numel() * storage.dtype.itemsize
        if length != storage.numel() or end > len(data):
            raise ModelRefused(
                f"{what} says that it has {length} numbers, and elsewhere {storage.numel()}; or ends early"
            )
        storage.copy_(numbers(data[position + 8 : end], storage.dtype, length, what))
        position = end
    if position != len(data):
        raise ModelRefused(f"{at}: {len(data) - position} bytes follow after its last storage")
    return found
