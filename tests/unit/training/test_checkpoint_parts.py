"""What lies in a checkpoint, in which order it gets to the disk, and each way in which it may be damaged."""

from __future__ import annotations

import copy
import errno
import hashlib
import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file

from sfd_core.training import checkpoint
from sfd_core.training.checkpoint import CheckpointDamaged
from sfd_core.training.quick import QuickFigures
from sfd_core.training.state import TrainingState
from tests.support.linear import LinearNetwork

NAMES = {
    *("generator.safetensors", "fake_score.safetensors", "average.safetensors", "rng.safetensors", "state.json"),
    *("optimizer_generator.safetensors", "optimizer_fake_score.safetensors"),
}
CURVE = [
    QuickFigures(3, 24, 1.5, None, 0.5, False),
    QuickFigures(6, 48, 3.5, 0.9, 0.75, True, 1.25, 2.5),
]


def state_of(seed: int, steps: int = 0) -> TrainingState:
    """With moments of so many steps."""
    networks = [LinearNetwork(seed + i) for i in range(3)]
    adams = [torch.optim.Adam(network.parameters(), 0.01, (0.5, 0.9)) for network in networks[:2]]
    state = TrainingState(*networks, *adams, torch.Generator().manual_seed(seed))
    for _ in range(steps):
        for network, adam in zip(networks, adams, strict=False):
            network.W.grad, network.b.grad = (torch.rand(w.shape, generator=state.rng) for w in (network.W, network.b))
            adam.step()
    state.step, state.images, state.seconds, state.curve = steps, 8 * steps, 1.5 * steps, CURVE[:steps]
    return state


def same(a: TrainingState, b: TrainingState) -> None:
    for name in ("generator", "fake_score", "average"):
        first, second = getattr(a, name).state_dict(), getattr(b, name).state_dict()
        assert all(torch.equal(first[key], second[key]) for key in first), name
    for name in ("optimizer_generator", "optimizer_fake_score"):
        first, second = (getattr(s, name).state_dict() for s in (a, b))
        assert first["param_groups"] == second["param_groups"]
        assert first["state"].keys() == second["state"].keys()
        for i, moments in first["state"].items():
            assert all(torch.equal(moments[key], second["state"][i][key]) for key in moments), name
    assert torch.equal(a.rng.get_state(), b.rng.get_state())
    assert (a.step, a.images, a.seconds, a.curve) == (b.step, b.images, b.seconds, b.curve)


def test_all_of_a_state_comes_back(tmp_path: Path) -> None:
    state = state_of(1, 2)
    kept = copy.deepcopy(state.generator.W)
    folder = checkpoint.save(state, tmp_path / "a" / "b")
    other = state_of(10, 1)
    checkpoint.restore(other, folder)
    same(state, other)
    assert torch.equal(kept, other.generator.W)
    # What is restored goes on as what was saved would have.
    for each in (state, other):
        each.generator.W.grad = torch.ones(each.generator.W.shape)
        each.generator.b.grad = torch.ones(each.generator.b.shape)
        each.optimizer_generator.step()
    assert torch.equal(state.generator.W, other.generator.W)


def test_a_state_that_has_taken_no_step_comes_back(tmp_path: Path) -> None:
    other = state_of(10, 1)
    checkpoint.restore(other, checkpoint.save(state_of(1), tmp_path))
    same(state_of(1), other)
    assert other.optimizer_generator.state_dict()["state"] == {}


def test_a_checkpoint_is_plain_files_with_their_digests(tmp_path: Path) -> None:
    folder = checkpoint.save(state_of(1, 2), tmp_path)
    assert folder == tmp_path / "step-00000002"
    digests = json.loads((folder / "checkpoint.json").read_text())
    assert {path.name for path in folder.iterdir()} == NAMES | {"checkpoint.json"}
    assert list(digests) == sorted(NAMES)
    assert digests == {name: hashlib.sha256((folder / name).read_bytes()).hexdigest() for name in NAMES}
    assert json.loads((folder / "state.json").read_text())["images"] == 16
    assert set(load_file(folder / "rng.safetensors")) == {"rng"}
    moments = load_file(folder / "optimizer_generator.safetensors")
    assert set(moments) == {f"{i}.{key}" for i in (0, 1) for key in ("exp_avg", "exp_avg_sq", "step")}


def test_weights_that_do_not_lie_in_a_row_are_kept(tmp_path: Path) -> None:
    state = state_of(1, 1)
    moments: dict[str, Any] = state.optimizer_generator.state[state.generator.W]
    moments["exp_avg"] = moments["exp_avg"].T
    other = state_of(10)
    checkpoint.restore(other, checkpoint.save(state, tmp_path))
    same(state, other)


@pytest.fixture
def events(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What is written through to the disk and what is renamed, by the end of its path."""
    seen: list[str] = []
    fsync, rename = os.fsync, Path.rename

    def synced(descriptor: int) -> None:
        seen.append(Path(os.readlink(f"/proc/self/fd/{descriptor}")).name)
        fsync(descriptor)

    def renamed(path: Path, to: Path) -> Path:
        seen.append(f"{path.name} -> {to.name}")
        return rename(path, to)

    monkeypatch.setattr(checkpoint.os, "fsync", synced)
    monkeypatch.setattr(Path, "rename", renamed)
    return seen


def test_all_is_on_the_disk_before_it_has_its_name(tmp_path: Path, events: list[str]) -> None:
    root = tmp_path / "root"
    checkpoint.save(state_of(1, 1), root)
    n = len(NAMES) + 1
    assert set(events[:n]) == NAMES | {"checkpoint.json"}
    assert events[n:] == ["new-00000001", "new-00000001 -> step-00000001", "root"]


def test_no_descriptor_stays_open(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = len(os.listdir("/proc/self/fd"))
    checkpoint.save(state_of(1, 1), tmp_path)
    monkeypatch.setattr(checkpoint.os, "fsync", lambda _: (_ for _ in ()).throw(OSError(errno.EIO, "I/O error")))
    with pytest.raises(OSError, match="I/O error"):
        checkpoint.save(state_of(1, 2), tmp_path)
    assert len(os.listdir("/proc/self/fd")) == before


@pytest.mark.parametrize("left", [True, False])
def test_a_disk_that_fails_at_the_end_leaves_what_was_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, left: bool
) -> None:
    """And what it says is told, also where there is nothing left to clean up."""
    checkpoint.save(state_of(1, 1), tmp_path)

    def fails(path: Path, to: Path) -> Path:
        if not left:
            shutil.rmtree(path)
        raise OSError(errno.EIO, "I/O error")

    monkeypatch.setattr(Path, "rename", fails)
    with pytest.raises(OSError, match="I/O error"):
        checkpoint.save(state_of(1, 2), tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["step-00000001"]


def test_a_step_that_is_saved_is_not_written_again(tmp_path: Path, events: list[str]) -> None:
    first = checkpoint.save(state_of(1, 1), tmp_path)
    written = {path.name: path.read_bytes() for path in first.iterdir()}
    events.clear()
    assert checkpoint.save(state_of(5, 1), tmp_path) == first
    assert {path.name: path.read_bytes() for path in first.iterdir()} == written
    assert events == []


def test_the_two_of_the_most_steps_are_kept_and_nothing_else_is_touched(tmp_path: Path) -> None:
    (tmp_path / "notes").mkdir()
    for step in (9, 10, 11, 100):
        state = state_of(1)
        state.step = step
        checkpoint.save(state, tmp_path)
    assert {path.name for path in tmp_path.iterdir()} == {"notes", "step-00000011", "step-00000100"}


def test_what_killed_saves_left_behind_goes(tmp_path: Path) -> None:
    for name in ("new-00000001", "new-00000009"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "state.json").write_text("{}")
    checkpoint.save(state_of(1, 1), tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["step-00000001"]


def test_the_newest_that_is_whole_is_taken_whichever_attempt_wrote_it(tmp_path: Path) -> None:
    roots = [tmp_path / name for name in "abc"]
    made = {}
    for root, step in ((roots[0], 9), (roots[1], 10), (roots[2], 2)):
        state = state_of(step)
        state.step = step
        made[step] = checkpoint.save(state, root)
    state = state_of(50)
    assert checkpoint.restore_newest(state, roots) == made[10]
    (made[10] / "rng.safetensors").write_bytes(b"")
    assert checkpoint.restore_newest(state, roots) == made[9]
    assert state.step == 9
    for step in (9, 2):
        (made[step] / "checkpoint.json").unlink()
    assert checkpoint.restore_newest(state, roots) is None
    assert state.step == 9


Damage = Callable[[Path], object]


def rewrite(folder: Path, change: Callable[[Any], Any]) -> None:
    path = folder / "checkpoint.json"
    path.write_text(json.dumps(change(json.loads(path.read_text()))))


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda f: (f / "checkpoint.json").unlink(), "{folder}: .*No such file"),
        (lambda f: (f / "checkpoint.json").write_text("{"), "{folder}: Expecting"),
        (lambda f: (f / "checkpoint.json").write_bytes(b"\xff"), "{folder}: .*utf-8"),
        (lambda f: rewrite(f, list), "{folder}/checkpoint.json: does not list the files of a checkpoint"),
        (lambda f: rewrite(f, lambda d: d | {"x": ""}), "{folder}/checkpoint.json: does not list the files"),
        *(
            (
                lambda f, name=name: rewrite(f, lambda d: {k: v for k, v in d.items() if k != name}),
                "{folder}/checkpoint.json: does not list the files of a checkpoint",
            )
            for name in sorted(NAMES)
        ),
        *(
            (
                lambda f, name=name: (f / name).write_bytes((f / name).read_bytes() + b" "),
                f"{{folder}}/{name}: does not have the digest it was written with",
            )
            for name in sorted(NAMES)
        ),
        (lambda f: (f / "rng.safetensors").unlink(), "{folder}: .*rng.safetensors"),
    ],
)
def test_damage_is_named_and_nothing_is_loaded(tmp_path: Path, damage: Damage, message: str) -> None:
    folder = checkpoint.save(state_of(1, 1), tmp_path)
    damage(folder)
    state = state_of(10)
    with pytest.raises(CheckpointDamaged, match="^" + message.format(folder=folder)):
        checkpoint.restore(state, folder)
    same(state, state_of(10))
