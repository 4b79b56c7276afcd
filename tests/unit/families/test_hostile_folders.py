"""Hostile and senseless model folders: each is refused in words, within 5 s of a processor and 500 MB, and nothing is
opened that its manifest does not list."""

from __future__ import annotations

import json
import os
import shutil
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import torch

from sfd_core.admission import admit
from sfd_core.base_model.manifest import BaseModel
from sfd_core.errors import ModelRefused
from sfd_core.evaluation.evaluators import Evaluators
from sfd_core.families.loading import load_base
from sfd_core.families.registry import load_manifest
from sfd_core.training.state import start
from tests.support.hostile_folders import ROWS, Row, config
from tests.support.tiny_model import make_tiny_model
from tests.support.tiny_parts import listed_again
from tests.support.tiny_text_model import make_tiny_text_model

SECONDS = 5.0
MEGABYTES = 500
CPU = torch.device("cpu")


@pytest.fixture(scope="module")
def good(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    root = tmp_path_factory.mktemp("good")
    make_tiny_model(root / "classes")
    make_tiny_text_model(root / "text", domains=True)
    return {name: root / name for name in ("classes", "text")}


def read(folder: Path) -> None:
    """All that a run reads of a model before its first step."""
    model: BaseModel = load_manifest(folder)
    request = admit({"forget": [{"concept": model.concepts[0], "override": model.concepts[1]}]}, model)
    base = load_base(request.model, CPU)
    Evaluators.load(base.model, CPU)
    start(base, request.request.recipe, 7, CPU)


def peak() -> float:
    """The most memory that this process has had since it was reset, in megabytes."""
    return next(int(line.split()[1]) for line in open("/proc/self/status") if line.startswith("VmHWM")) / 1024


@pytest.fixture(scope="module", autouse=True)
def warm(good: dict[str, Path]) -> None:
    """The libraries are imported, and the good folders can be read."""
    for folder in good.values():
        read(folder)


def test_there_are_sixty() -> None:
    assert len(ROWS) >= 60
    assert len({row.name for row in ROWS}) == len(ROWS)


@pytest.mark.timeout(60)
@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.name)
def test_it_is_refused(row: Row, good: dict[str, Path], tmp_path: Path) -> None:
    folder = tmp_path / "models" / "hostile"
    shutil.copytree(good[row.kind], folder)
    try:
        row.change(folder)
        if row.listed:
            listed_again(folder)
        Path("/proc/self/clear_refs").write_text("5")
        before, began = peak(), time.process_time()
        with pytest.raises(ModelRefused) as refused:
            read(folder)
        assert time.process_time() - began < SECONDS
        assert peak() - before < MEGABYTES
        assert str(folder) in str(refused.value), "it names the file"
        assert not Path("/tmp/lethe-was-here").exists()
    finally:
        shutil.rmtree("/tmp/lethe-hostile-unet", ignore_errors=True)


opened: list[str] = []
asked: list[str] = []
"""Of the network."""
listening = False


def _hear(event: str, arguments: tuple[Any, ...]) -> None:
    if listening and event in ("socket.connect", "socket.getaddrinfo"):
        asked.append(str(arguments[-1]))
    if listening and event == "open" and isinstance(arguments[0], str | bytes | os.PathLike):
        opened.append(os.fspath(arguments[0]) if not isinstance(arguments[0], bytes) else arguments[0].decode())


@contextmanager
def heard() -> Iterator[list[str]]:
    global listening
    opened.clear()
    asked.clear()
    listening = True
    try:
        yield opened
    finally:
        listening = False


@pytest.fixture(scope="module")
def hook() -> None:
    """Python's own, which hears whoever opens a file or a connection; what is compiled opens what it is given."""
    sys.addaudithook(_hear)


def inside(folder: Path, names: list[str]) -> set[str]:
    root = folder.resolve()
    found = [Path(name).resolve() for name in names]
    return {path.relative_to(root).as_posix() for path in found if path.is_relative_to(root)}


@pytest.mark.usefixtures("hook")
@pytest.mark.parametrize("kind", ["classes", "text"])
def test_nothing_is_opened_that_is_not_listed(good: dict[str, Path], kind: str) -> None:
    with heard() as names:
        read(good[kind])
    found = inside(good[kind], names)
    assert found, "nothing was heard"
    assert found <= {*load_manifest(good[kind]).files, "manifest.json"}


def adapter(folder: Path) -> None:
    said = {"peft_type": "LORA", "base_model_name_or_path": "evil/model"}
    for part in ("judge", "second_judge"):
        (folder / part / "adapter_config.json").write_text(json.dumps(said))


INERT = [
    Row("an adapter that is listed", adapter),
    Row("attention by a hub's kernel", config("judge/config.json", _attn_implementation="evil/kernel")),
    Row("attention by a hub's kernel, said openly", config("judge/config.json", attn_implementation="evil/kernel")),
    Row("kernels of a text encoder", config("text_encoder/config.json", _attn_implementation="evil/kernel"), "text"),
    Row("a field of nobody", config("judge/config.json", weights_from="../../evil.bin", adapter="evil/model")),
    Row("words elsewhere", config("tokenizer/tokenizer_config.json", tokenizer_file="/etc/hostname"), "text"),
]


@pytest.mark.usefixtures("hook")
@pytest.mark.parametrize("row", INERT, ids=lambda row: row.name)
def test_what_asks_for_something_else_is_not_heard(row: Row, good: dict[str, Path], tmp_path: Path) -> None:
    """It is listed and may stay: nothing of it reaches a library."""
    folder = tmp_path / "inert"
    shutil.copytree(good[row.kind], folder)
    row.change(folder)
    listed_again(folder)
    with heard() as names:
        read(folder)
    assert not [name for name in names if "evil" in name or name == "/etc/hostname"]
    adapters = [name for name in names if name.endswith("adapter_config.json")]
    assert len(adapters) == len(set(adapters)), "its digest is taken, once"
    assert not [name for name in adapters if not name.startswith(str(folder))]
    assert asked == []
