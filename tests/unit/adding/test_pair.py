"""The pair that jobs start from, kept with a model: whole or not at all, and never at the price of the model's own
network."""

from __future__ import annotations

import fcntl
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from sfd_core.adding.pair import enter_pair, pair_folders
from sfd_core.base_model.manifest import BaseModel
from sfd_core.base_model.manifest_parts import PAIR
from sfd_core.base_model.verifying import verify_files
from sfd_core.errors import ModelRefused
from sfd_core.families.loading import load_base
from sfd_core.families.registry import load_manifest
from tests.support.tiny_text_model import make_tiny_text_model


@pytest.fixture
def model(tmp_path: Path) -> BaseModel:
    return make_tiny_text_model(tmp_path / "text")


def copies(model: BaseModel, *parts: str) -> Callable[[Path], None]:
    """Fill a pair with copies of the model's own network."""

    def fill(folder: Path) -> None:
        for part in parts:
            shutil.copytree(model.folder / "unet", folder / part)

    return fill


def test_the_network_of_the_model_itself_outlives_a_pair_that_has_it_as_fake_score(model: BaseModel) -> None:
    enter_pair(model, copies(model, "generator"), 625, "unet")
    imported = load_manifest(model.folder)
    assert imported.distilled is not None
    assert imported.distilled.fake_score == "unet"
    assert pair_folders(imported) == (imported.distilled.generator,)
    name = enter_pair(imported, copies(model, *PAIR), 500)
    again = load_manifest(model.folder)
    assert again.distilled is not None
    assert (again.distilled.fake_score, again.distilled.t_init) == (f"{name}/fake_score", 500)
    assert [path.name for path in model.folder.glob("distilled-*")] == [name]
    verify_files(again)
    load_base(again)


def test_what_is_refused_on_the_way_leaves_nothing(model: BaseModel) -> None:
    before = sorted(model.folder.rglob("*")), (model.folder / "manifest.json").read_bytes()

    def broken(folder: Path) -> None:
        copies(model, "generator")(folder)
        raise ModelRefused("it does not fit")

    with pytest.raises(ModelRefused, match="it does not fit"):
        enter_pair(model, broken, 625, "unet")
    assert (sorted(model.folder.rglob("*")), (model.folder / "manifest.json").read_bytes()) == before


def test_beside_another_process_nothing_is_changed(model: BaseModel) -> None:
    before = sorted(model.folder.rglob("*")), (model.folder / "manifest.json").read_bytes()
    with (model.folder.parent / ".lock").open("a") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        with pytest.raises(ModelRefused, match="another process is at work"):
            enter_pair(model, copies(model, *PAIR), 625)
    assert (sorted(model.folder.rglob("*")), (model.folder / "manifest.json").read_bytes()) == before
