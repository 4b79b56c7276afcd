"""Checkpoints that are none of anybody's business: what is read is what torch reads, of every form they come in."""

from __future__ import annotations

import collections
import io
import pickle
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from sfd_core.errors import ModelRefused
from sfd_core.importing.checkpoint import read_checkpoint
from sfd_core.importing.inert import Record
from sfd_core.importing.state import class_of, module_state, weights_of

DTYPES = (
    torch.float32,
    torch.float64,
    torch.float16,
    torch.bfloat16,
    torch.int64,
    torch.int32,
    torch.int16,
    torch.int8,
    torch.uint8,
    torch.bool,
)


def contents() -> dict[str, Any]:
    g = torch.Generator().manual_seed(0)
    grid = torch.randn(6, 8, generator=g)
    numbers = {str(dtype): (10 * torch.randn(3, 4, generator=g)).to(dtype) for dtype in DTYPES}
    return {
        "by_type": numbers,
        "shared": [grid, grid.T, grid[1:4, ::2], grid[2, 3], grid[:0]],
        "parameter": nn.Parameter(torch.randn(2, generator=g)),
        "ordered": collections.OrderedDict([("a", torch.ones(2)), ("b", torch.zeros(()))]),
        "plain": [1, -(2**40), 2**70, 0.5, float("inf"), True, None, "ä", (1, (2,)), {3, 4}, torch.Size([2, 3])],
        5: {("a", 1): "key"},
    }


def same(ours: Any, theirs: Any) -> None:
    """Equal, down to types of numbers and the layout of tensors."""
    if isinstance(theirs, Tensor):
        assert isinstance(ours, Tensor)
        assert (ours.dtype, ours.shape, ours.stride()) == (theirs.dtype, theirs.shape, theirs.stride())
        assert torch.equal(ours, theirs)
    elif isinstance(theirs, dict):
        assert list(ours) == list(theirs)
        for key in theirs:
            same(ours[key], theirs[key])
    elif isinstance(theirs, list | tuple):
        assert isinstance(ours, tuple if isinstance(theirs, tuple) else list)
        assert len(ours) == len(theirs)
        for one, other in zip(ours, theirs, strict=True):
            same(one, other)
    elif isinstance(theirs, bytes):
        assert bytes(ours) == theirs
    else:
        assert type(ours) is type(theirs)
        assert ours == theirs


@pytest.mark.parametrize("archive", [True, False])
@pytest.mark.parametrize("protocol", [2, 3, 4, 5])
def test_it_reads_what_torch_reads(tmp_path: Path, archive: bool, protocol: int) -> None:
    path, saved = tmp_path / "a.pth", contents()
    torch.save(saved, path, pickle_protocol=protocol, _use_new_zipfile_serialization=archive)
    same(read_checkpoint(path), saved)
    if protocol < 4:  # torch writes the second and reads the first two
        same(read_checkpoint(path), torch.load(path, weights_only=True))


@pytest.mark.parametrize("protocol", [2, 4, 5])
def test_it_reads_what_pickle_reads(tmp_path: Path, protocol: int) -> None:
    path, saved = tmp_path / "a.pkl", contents()
    if protocol == 2:  # bytes, and so numbers, need the name of a codec there
        saved = {"plain": saved["plain"]}
    path.write_bytes(pickle.dumps(saved, protocol=protocol))
    same(read_checkpoint(path), pickle.loads(path.read_bytes()))


def test_bytes_are_bytes(tmp_path: Path) -> None:
    path = tmp_path / "a.pkl"
    path.write_bytes(pickle.dumps([b"", b"a" * 300, bytearray(b"abc")], protocol=5))
    assert [bytes(part) for part in read_checkpoint(path)] == [b"", b"a" * 300, b"abc"]


def test_views_share_their_numbers(tmp_path: Path) -> None:
    path = tmp_path / "a.pth"
    torch.save(contents(), path)
    grid, turned, *_ = read_checkpoint(path)["shared"]
    assert grid.untyped_storage().data_ptr() == turned.untyped_storage().data_ptr()


class Block(nn.Module):
    """With a buffer that is saved and one that is not."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(3, 4, 3, bias=False)
        self.norm = nn.Sequential(nn.BatchNorm2d(4), nn.SiLU())
        self.register_buffer("kept", torch.arange(3.0))
        self.register_buffer("left", torch.arange(4.0), persistent=False)
        self.register_parameter("none", None)


@pytest.mark.parametrize("form", ["pickle", "archive"])
def test_a_module_that_was_pickled_whole(tmp_path: Path, form: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its state dict is the module's own; of the module nothing is made."""
    monkeypatch.setattr(Block, "__module__", "diffusers.models.block")
    monkeypatch.setitem(__import__("sys").modules, "diffusers.models.block", __import__("sys").modules[__name__])
    module = Block()
    out = io.BytesIO()
    torch.save({"ema": module}, out) if form == "archive" else pickle.dump({"ema": module}, out)
    path = tmp_path / "a.pkl"
    path.write_bytes(out.getvalue())
    record = read_checkpoint(path)["ema"]
    assert isinstance(record, Record)
    assert class_of(record) == "Block"
    found = weights_of(module_state(record, "a.pkl"), "a.pkl")
    same(dict(sorted(found.items())), dict(sorted(module.state_dict().items())))


def test_a_module_that_holds_itself_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    record = Record("torch.nn.modules.module.Module", state={"_parameters": {}, "_buffers": {}})
    record.state["_modules"] = {"inner": record}
    with pytest.raises(ModelRefused, match="no module of torch, or there are too many"):
        module_state(record, "a.pkl")


@pytest.mark.parametrize("state", [None, {}, {"_parameters": [], "_buffers": {}, "_modules": {}}])
def test_what_is_no_module_is_refused(state: Any) -> None:
    with pytest.raises(ModelRefused, match="no module of torch"):
        module_state(Record("torch.nn.modules.module.Module", state=state), "a.pkl")


@pytest.mark.parametrize(
    ("weights", "said"),
    [
        ({"a": torch.tensor([1.0, float("nan")])}, "NaN or infinite"),
        ({"a": torch.zeros(1).expand(1 << 40)}, "larger than the numbers that there are for it"),
        ({"a": torch.zeros(2).to_sparse()}, "no plain tensor"),
        ({"a": torch.zeros(2, device="meta")}, "no plain tensor"),
        ({"a": torch.zeros(2), "module.a": torch.zeros(2)}, "has 'a' twice"),
    ],
)
def test_weights_that_are_none_are_refused(weights: dict[str, Tensor], said: str) -> None:
    with pytest.raises(ModelRefused, match=said):
        weights_of(weights, "a.pth")
