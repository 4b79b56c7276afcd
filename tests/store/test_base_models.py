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


def test_what_cannot_be_read_is_refused_by_itself_until_it_is_mended(tmp_path: Path) -> None:
    put(tmp_path, "first")
    models = BaseModels([tmp_path])
    broken = put(tmp_path, "second")
    whole = broken.read_text()
    broken.write_text("{")
    for found in (models, BaseModels([tmp_path])):  # while it runs, and at a start
        assert sorted(found) == ["first"]
        assert found.refused["second"].startswith("second/manifest.json: not readable as JSON")
        assert found.refused["second"] in found.missing("second")
        assert found.missing("frist").endswith("refused are: second")
    broken.write_text(whole)
    assert sorted(models) == ["first", "second"]
    assert models.refused == {}


def test_a_vocabulary_that_is_mended_is_seen(tmp_path: Path) -> None:
    bundled = Path(__file__).resolve().parents[2] / "models" / "emoji"
    (tmp_path / "emoji").mkdir()
    for name in ("manifest.json", "vocabulary.json"):
        shutil.copy(bundled / name, tmp_path / "emoji" / name)
    vocabulary = tmp_path / "emoji" / "vocabulary.json"
    vocabulary.write_text("{")
    models = BaseModels([tmp_path])
    assert list(models) == []
    assert models.refused["emoji"].startswith("emoji/vocabulary.json: not readable")
    shutil.copy(bundled / "vocabulary.json", vocabulary)
    assert list(models) == ["emoji"]


def test_folders_that_go_away_while_it_runs_change_nothing(tmp_path: Path) -> None:
    put(tmp_path / "own", "first")
    models = BaseModels([tmp_path / "own"])
    (tmp_path / "own").rename(tmp_path / "away")
    assert list(models) == ["first"]
    (tmp_path / "away").rename(tmp_path / "own")
    assert list(models) == ["first"]


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
