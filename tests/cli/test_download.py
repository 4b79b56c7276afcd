"""Archives that are not what the service said: nothing appears, and nothing is written elsewhere."""

from __future__ import annotations

import hashlib
import io
import zipfile
from pathlib import Path

import pytest

from client import BadAnswer, Refused
from client.download import check_target, named_in, save

GOOD = {"model_index.json": b"{}", "unet/weights": b"\0" * 100}


def digests(files: dict[str, bytes]) -> dict[str, str]:
    return {name: hashlib.sha256(content).hexdigest() for name, content in files.items()}


def zipped(files: list[tuple[str, bytes]]) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, content in files:
            archive.writestr(name, content)
    return buffer.getvalue()


def pieces(content: bytes) -> list[bytes]:
    return [content[i : i + 7] for i in range(0, len(content), 7)]


def test_a_good_one(tmp_path: Path) -> None:
    content = zipped(list(GOOD.items()))
    (tmp_path / "empty").mkdir()
    for name in ("folder", "empty", "archive.zip"):
        assert save(pieces(content), tmp_path / name, digests(GOOD)) == tmp_path / name
    for name in ("folder", "empty"):
        assert (tmp_path / name / "unet" / "weights").read_bytes() == GOOD["unet/weights"]
    assert (tmp_path / "archive.zip").read_bytes() == content
    assert len(list(tmp_path.iterdir())) == 3


@pytest.mark.parametrize("target", ["folder", "archive.zip"])
@pytest.mark.parametrize(
    ("files", "said"),
    [
        ([("model_index.json", b"[]"), ("unet/weights", GOOD["unet/weights"])], "model_index.json: sha256 is"),
        ([("model_index.json", b"{}")], "lacks unet/weights"),
        ([*GOOD.items(), ("extra.py", b"")], "'extra.py', which is no file of this generator"),
        ([*GOOD.items(), ("../outside", b"")], "'../outside', which is no file"),
        ([*GOOD.items(), ("/tmp/outside", b"")], "'/tmp/outside', which is no file"),
    ],
)
def test_another_than_was_stated(tmp_path: Path, files: list[tuple[str, bytes]], said: str, target: str) -> None:
    with pytest.raises(BadAnswer, match=said):
        save(pieces(zipped(files)), tmp_path / target, digests(GOOD))
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("name", ["../outside", "/tmp/lethe-outside", "a/../../outside", "..\\outside"])
def test_a_stated_name_that_leaves_the_folder(tmp_path: Path, name: str) -> None:
    """A service that lies in its list too."""
    with pytest.raises(BadAnswer, match="which is no file of this generator"):
        save(pieces(zipped([(name, b"x")])), tmp_path / "deep" / "folder", digests({name: b"x"}))
    assert not (tmp_path / "deep" / "outside").exists()
    assert not Path("/tmp/lethe-outside").exists()


@pytest.mark.parametrize("size", [0, 10, 200])
def test_one_that_was_cut_short(tmp_path: Path, size: int) -> None:
    with pytest.raises(BadAnswer, match="cannot be unpacked"):
        save(pieces(zipped(list(GOOD.items()))[:size]), tmp_path / "folder", digests(GOOD))
    assert list(tmp_path.iterdir()) == []


def test_nothing_is_overwritten(tmp_path: Path) -> None:
    full = tmp_path / "full"
    full.mkdir()
    (full / "mine").touch()
    (tmp_path / "mine.zip").touch()
    for target in (full, full / "mine", tmp_path / "mine.zip"):
        with pytest.raises(Refused, match="will not be overwritten"):
            check_target(target)


@pytest.mark.parametrize(
    "record",
    [
        "",
        "[]",
        "{}",
        '{"payload": 1}',
        '{"payload": "e30="}',
        '{"payload": "***"}',
        '{"payload": "eyJzdWJqZWN0IjogWzFdfQ=="}',
    ],
)
def test_a_record_that_is_none(record: str) -> None:
    with pytest.raises(BadAnswer, match="a record that this client cannot read"):
        named_in(record)
