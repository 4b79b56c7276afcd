"""A full disk is told from other failures, and waited for."""

from __future__ import annotations

import errno
import threading
from pathlib import Path

import pytest
import torch
from safetensors import SafetensorError
from safetensors.torch import save_file

from sfd_core.storage import StorageFull, is_full, once_there_is_room
from tests.support.small_disk import small_disk

FULL = OSError(errno.ENOSPC, "No space left on device")


@pytest.mark.parametrize(
    ("error", "full"),
    [
        (FULL, True),
        (OSError(errno.EDQUOT, "Disk quota exceeded"), True),
        (SafetensorError("Error while serializing: I/O error: No space left on device (os error 28)"), True),
        (SafetensorError("Error while serializing: I/O error: Permission denied (os error 13)"), False),
        (OSError(errno.EIO, "os error 28)"), False),
        (ValueError("No space left on device (os error 28)"), False),
    ],
)
def test_what_is_a_full_disk(error: Exception, full: bool) -> None:
    assert is_full(error) == full


def test_a_write_is_tried_until_there_is_room() -> None:
    tries = iter([FULL, FULL, None])

    def write() -> str:
        if (error := next(tries)) is not None:
            raise error
        return "written"

    trying = once_there_is_room(write, threading.Event(), 0)
    assert [next(trying), next(trying)] == [StorageFull(str(FULL))] * 2
    with pytest.raises(StopIteration) as end:
        next(trying)
    assert end.value.value == "written"


def test_waiting_ends_with_the_run() -> None:
    stop = threading.Event()

    def write() -> str:
        raise FULL

    trying = once_there_is_room(write, stop, 3600)
    next(trying)
    stop.set()
    with pytest.raises(StopIteration) as end:
        next(trying)
    assert end.value.value is None


def test_any_other_error_is_not_waited_for() -> None:
    def write() -> str:
        raise PermissionError(errno.EACCES, "no")

    with pytest.raises(PermissionError):
        next(once_there_is_room(write, threading.Event()))


def test_what_a_real_full_disk_raises(tmp_path: Path) -> None:
    with small_disk(tmp_path / "disk", 1) as disk:
        weights = {"w": torch.zeros(1 << 20)}
        with pytest.raises(SafetensorError) as by_safetensors:
            save_file(weights, disk.folder / "weights.safetensors")
        with pytest.raises(OSError, match="No space left") as by_python:
            (disk.folder / "file").write_bytes(bytes(4 << 20))
        assert is_full(by_safetensors.value)
        assert is_full(by_python.value)
