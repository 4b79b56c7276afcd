"""The models of a service are those on its disk, as they are now; what cannot be read later changes nothing."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path

import pytest

from jobs.base_models import BaseModels
from sfd_core.errors import ModelRefused
from tests.cli.service import write_manifest


def put(models: Path, name: str) -> Path:
    write_manifest(models / name)
    path = models / name / "manifest.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), "name": name}))
    return path


def test_a_model_that_is_added_changed_and_removed(tmp_path: Path) -> None:
    put(tmp_path, "first")
    models = BaseModels([tmp_path])
    assert dict(models) == {"first": models["first"]}
    second = put(tmp_path, "second")
    assert sorted(models) == ["first", "second"]
    second.write_text(json.dumps({**json.loads(second.read_text()), "title": "Other"}))
    os.utime(second, ns=(1, 1))
    assert models["second"].title == "Other"
    shutil.rmtree(second.parent)
    assert sorted(models) == ["first"]
    assert "second" not in models


def test_what_cannot_be_read_is_refused_at_the_start_and_changes_nothing_later(tmp_path: Path) -> None:
    put(tmp_path, "first")
    models = BaseModels([tmp_path])
    broken = put(tmp_path, "second")
    broken.write_text("{")
    assert sorted(models) == ["first"]
    with pytest.raises(ModelRefused, match="not readable as JSON"):
        BaseModels([tmp_path])


def test_a_hidden_folder_is_no_model_yet(tmp_path: Path) -> None:
    models = BaseModels([tmp_path])
    put(tmp_path, ".unfinished-1")
    assert list(models) == []


def test_the_folder_that_nobody_named_need_not_be_there(tmp_path: Path) -> None:
    own = tmp_path / "own"
    with pytest.raises(ModelRefused, match="not a folder"):
        BaseModels([own])
    models = BaseModels([own], made_later=own)
    assert len(models) == 0
    put(own, "first")
    assert list(models) == ["first"]
