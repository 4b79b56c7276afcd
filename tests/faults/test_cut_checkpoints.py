"""A checkpoint's write that is cut anywhere, and one whose bits were turned over: the last good one is loaded."""

from __future__ import annotations

import random
from collections.abc import Callable
from pathlib import Path

import pytest

from sfd_core.storage import is_full
from sfd_core.training import checkpoint
from sfd_core.training.checkpoint import CheckpointDamaged
from sfd_core.training.state import TrainingState
from tests.support.cut import forked, killed_at_byte
from tests.support.small_disk import small_disk
from tests.support.training import states_of

Make = Callable[[int], TrainingState]
PAGE = 4096
"""What a disk in memory is filled by."""


@pytest.fixture(scope="module")
def state_at(tmp_path_factory: pytest.TempPathFactory) -> Make:
    return states_of(tmp_path_factory.mktemp("models") / "tiny")


def evenly(points: int, upto: int) -> list[int]:
    """So many numbers below ``upto``, as far from each other as may be; all of them where there are no more."""
    return sorted({upto * i // points for i in range(points)})


def test_a_write_that_is_killed_at_any_offset(
    state_at: Make, tmp_path: Path, full: bool, figure: Callable[[str], None]
) -> None:
    good, second, blank = state_at(1), state_at(2), state_at(0)
    checkpoint.save(good, tmp_path)
    largest = max(path.stat().st_size for path in (tmp_path / "step-00000001").iterdir())
    offsets = evenly(100 if full else 8, largest)

    def write(size: int) -> None:
        killed_at_byte(size)
        checkpoint.save(second, tmp_path)

    for size in offsets:
        assert forked(lambda size=size: write(size)) < 0, "it was not killed"  # type: ignore[misc]
        assert list(tmp_path.glob("new-*")), "nothing was begun"
        found = checkpoint.restore_newest(blank, [tmp_path])
        assert found is not None
        assert found.name == "step-00000001"
        assert list(tmp_path.glob("new-*")) == [], "what the kill left stays"
    assert checkpoint.save(second, tmp_path).name == "step-00000002"
    figure(f"{len(offsets)} of {len(offsets)} kills: the last good one was loaded")


def test_a_disk_that_is_full_at_any_offset(
    state_at: Make, tmp_path: Path, full: bool, figure: Callable[[str], None]
) -> None:
    good, second = state_at(1), state_at(2)
    with small_disk(tmp_path / "disk", 32) as disk:
        root = disk.folder / "checkpoints"
        whole = checkpoint.save(good, root)
        pages = sum(-(-path.stat().st_size // PAGE) for path in whole.iterdir())
        rooms = evenly(100 if full else 8, pages)
        for room in rooms:
            disk.fill(leaving=room * PAGE)
            with pytest.raises(Exception) as met:  # noqa: PT011 - safetensors has errors of its own
                checkpoint.save(second, root)
            assert is_full(met.value), met.value
            assert [path.name for path in root.iterdir()] == ["step-00000001"]
            checkpoint.verify(whole)
            disk.make_room()
        assert checkpoint.save(second, root).name == "step-00000002"
    figure(f"{len(rooms)} of {len(rooms)} full disks: nothing half-written stayed")


def test_every_flipped_bit_is_found(state_at: Make, tmp_path: Path, full: bool, figure: Callable[[str], None]) -> None:
    """Of every file, the list of digests included."""
    folder = checkpoint.save(state_at(1), tmp_path)
    chance, tried = random.Random(12), 0
    for path in sorted(folder.iterdir()):
        content = path.read_bytes()
        for _ in range(100 if full else 3):
            at, bit = chance.randrange(len(content)), chance.randrange(8)
            damaged = bytearray(content)
            damaged[at] ^= 1 << bit
            path.write_bytes(damaged)
            with pytest.raises(CheckpointDamaged):
                checkpoint.verify(folder)
            tried += 1
        path.write_bytes(content)
    checkpoint.verify(folder)
    figure(f"{tried} of {tried} flipped bits found")
