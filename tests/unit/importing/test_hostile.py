"""Hostile pickles are refused, by the name that they ask for, without running a line. That each would run is shown by
opening it as a pickle."""

from __future__ import annotations

import io
import pickle
import struct
import sys
import warnings
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import pytest
import torch

from sfd_core.errors import ModelRefused
from sfd_core.importing import machine
from sfd_core.importing.checkpoint import read_checkpoint
from sfd_core.importing.inert import Record
from tests.unit.importing.hostile import CONTAINERS, ONLY_NAMED, archive, call, named, older, running, text, whole

KINDS = tuple(running(Path("/tmp/unused-canary")))
WATCHED = ("os.system", "os.exec", "os.fork", "os.posix_spawn", "subprocess.Popen", "socket.connect", "webbrowser.open")
_seen: list[str] = []
_watching = False


def _audit(event: str, arguments: Any) -> None:
    if not _watching:
        return
    if event in WATCHED or (event in ("exec", "compile") and "<hostile>" in str(arguments)):
        _seen.append(event)


sys.addaudithook(_audit)


@contextmanager
def watched() -> Iterator[list[str]]:
    """What the interpreter's own audit saw being run."""
    global _watching
    _seen.clear()
    _watching = True
    try:
        yield _seen
    finally:
        _watching = False


def refused(path: Path, data: bytes) -> str:
    """The words in which a file of these bytes is refused, and nothing ran."""
    path.write_bytes(data)
    with watched() as seen, pytest.raises(ModelRefused) as error:
        read_checkpoint(path)
    assert seen == []
    assert str(error.value).startswith(str(path))
    return str(error.value)


@pytest.mark.parametrize("kind", KINDS)
def test_it_would_run(tmp_path: Path, kind: str) -> None:
    """The negative control: the canary sings when the pickle is opened."""
    canary = tmp_path / "ran"
    body, _ = running(canary)[kind]
    with watched(), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        with suppress(Exception):  # after it ran, what came of it may be no object
            pickle.loads(body)
    assert canary.exists()


@pytest.mark.parametrize("container", CONTAINERS)
@pytest.mark.parametrize("kind", KINDS)
def test_nothing_runs(tmp_path: Path, kind: str, container: str) -> None:
    canary = tmp_path / "ran"
    body, name = running(canary)[kind]
    said = refused(tmp_path / "a.pkl", CONTAINERS[container](body))
    assert not canary.exists()
    if kind == "numbers that are a pickle" and container != "bare":
        assert "as bare pickles alone have them" in said
        return
    assert name in said
    if not name.isupper():  # an opcode
        assert f"asks for {name}" in said
        assert "save its state dict alone" in said


@pytest.mark.parametrize("container", CONTAINERS)
@pytest.mark.parametrize("name", ONLY_NAMED)
def test_every_other_name_is_refused(tmp_path: Path, name: str, container: str) -> None:
    module, _, last = name.rpartition(".")
    for body in (named(module, last) + b")R", text(module) + text(last) + b"\x93)R", named(module, last)):
        assert "asks for " in refused(tmp_path / "a.pkl", CONTAINERS[container](whole(body)))


@pytest.mark.parametrize(
    ("module", "name"),
    [
        ("os\x00", "system"),
        ("os", "sys\u200btem"),
        ("ο\u0455", "system"),
        ("torch.nn.modules.x\nos", "system"),
        ("torch.nn.modules." + "a" * 10_000, "b"),
        ("", ""),
        ("collections", "OrderedDict.__reduce__"),
        ("\x1b[31m", "red"),
    ],
)
def test_odd_names_are_shown_escaped_and_short(tmp_path: Path, module: str, name: str) -> None:
    body = whole(text(module) + text(name) + b"\x93")
    if module.startswith("torch.nn.modules.a"):  # a label: long, and still only a label
        path = tmp_path / "a.pkl"
        path.write_bytes(body)
        assert read_checkpoint(path) is not None
        return
    said = refused(tmp_path / "a.pkl", body)
    assert "asks for " in said
    assert said.isascii()
    assert all(ord(sign) >= 32 for sign in said)
    assert len(said) < 600


@pytest.mark.parametrize("code", ["latin1", "bz2_codec", "no such"])
def test_bytes_that_older_protocols_write_as_text_are_a_note(tmp_path: Path, code: str) -> None:
    """``_codecs.encode`` too is never called, with whichever code."""
    path = tmp_path / "a.pkl"
    path.write_bytes(whole(call("_codecs", "encode", text("\u00ff"), text(code)), protocol=2))
    note = read_checkpoint(path)
    assert isinstance(note, Record)
    assert (note.kind, note.arguments) == ("_codecs.encode", ("\u00ff", code))


def test_names_must_be_text(tmp_path: Path) -> None:
    assert "a name is not text" in refused(tmp_path / "a.pkl", whole(b"K\x01K\x02\x93"))


@pytest.mark.parametrize(
    "opcode", [b"\x82\x01", b"\x83\x01\x01", b"\x84\x01\x00\x00\x00", b"\x97", b"\x98", b"Pabc\n", b"I1\n", b"\xff"]
)
def test_opcodes_that_no_checkpoint_needs(tmp_path: Path, opcode: bytes) -> None:
    """Extension codes, buffers from outside, text forms, and none at all."""
    assert "holds the opcode" in refused(tmp_path / "a.pkl", whole(opcode))


PERSISTENT = {
    "no storage": text("hello"),
    "a name": named("torch", "FloatStorage"),
    "another kind": b"(" + text("module") + named("torch", "FloatStorage") + text("0") + text("cpu") + b"K\x01t",
    "a length below 0": b"("
    + text("storage")
    + named("torch", "FloatStorage")
    + text("0")
    + text("cpu")
    + b"J\xff\xff\xff\xfft",
    "a length that is true": b"("
    + text("storage")
    + named("torch", "FloatStorage")
    + text("0")
    + text("cpu")
    + b"\x88t",
    "a type that is none": b"(" + text("storage") + text("float") + text("0") + text("cpu") + b"K\x01t",
    "a file elsewhere": b"("
    + text("storage")
    + named("torch", "FloatStorage")
    + text("../../../etc/passwd")
    + text("cpu")
    + b"K\x01t",
    "a view": b"(" + text("storage") + named("torch", "FloatStorage") + text("0") + text("cpu") + b"K\x01K\x01t",
}


@pytest.mark.parametrize("container", CONTAINERS)
@pytest.mark.parametrize("kind", PERSISTENT)
def test_persistent_ids(tmp_path: Path, kind: str, container: str) -> None:
    said = refused(tmp_path / "a.pkl", CONTAINERS[container](whole(PERSISTENT[kind] + b"Q")))
    assert "root:" not in said


def test_a_persistent_id_may_ask_for_nothing_else(tmp_path: Path) -> None:
    body = whole(b"(" + text("storage") + named("os", "system") + text("0") + text("cpu") + b"K\x01tQ")
    for container in CONTAINERS.values():
        assert "asks for os.system" in refused(tmp_path / "a.pkl", container(body))


def storage(length: int, key: str = "0", kind: str = "FloatStorage") -> bytes:
    number = b"\x8a\x08" + struct.pack("<q", length)
    return b"(" + text("storage") + named("torch", kind) + text(key) + text("cpu") + number + b"tQ"


def tensor(of: bytes, offset: int, size: tuple[int, ...], stride: tuple[int, ...]) -> bytes:
    def numbers(values: tuple[int, ...]) -> bytes:
        return b"(" + b"".join(b"\x8a\x08" + struct.pack("<q", value) for value in values) + b"t"

    start = b"\x8a\x08" + struct.pack("<q", offset)
    return (
        named("torch._utils", "_rebuild_tensor_v2") + b"(" + of + start + numbers(size) + numbers(stride) + b"\x89)tR"
    )


LIES = {
    "a storage larger than its file": storage(1 << 40),
    "a storage of more bytes than there are": storage(1 << 61),
    "a storage smaller than its file": storage(2),
    "a storage that is not there": storage(4, "7"),
    "two types of one storage": b"(" + storage(4) + storage(4, kind="IntStorage") + b"t",
    "a tensor larger than its storage": tensor(storage(4), 0, (1 << 20, 1 << 20), (1 << 20, 1)),
    "a tensor that starts behind its storage": tensor(storage(4), 5, (1,), (1,)),
    "a tensor spread from one number": tensor(storage(4), 0, (1 << 40,), (0,)),
    "steps out of the storage": tensor(storage(4), 0, (2,), (1 << 50,)),
    "sizes whose product overflows": tensor(storage(4), 0, (1 << 40, 1 << 40, 1 << 40), (0, 0, 0)),
    "a size below 0": tensor(storage(4), 0, (-1,), (1,)),
    "a stride below 0": tensor(storage(4), 3, (4,), (-1,)),
    "sizes without strides": tensor(storage(4), 0, (2, 2), (1,)),
    "a tensor of no storage": tensor(b"]", 0, (1,), (1,)),
}


@pytest.mark.parametrize("kind", LIES)
def test_sizes_that_lie(tmp_path: Path, kind: str) -> None:
    """Refused before memory is taken: the largest would need 4 TiB."""
    refused(tmp_path / "a.pth", archive(whole(LIES[kind], 2), data__0=bytes(16)))
    listed = [pickle.dumps(part, protocol=2) for part in (0x1950A86A20F9469CFC6C, 1001, {"little_endian": True})]
    data = b"".join([*listed, whole(LIES[kind], 2), pickle.dumps(["0"], protocol=2), struct.pack("<q", 4), bytes(16)])
    refused(tmp_path / "b.pth", data)


def test_the_same_with_the_truth_is_read(tmp_path: Path) -> None:
    """The control of the lies: those helpers make tensors that are read."""
    body = whole(tensor(storage(4), 1, (3,), (1,)), 2)
    numbers = struct.pack("<4f", 1, 2, 3, 4)
    listed = [pickle.dumps(part, protocol=2) for part in (0x1950A86A20F9469CFC6C, 1001, {"little_endian": True})]
    for data in (
        archive(body, data__0=numbers),
        b"".join([*listed, body, pickle.dumps(["0"], protocol=2), struct.pack("<q", 4), numbers]),
    ):
        (tmp_path / "a.pth").write_bytes(data)
        assert read_checkpoint(tmp_path / "a.pth").tolist() == [2, 3, 4]


def test_one_storage_is_not_multiplied(tmp_path: Path) -> None:
    """The same numbers, unpickled again and again, would fill any memory."""
    out = io.BytesIO()
    torch.save(torch.ones(1000)._typed_storage(), out, _use_new_zipfile_serialization=False)
    raw = out.getvalue()
    load = named("torch.storage", "_load_from_bytes") + b"q\x000"
    body = load + b"B" + struct.pack("<I", len(raw)) + raw + b"q\x010(" + b"h\x00(h\x01tR" * 50 + b"l"
    assert "again and again" in refused(tmp_path / "a.pkl", whole(body))
    control = load + b"B" + struct.pack("<I", len(raw)) + raw + b"q\x010(" + b"h\x00(h\x01tR" + b"l"
    (tmp_path / "b.pkl").write_bytes(whole(control))
    assert len(read_checkpoint(tmp_path / "b.pkl")) == 1


COUNTS = {
    "text of 2**62 bytes": b"\x8d" + struct.pack("<Q", 1 << 62),
    "bytes of 2**63 bytes": b"\x8e" + struct.pack("<Q", 1 << 63),
    "a byte array of 2**40 bytes": b"\x96" + struct.pack("<Q", 1 << 40),
    "text of 2 GiB": b"X" + struct.pack("<I", 0x7FFFFFFF),
    "a number of 2 GiB": b"\x8b" + struct.pack("<I", 0x7FFFFFFF),
    "a number of 200 bytes": b"\x8a\xc8" + b"\x01" * 200,
    "a frame of 2**60 bytes and nothing": b"\x95" + struct.pack("<Q", 1 << 60),
    "a value that was never stored": b"j\xff\xff\xff\xff",
    "a mark that was never set": b"t",
    "an empty stack": b"0",
    "a pair without a value": b"}(K\x01u",
    "items of what is no dict": b"](K\x01K\x02u",
    "an append to what is no list": b"}K\x01a",
    "a call of what is no name": b"K\x01)R",
    "a call with no tuple": named("collections", "OrderedDict") + b"]R",
    "a dict of what are no pairs": named("collections", "OrderedDict") + b"(K\x01tR",
    "state of what has none": b"]}b",
    "an object with keywords": named("torch.nn.modules.linear", "Linear") + b")}K\x01K\x01s\x92",
    "text that is no UTF-8": b"X\x02\x00\x00\x00\xff\xfe",
    "a mark for a value": b"]((a",
    "a key of a list": b"}(]K\x01u",
    "a key that is a tuple of tuples": b"}" + b")" + b"\x85" * 20_000 + b"K\x01s",
    "another protocol within": b"\x80\x00",
}


@pytest.mark.parametrize("kind", COUNTS)
def test_counts_that_lie_and_programs_that_are_none(tmp_path: Path, kind: str) -> None:
    for container in CONTAINERS.values():
        refused(tmp_path / "a.pkl", container(whole(COUNTS[kind])))


def test_a_memo_bomb_takes_no_memory(tmp_path: Path) -> None:
    """CPython's own reader makes a table as long as the largest index."""
    (tmp_path / "a.pkl").write_bytes(whole(b"]" + b"r\xff\xff\xff\xff"))
    assert read_checkpoint(tmp_path / "a.pkl") == []


def test_depth_takes_no_recursion(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "a.pkl"
    path.write_bytes(whole(b"]" * 50_000 + b"a" * 49_999))
    found, depth = read_checkpoint(path), 1
    while found:
        (found,) = found
        depth += 1
    assert depth == 50_000
    monkeypatch.setattr(machine, "MAX_STACK", 1000)
    path.write_bytes(whole(b"]" * 1002))
    assert "values are on its stack" in refused(path, path.read_bytes())


def test_numbers_are_not_nested(tmp_path: Path) -> None:
    """A file in a file in a file would go as deep as it likes."""
    inner = b""
    for _ in range(3):
        raw = older(
            whole(named("torch.storage", "_load_from_bytes") + b"(B" + struct.pack("<I", len(inner)) + inner + b"tR", 2)
        )
        inner = raw
    body = whole(named("torch.storage", "_load_from_bytes") + b"(B" + struct.pack("<I", len(inner)) + inner + b"tR")
    assert "as bare pickles alone have them" in refused(tmp_path / "a.pkl", body)


def test_a_laugh_of_a_billion_is_not_counted_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each tuple is the last one twice: 2**60 values, if somebody looked at each."""
    path = tmp_path / "a.pkl"
    path.write_bytes(whole(b")" + b"2\x86" * 60))
    assert len(read_checkpoint(path)) == 2
    monkeypatch.setattr(machine, "MAX_STEPS", 100_000)
    made = (
        named("collections", "OrderedDict")
        + b"q\x00("
        + b"("
        + b"(K\x01K\x02t" * 400
        + b"lq\x010"
        + b"h\x00(h\x01tR" * 600
        + b"l"
    )
    assert "more than" in refused(path, whole(made))


@pytest.mark.parametrize("length", [0, 1, 2, 3, 7, 20, 100, 1000, -1, -2, -9, -100])
@pytest.mark.parametrize("form", ["archive", "older", "bare"])
def test_truncated_at_any_byte(tmp_path: Path, form: str, length: int) -> None:
    weights, out = {"a.weight": torch.randn(30, 30), "a.bias": torch.randn(30)}, io.BytesIO()
    if form == "bare":
        out.write(pickle.dumps(weights))
    else:
        torch.save(weights, out, _use_new_zipfile_serialization=form == "archive")
    refused(tmp_path / "a.pth", out.getvalue()[:length])


def zipped(members: dict[str, bytes], kind: int = zipfile.ZIP_STORED) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", kind) as file:
        for name, data in members.items():
            file.writestr(name, data)
    return out.getvalue()


def test_a_zip_bomb_is_not_unpacked(tmp_path: Path) -> None:
    for kind in (zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA):
        data = zipped({"archive/data.pkl": whole(b"}"), "archive/data/0": bytes(8 << 20)}, kind)
        assert len(data) < 1 << 20
        assert "is compressed" in refused(tmp_path / "a.pth", data)


def test_members_that_lie_over_each_other(tmp_path: Path) -> None:
    """One megabyte that a thousand members claim: the directory's entries are pointed at the first."""
    data = bytearray(zipped({"archive/data.pkl": whole(b"}"), **{f"archive/data/{i}": bytes(4096) for i in range(20)}}))
    grown = data.replace(struct.pack("<II", 4096, 4096), struct.pack("<II", 1 << 24, 1 << 24))
    said = refused(tmp_path / "a.pth", bytes(grown))
    assert "larger than the file" in said


@pytest.mark.parametrize(
    ("members", "said"),
    [
        ({"archive/inner.zip": zipped({"archive/data.pkl": whole(b"}")})}, "without one data.pkl"),
        ({"archive/data.pkl": zipped({"archive/data.pkl": whole(b"}")})}, "no pickle of protocol"),
        ({"a/data.pkl": whole(b"}"), "b/data.pkl": whole(b"}")}, "without one data.pkl"),
        ({"../data.pkl/x": whole(b"}")}, "without one data.pkl"),
        ({"archive/data.pkl": whole(b"}"), "archive/byteorder": b"big"}, "byte order"),
        ({"archive/data.pkl": whole(b"}") + b"more"}, "follow after the end"),
    ],
)
def test_archives_that_are_not_torchs(tmp_path: Path, members: dict[str, bytes], said: str) -> None:
    data = zipped(members)
    if "more" in str(members):  # torch reads up to the end of the pickle; so the name is what makes it ours to read
        data = zipped({"archive/data.pkl": whole(named("torch.nn.modules.linear", "Linear")) + b"more"})
    assert said in refused(tmp_path / "a.pth", data)


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\x80",
        b"PK\x03\x04",
        b"hello",
        b"\x1f\x8b\x08" + bytes(20),
        whole(b"}") + b"x",
        b"\x80\x01}.",
        b"\x80\x06}.",
    ],
)
def test_what_is_no_checkpoint(tmp_path: Path, data: bytes) -> None:
    refused(tmp_path / "a.pth", data)


def test_safetensors_need_no_import(tmp_path: Path) -> None:
    from safetensors.torch import save

    assert "safetensors already" in refused(tmp_path / "a.pth", save({"a": torch.zeros(2)}))


def test_what_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(ModelRefused, match="cannot be read"):
        read_checkpoint(tmp_path / "none.pth")
    with pytest.raises(ModelRefused, match="not a file"):
        read_checkpoint(tmp_path)
