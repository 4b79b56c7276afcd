"""``lethe bench``: of a generator that Lethe published, as the command prints and refuses it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from sfd_core.base_model.manifest import digest_of
from sfd_core.families.loading import load_base
from sfd_core.families.registry import family_of
from tests.cli.conftest import Command
from tests.support.foreign import save_class_model, save_classifier
from tests.support.tiny_text_model import T_INIT, make_tiny_text_model

LETHE = Command({"LETHE_DEVICE": "cpu"})


@pytest.fixture
def folders(tmp_path: Path) -> tuple[str, ...]:
    family = family_of("stable_diffusion")
    base = load_base(make_tiny_text_model(tmp_path / "base"))
    family.generator(base.network, base, T_INIT).save(tmp_path / "generator")
    for name in ("data", "weights"):
        (tmp_path / name).mkdir()
    (tmp_path / "data" / "names.txt").write_text("Ann\nBob\n")
    save_classifier(tmp_path / "weights" / "detector", ("Ann", "Bob"))
    return ("--data", str(tmp_path / "data"), "--weights", str(tmp_path / "weights"), "--out", str(tmp_path / "out"))


def test_of_a_published_generator(folders: tuple[str, ...], tmp_path: Path) -> None:
    what = ("bench", "celebrity", "--generator", str(tmp_path / "generator"), *folders, "--device", "cpu")
    done = LETHE(*what, "--forgotten", "Bob", "--limit", "20", "--json")
    assert done.exit_code == 0, done.stderr
    result = json.loads(done.stdout)
    assert result == json.loads((tmp_path / "out" / "result.json").read_text())
    assert result["generator"]["digest"] == digest_of(family_of("stable_diffusion").files(tmp_path / "generator"))
    assert (result["generator"]["network_evaluations"], result["generator"]["guidance"]) == (1, "its own")
    assert "20 of 20 images" in done.stderr
    again = LETHE(*what, "--forgotten", "Bob", "--limit", "20")
    assert "a trial, no result: 20 of 50 images" in again.stdout
    assert "kept" in again.stdout


def test_refusals(folders: tuple[str, ...], tmp_path: Path) -> None:
    at = ("--generator", str(tmp_path / "generator"), *folders, "--device", "cpu", "--forgotten", "Bob")
    unknown = LETHE("bench", "celebrities", *at)
    assert (unknown.exit_code, "celebrity" in unknown.stderr) == (2, True)
    steps = LETHE("bench", "celebrity", *at, "--steps", "4")
    assert (steps.exit_code, "has its own number of steps" in steps.stderr) == (2, True)
    save_class_model(tmp_path / "classes")
    by_class = LETHE("bench", "celebrity", "--generator", str(tmp_path / "classes"), *at[2:])
    assert (by_class.exit_code, "is asked by classes; benchmarks ask by prompts" in by_class.stderr) == (2, True)
    assert not (tmp_path / "out").exists(), "nothing was drawn"
