"""Artefacts: found by digest, never written twice, and never passed on when they are not what their name says."""

from __future__ import annotations

import hashlib
import os
import threading
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import fsspec
import pytest

import jobs.artifacts as artifacts_module
from jobs.artifacts import CHUNK_BYTES, ArtifactStore
from jobs.errors import ArtifactCorrupt
from jobs.store import StoredFile, attempt_prefix
from tests.store.making import at_once

PREFIX = attempt_prefix("job_" + "0" * 32, 1)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "artifacts"


@pytest.fixture
def artifacts(folder: Path) -> ArtifactStore:
    return ArtifactStore(f"file://{folder}")


def written(tmp_path: Path, content: bytes) -> Path:
    path = tmp_path / "weights.safetensors"
    path.write_bytes(content)
    return path


def sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def spoil(path: Path) -> bytes:
    """Flip one bit in the middle; the bytes that are there now."""
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)
    return bytes(content)


@pytest.mark.parametrize("size", [0, 1, CHUNK_BYTES, CHUNK_BYTES + 1])
def test_a_file_comes_back_as_it_was(artifacts: ArtifactStore, folder: Path, tmp_path: Path, size: int) -> None:
    content = os.urandom(size)
    stored = artifacts.put_file(written(tmp_path, content), PREFIX, "text/html")
    assert stored == StoredFile(sha256(content), size, "text/html")
    assert (folder / PREFIX / stored.sha256).read_bytes() == content
    assert artifacts.read(PREFIX, stored) == content
    with artifacts.open(PREFIX, stored.sha256) as stream:
        assert stream.read() == content
    assert [path.name for path in (folder / PREFIX).iterdir()] == [stored.sha256], "nothing temporary is left"


def test_an_object_store_does_the_same(tmp_path: Path) -> None:
    """fsspec's store in memory goes the way of S3: no links, no renames."""
    artifacts = ArtifactStore("memory://bucket/lethe")
    stored = artifacts.put_file(written(tmp_path, b"abc"), PREFIX)
    assert artifacts.put_file(written(tmp_path, b"abc"), PREFIX) == stored
    artifacts.fetch(PREFIX, {"unet/weights": stored}, tmp_path / "out")
    assert (tmp_path / "out/unet/weights").read_bytes() == b"abc"
    memory = fsspec.filesystem("memory")
    memory.pipe(f"/bucket/lethe/{PREFIX}/{stored.sha256}", b"abd")
    with pytest.raises(ArtifactCorrupt):
        artifacts.read(PREFIX, stored)
    with pytest.raises(ArtifactCorrupt):
        artifacts.put_file(written(tmp_path, b"abc"), PREFIX)
    artifacts.remove_file(PREFIX, stored.sha256)
    artifacts.remove_file(PREFIX, stored.sha256)
    assert not memory.exists(f"/bucket/lethe/{PREFIX}/{stored.sha256}")
    memory.rm("/bucket", recursive=True)


@pytest.mark.parametrize("url", ["file://{}/artifacts", "memory://bucket/between"])
def test_between_two_pieces_a_copy_can_be_ended(url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is left of it, and the next one begins anew."""
    monkeypatch.setattr(artifacts_module, "CHUNK_BYTES", 100)
    artifacts = ArtifactStore(url.format(tmp_path))
    path = written(tmp_path, os.urandom(1000))

    def ends(after: int) -> Callable[[], None]:
        calls = iter(range(after))

        def between() -> None:
            if next(calls, None) is None:
                raise InterruptedError

        return between

    for after in (0, 5):
        with pytest.raises(InterruptedError):
            artifacts.put_file(path, PREFIX, between=ends(after))
        assert artifacts.jobs() == []
    called: list[None] = []
    stored = artifacts.put_file(path, PREFIX, between=lambda: called.append(None))
    assert len(called) >= 20
    for after in (0, 5):
        with pytest.raises(InterruptedError):
            artifacts.fetch(PREFIX, {"w": stored}, tmp_path / "out", ends(after))
        assert list((tmp_path / "out").iterdir()) == []
    artifacts.remove(PREFIX)


def test_a_local_copy_can_be_ended_while_it_is_written(
    artifacts: ArtifactStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(artifacts_module, "CHUNK_BYTES", 100)
    calls: list[None] = []

    def between() -> None:
        calls.append(None)
        if len(calls) == 15:  # ten of them while its digest was made
            raise InterruptedError

    with pytest.raises(InterruptedError):
        artifacts.put_file(written(tmp_path, os.urandom(1000)), PREFIX, between=between)
    assert artifacts.attempts(PREFIX.split("/")[1]) == [1], "its folder alone"
    assert not any(path.is_file() for path in (tmp_path / "artifacts").rglob("*"))


def test_one_file_of_several_is_removed(artifacts: ArtifactStore, tmp_path: Path) -> None:
    kept, gone = (artifacts.put_file(written(tmp_path, content), PREFIX) for content in (b"abc", b"abd"))
    for _ in range(2):
        artifacts.remove_file(PREFIX, gone.sha256)
    assert artifacts.read(PREFIX, kept) == b"abc"
    with pytest.raises(ArtifactCorrupt, match="missing"):
        artifacts.read(PREFIX, gone)
    with pytest.raises(ValueError, match="SHA-256"):
        artifacts.remove_file(PREFIX, "../../x")


def test_what_is_there_is_not_written_again(artifacts: ArtifactStore, folder: Path, tmp_path: Path) -> None:
    stored = artifacts.put_file(written(tmp_path, b"abc"), PREFIX)
    before = (folder / PREFIX / stored.sha256).stat()
    assert artifacts.put_file(written(tmp_path, b"abc"), PREFIX) == stored
    after = (folder / PREFIX / stored.sha256).stat()
    assert (after.st_ino, after.st_mtime_ns) == (before.st_ino, before.st_mtime_ns)


def test_what_another_process_put_in_the_meantime_stays(folder: Path, tmp_path: Path) -> None:
    """Between looking whether a file is there and giving ours its name, another may have come first."""
    target = folder / "file"
    folder.mkdir()
    target.write_bytes(b"first")
    artifacts_module._put_local(written(tmp_path, b"second"), target, lambda: None)
    assert target.read_bytes() == b"first"
    assert list(folder.iterdir()) == [target]


def test_a_flipped_bit_is_found_and_left_for_who_looks_into_it(
    artifacts: ArtifactStore, folder: Path, tmp_path: Path
) -> None:
    content = os.urandom(3 * CHUNK_BYTES)
    stored = artifacts.put_file(written(tmp_path, content), PREFIX)
    spoilt = spoil(folder / PREFIX / stored.sha256)
    with pytest.raises(ArtifactCorrupt, match=stored.sha256):
        artifacts.read(PREFIX, stored)
    with pytest.raises(ArtifactCorrupt):
        artifacts.put_file(tmp_path / "weights.safetensors", PREFIX)
    with pytest.raises(ArtifactCorrupt):
        artifacts.fetch(PREFIX, {"weights": stored}, tmp_path / "out")
    assert list((tmp_path / "out").iterdir()) == [], "neither the file nor a piece of it"
    assert (folder / PREFIX / stored.sha256).read_bytes() == spoilt


@pytest.mark.parametrize("kept", [0, 1, CHUNK_BYTES])
def test_a_file_cut_short_is_found(artifacts: ArtifactStore, folder: Path, tmp_path: Path, kept: int) -> None:
    stored = artifacts.put_file(written(tmp_path, os.urandom(CHUNK_BYTES + 9)), PREFIX)
    os.truncate(folder / PREFIX / stored.sha256, kept)
    with pytest.raises(ArtifactCorrupt):
        artifacts.read(PREFIX, stored)


def test_a_missing_file(artifacts: ArtifactStore) -> None:
    missing = StoredFile("0" * 64, 3)
    with pytest.raises(ArtifactCorrupt, match="missing"):
        artifacts.read(PREFIX, missing)
    with pytest.raises(FileNotFoundError):
        artifacts.open(PREFIX, missing.sha256)


def test_fetching_replaces_what_an_earlier_fetch_left(artifacts: ArtifactStore, tmp_path: Path) -> None:
    files = {}
    for name, content in {"model_index.json": b"{}", "unet/diffusion.safetensors": b"w" * 100}.items():
        files[name] = artifacts.put_file(written(tmp_path, content), PREFIX)
    out = tmp_path / "out"
    (out / "unet").mkdir(parents=True)
    (out / "unet/diffusion.safetensors").write_bytes(b"half")
    artifacts.fetch(PREFIX, files, out)
    assert sorted(str(p.relative_to(out)) for p in out.rglob("*") if p.is_file()) == sorted(files)
    assert (out / "unet/diffusion.safetensors").read_bytes() == b"w" * 100


@pytest.mark.parametrize("name", ["../x", "/etc/x", "a/../../x", "", "a\\..\\x", ".."])
def test_a_name_outside_the_folder_is_refused(artifacts: ArtifactStore, tmp_path: Path, name: str) -> None:
    stored = artifacts.put_file(written(tmp_path, b"abc"), PREFIX)
    with pytest.raises(ValueError, match="outside"):
        artifacts.fetch(PREFIX, {name: stored}, tmp_path / "deep/out")
    assert not (tmp_path / "deep").exists()


@pytest.mark.parametrize(
    ("prefix", "digest"),
    [("../x", "0" * 64), ("/x", "0" * 64), ("", "0" * 64), ("a", "../x"), ("a", "A" * 64), ("a", "")],
)
def test_a_place_outside_the_store_is_refused(artifacts: ArtifactStore, prefix: str, digest: str) -> None:
    with pytest.raises(ValueError, match="is not a"):
        artifacts.open(prefix, digest)


def test_putting_at_once_leaves_one_whole_file(artifacts: ArtifactStore, folder: Path, tmp_path: Path) -> None:
    path = written(tmp_path, os.urandom(2 * CHUNK_BYTES))
    stored = at_once(8, lambda _: artifacts.put_file(path, PREFIX))
    assert len(set(stored)) == 1
    assert [p.name for p in (folder / PREFIX).iterdir()] == [stored[0].sha256]
    assert artifacts.read(PREFIX, stored[0]) == path.read_bytes()


def test_no_reader_ever_sees_half_a_file(artifacts: ArtifactStore, folder: Path, tmp_path: Path) -> None:
    content = os.urandom(8 * CHUNK_BYTES)
    path, target = written(tmp_path, content), folder / PREFIX / sha256(content)
    sizes: set[int] = set()
    done = threading.Event()

    def watch() -> None:
        while not done.is_set():
            with suppress(FileNotFoundError):
                sizes.add(target.stat().st_size)

    watcher = threading.Thread(target=watch)
    watcher.start()
    for _ in range(5):
        artifacts.put_file(path, PREFIX)
        target.unlink()
    done.set()
    watcher.join(10)
    assert sizes == {len(content)}
