"""A record can be run again: the same bits come out, and what does not come out the same is said."""

from __future__ import annotations

import copy
import json
from pathlib import Path
from typing import Any

import pytest

from cli.local_run import Result, run
from cli.rerun import compare, request_of, rerun
from cli.run_view import RunView
from jobs.record import RecordMismatch, read_statement
from jobs.record.statement import subjects
from sfd_core.admission import Admitted, admit
from sfd_core.base_model.manifest import BaseModel
from sfd_core.errors import ModelRefused
from sfd_core.families.registry import load_manifest
from tests.record.case import BODY, Case, unsigned_settings
from tests.support.tiny_model import make_tiny_model

WEIGHTS = "unet/diffusion_pytorch_model.safetensors"


def _request(model: BaseModel, **fields: Any) -> Admitted:
    return admit(BODY | fields, model)


def _run(model: BaseModel, request: Admitted, out: Path, checkpoint_seconds: float = 1000) -> Result:
    return run(model, request, out, "cpu", unsigned_settings(checkpoint_seconds))


def test_it_comes_out_bit_equal(case: Case, tiny_model: BaseModel, tmp_path: Path) -> None:
    comparison = rerun(read_statement(case.text), tiny_model, tmp_path, unsigned_settings())
    assert comparison.bit_equal
    assert comparison.generator[0] == 5
    assert comparison.evaluation[1] == ()
    assert (tmp_path / "generator" / WEIGHTS).read_bytes() == (case.folder / WEIGHTS).read_bytes()
    # The code may change while tests run: somebody commits.
    assert [line for line in comparison.environment if not line.startswith("code.")] == []


def test_a_repetition_without_a_difference_is_told_in_three_lines(case: Case) -> None:
    statement = read_statement(case.text)
    evaluation = len([name for name in subjects(statement) if name.endswith((".png", ".safetensors"))])
    lines = list(compare(statement, statement).lines())
    assert lines[0] == "bit-equal: the generator's 5 files are those of the record"
    assert lines[1].endswith("files of scores and pictures are those of the record")
    assert 2 <= int(lines[1].split()[1]) < evaluation
    assert lines[2:] == ["then and now: the same code, versions and machine"]


def test_a_record_that_claims_another_seed_does_not(case: Case, tiny_model: BaseModel, tmp_path: Path) -> None:
    statement = read_statement(case.text)
    statement["predicate"]["request"]["seed"] = 8
    comparison = rerun(statement, tiny_model, tmp_path, unsigned_settings())
    assert not comparison.bit_equal
    assert comparison.generator[1] == (WEIGHTS,)
    assert next(comparison.lines()) == f"differs: of the generator's 5 files, {WEIGHTS}"


def test_a_run_that_was_interrupted_and_resumed_comes_out_bit_equal(
    tiny_model: BaseModel, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    request = _request(tiny_model)
    seen: list[int] = []

    def interrupted(view: RunView, figures: dict[str, Any]) -> None:
        seen.append(figures["images"])
        if len(seen) == 3:
            raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(RunView, "progress", interrupted)
        with pytest.raises(KeyboardInterrupt):
            _run(tiny_model, request, tmp_path / "first", checkpoint_seconds=0)
    assert seen == [8, 16, 24]
    resumed: list[int] = []
    with monkeypatch.context() as patch:
        patch.setattr(RunView, "progress", lambda view, figures: resumed.append(figures["images"]))
        result = _run(tiny_model, request, tmp_path / "first", checkpoint_seconds=0)
    assert resumed[0] == 24  # after the checkpoint of 16 images: the third step came without one
    assert rerun(result.record, tiny_model, tmp_path / "again", unsigned_settings()).bit_equal


def test_a_run_that_time_ended_is_repeated_to_the_same_image(tiny_model: BaseModel, tmp_path: Path) -> None:
    result = _run(tiny_model, _request(tiny_model, budget={"images": 800_000, "seconds": 0.2}), tmp_path / "first")
    assert 0 < result.record["predicate"]["images_trained"] < 800_000
    assert rerun(result.record, tiny_model, tmp_path / "again", unsigned_settings()).bit_equal


@pytest.mark.parametrize("until", [{"until": "pass"}, {"stop_when_unlearned": True}, {}])
def test_the_budget_is_what_was_trained(case: Case, tiny_model: BaseModel, until: dict[str, Any]) -> None:
    predicate = read_statement(case.text)["predicate"]
    predicate["request"]["budget"] = {"images": 6400, "seconds": 3.0, **until}
    budget = request_of(predicate, tiny_model).request.budget
    assert (budget.images, budget.seconds, budget.until) == (32, None, "budget")


def test_what_differs_between_then_and_now_is_listed(case: Case) -> None:
    then = read_statement(case.text)
    now = copy.deepcopy(then)
    now["predicate"]["machine"]["instructions"] = "none"
    now["predicate"]["dependencies"]["torch"] = "9.9"
    del now["predicate"]["dependencies"]["pillow"]
    now["subject"] = [each for each in now["subject"] if each["name"] != "unet/config.json"]
    comparison = compare(then, now)
    assert comparison.generator == (5, ("unet/config.json",))
    listed = "\n".join(comparison.environment)
    assert f"machine.instructions: {then['predicate']['machine']['instructions']} then, none now" in listed
    assert "dependencies.torch" in listed
    assert f"dependencies.pillow: {then['predicate']['dependencies']['pillow']} then, None now" in listed


def test_pictures_that_differ_do_not_make_the_weights_differ(case: Case) -> None:
    then = read_statement(case.text)
    now = copy.deepcopy(then)
    for each in now["subject"]:
        if each["name"] in ("evaluation/pairs.png", "evaluation/report.json"):
            each["digest"]["sha256"] = "0"
    comparison = compare(then, now)
    assert comparison.bit_equal
    assert comparison.evaluation[1] == ("evaluation/pairs.png",)


def test_it_runs_in_the_micro_batches_that_it_ran_in(case: Case, tiny_model: BaseModel) -> None:
    """Not in those that were asked for, if the memory did not suffice."""
    predicate = read_statement(case.text)["predicate"]
    assert request_of(predicate, tiny_model).request.recipe.micro_batch is None
    predicate["recipe"]["micro_batch"] = 4
    assert request_of(predicate, tiny_model).request.recipe.micro_batch == 4


def test_another_base_model_is_refused(case: Case, tmp_path: Path) -> None:
    other = make_tiny_model(tmp_path / "other")
    path = other.folder / "manifest.json"
    manifest = json.loads(path.read_text())
    manifest["files"]["unet/config.json"] = "0" * 64
    path.write_text(json.dumps(manifest))
    with pytest.raises(ModelRefused, match=r"not the base model of the record .*other files: unet/config\.json"):
        rerun(read_statement(case.text), load_manifest(other.folder), tmp_path / "out", unsigned_settings())


@pytest.mark.parametrize("field", ["base_model", "request", "images_trained", "machine"])
def test_a_record_without_what_a_run_needs_is_refused(
    case: Case, tiny_model: BaseModel, tmp_path: Path, field: str
) -> None:
    statement = read_statement(case.text)
    del statement["predicate"][field]
    with pytest.raises(RecordMismatch, match=f"lacks what a run needs: KeyError.*{field}"):
        rerun(statement, tiny_model, tmp_path, unsigned_settings())


def test_a_folder_that_is_no_generator_is_not_replaced(tiny_model: BaseModel, tmp_path: Path) -> None:
    (tmp_path / "generator").mkdir()
    (tmp_path / "generator" / "thesis.tex").write_text("precious")
    with pytest.raises(FileExistsError, match="not a generator"):
        _run(tiny_model, _request(tiny_model), tmp_path)
    assert (tmp_path / "generator" / "thesis.tex").read_text() == "precious"


def test_a_second_run_replaces_the_first_whole(tiny_model: BaseModel, tmp_path: Path) -> None:
    first = _run(tiny_model, _request(tiny_model), tmp_path)
    (first.folder / "left-over").write_text("x")
    second = _run(tiny_model, _request(tiny_model, seed=9), tmp_path)
    assert not (second.folder / "left-over").exists()
    assert [path.name for path in tmp_path.iterdir()] == ["generator"]
    assert second.record["predicate"]["request"]["seed"] == 9
