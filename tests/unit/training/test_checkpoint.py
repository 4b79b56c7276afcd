"""Checkpoints: whole or not there, damage found, the last good one loaded."""

from __future__ import annotations

import errno
from collections.abc import Callable
from pathlib import Path

import pytest

from sfd_core.training import checkpoint
from sfd_core.training.checkpoint import CheckpointDamaged
from sfd_core.training.state import TrainingState
from tests.support.training import states_of

Make = Callable[[int], TrainingState]


@pytest.fixture(scope="module")
def state_at(tmp_path_factory: pytest.TempPathFactory) -> Make:
    return states_of(tmp_path_factory.mktemp("models") / "tiny")


def test_the_newest_of_any_attempt_is_restored(state_at: Make, tmp_path: Path) -> None:
    checkpoint.save(state_at(3), tmp_path / "a")
    checkpoint.save(state_at(7), tmp_path / "b")
    state = state_at(0)
    assert (
        checkpoint.restore_newest(state, [tmp_path / "c", tmp_path / "b", tmp_path / "a"])
        == tmp_path / "b/step-00000007"
    )
    assert state.step == 7
    assert state.generator.conv_out.bias.item() == 7


def test_nothing_to_restore(state_at: Make, tmp_path: Path) -> None:
    assert checkpoint.restore_newest(state_at(0), [tmp_path]) is None


def test_two_are_kept(state_at: Make, tmp_path: Path) -> None:
    for step in (1, 2, 3):
        checkpoint.save(state_at(step), tmp_path)
    assert sorted(p.name for p in tmp_path.iterdir()) == ["step-00000002", "step-00000003"]


@pytest.mark.parametrize(
    "name", ["generator.safetensors", "optimizer_generator.safetensors", "rng.safetensors", "state.json"]
)
def test_a_flipped_bit_anywhere_is_found_and_the_one_before_is_taken(state_at: Make, tmp_path: Path, name: str) -> None:
    checkpoint.save(state_at(1), tmp_path)
    newest = checkpoint.save(state_at(2), tmp_path)
    damaged = bytearray((newest / name).read_bytes())
    damaged[len(damaged) // 2] ^= 1
    (newest / name).write_bytes(damaged)
    with pytest.raises(CheckpointDamaged, match=name):
        checkpoint.restore(state_at(0), newest)
    state = state_at(0)
    checkpoint.restore_newest(state, [tmp_path])
    assert state.step == 1


def test_a_missing_file_is_damage(state_at: Make, tmp_path: Path) -> None:
    folder = checkpoint.save(state_at(1), tmp_path)
    (folder / "average.safetensors").unlink()
    with pytest.raises(CheckpointDamaged, match=r"average\.safetensors"):
        checkpoint.verify(folder)


def test_a_full_disk_leaves_what_was_there(state_at: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    checkpoint.save(state_at(1), tmp_path)
    real, calls = checkpoint.save_file, []

    def full(*arguments: object) -> None:
        calls.append(arguments)
        if len(calls) == 3:
            raise OSError(errno.ENOSPC, "No space left on device")
        real(*arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(checkpoint, "save_file", full)
    with pytest.raises(OSError, match="No space left"):
        checkpoint.save(state_at(2), tmp_path)
    assert [p.name for p in tmp_path.iterdir()] == ["step-00000001"]


def test_what_a_killed_save_left_behind_goes_with_the_next(state_at: Make, tmp_path: Path) -> None:
    (tmp_path / "new-00000009").mkdir()
    checkpoint.save(state_at(1), tmp_path)
    assert [p.name for p in tmp_path.iterdir()] == ["step-00000001"]
