"""Runs of a tiny model that end once their own check passes: where they end, what they say, and that an interruption
changes nothing. The thresholds are ones that an untrained model can meet."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import torch

from sfd_core.admission import Admitted
from sfd_core.base_model.manifest import BaseModel
from sfd_core.evaluation import own_check
from sfd_core.evaluation.evaluators import Evaluators
from sfd_core.evaluation.in_training import QuickEvaluation
from sfd_core.evaluation.own_check import OwnCheck, plan_of_check
from sfd_core.families.loading import load_base
from sfd_core.prepared import Checkpoints
from sfd_core.request.evaluation_plan import EvaluationPlan
from sfd_core.request.unlearning_request import UnlearningRequest
from sfd_core.run import CheckpointSaved, Event, Finished, Progress, unlearn
from sfd_core.training.check import Check
from sfd_core.training.state import TrainingState, start

RequestFor = Callable[..., UnlearningRequest]
FIRST_CHECK = 64
"""Trained images by which the 80 images of a check are within its share (57), at the next quick evaluation."""
EASY = {
    "unlearning_accuracy": 0.01,
    "retained_accuracy_drop": 0.99,
    "worst_concept_loss": 1.0,
    "coverage_ratio": 0.0,
    "distinct_images": 0.0,
}


@pytest.fixture
def asked(tiny_model: BaseModel, request_for: RequestFor) -> Callable[..., Admitted]:
    def make(until: str = "pass", images: int = 160, **fields: Any) -> Admitted:
        budget = {"images": images, "until": until}
        request = request_for({"evaluate_every": 2}, budget=budget, thresholds=EASY, **fields)
        return Admitted(request, tiny_model, None)

    return make


@pytest.fixture
def verdicts(monkeypatch: pytest.MonkeyPatch) -> list[bool]:
    """What the checks say, one after the other; of images that are made and judged as ever. The quick evaluation is
    always good."""
    answers: list[bool] = []

    def said(_: Any, __: EvaluationPlan, ___: EvaluationPlan, check: int) -> tuple[str, ...]:
        return () if answers[check - 1] else ("something",)

    def good(self: QuickEvaluation, state: TrainingState) -> Any:
        return quick(self, state).__class__(state.step, state.images, state.seconds, 1.0, 1.0, True)

    quick = QuickEvaluation.__call__
    monkeypatch.setattr(own_check, "missing", said)
    monkeypatch.setattr(QuickEvaluation, "__call__", good)
    return answers


def finished(events: Iterator[Event]) -> Finished:
    last = list(events)[-1]
    assert isinstance(last, Finished)
    return last


def test_a_run_ends_with_the_check_that_passes_and_says_so(
    asked: Callable[..., Admitted], verdicts: list[bool], tmp_path: Path
) -> None:
    verdicts += [False, True]
    events = list(unlearn(asked(), tmp_path))
    report = finished(iter(events)).report
    assert [(check["images"], check["missing"]) for check in report["checks"]] == [
        (FIRST_CHECK, ["something"]),
        (2 * FIRST_CHECK, []),
    ]
    assert (report["cost"]["images"], report["cost"]["ended"]) == (2 * FIRST_CHECK, "passed_check")
    assert report["cost"]["seconds"].keys() == {"preparing", "training", "checking", "looking", "evaluating"}
    assert report["strip"][-1] == {"share": 1.0, "images": 2 * FIRST_CHECK}
    page = " ".join((tmp_path / "report" / "report.html").read_text().split())
    assert "passed its own check after 128 of at most 160 images" in page
    assert "passed its own check after 128" in (tmp_path / "generator" / "README.md").read_text()
    training = [e for e in events if isinstance(e, Progress) and e.loss_generator is not None]
    assert {e.of for e in training} == {160}
    assert len([e for e in training if e.images == FIRST_CHECK]) > 1, "it is heard of during a check"
    assert [e.images for e in training if e.quick is not None] == list(range(16, 129, 16)), "each is told once"


def test_a_run_that_never_passes_uses_its_budget_and_says_what_was_missing(
    asked: Callable[..., Admitted], verdicts: list[bool], tmp_path: Path
) -> None:
    verdicts += [False] * 9
    report = finished(unlearn(asked(), tmp_path)).report
    assert (report["cost"]["images"], report["cost"]["ended"]) == (160, "images")
    page = " ".join((tmp_path / "report" / "report.html").read_text().split())
    assert "used up its budget of images, after 160 images: its last check, after 128, did not pass (something)" in page


def test_checking_does_not_change_what_is_trained(
    asked: Callable[..., Admitted], verdicts: list[bool], tmp_path: Path
) -> None:
    verdicts += [False, True]
    checked = finished(unlearn(asked(), tmp_path / "a")).report
    whole = finished(unlearn(asked("budget", images=2 * FIRST_CHECK), tmp_path / "b")).report
    assert whole["checks"] == []
    assert checked["generator"]["digest"] == whole["generator"]["digest"]


@pytest.mark.parametrize(
    ("at", "chunks"),
    [
        pytest.param(FIRST_CHECK, 1, marks=pytest.mark.slow),
        (FIRST_CHECK, 3),
        pytest.param(2 * FIRST_CHECK, 1, marks=pytest.mark.slow),
        pytest.param(2 * FIRST_CHECK, 3, marks=pytest.mark.slow),
    ],
)
def test_stopped_in_the_middle_of_a_check_it_is_made_again(
    asked: Callable[..., Admitted], verdicts: list[bool], tmp_path: Path, at: int, chunks: int
) -> None:
    verdicts += [False, True]
    whole = finished(unlearn(asked(), tmp_path / "whole")).report
    stop, heard = threading.Event(), 0
    events = []
    for event in unlearn(asked(), tmp_path / "a", checkpoints=Checkpoints(tmp_path / "1", (), 1000), should_stop=stop):
        events.append(event)
        heard += isinstance(event, Progress) and event.images == at
        if heard == chunks + 1:
            stop.set()
    assert isinstance(events[-1], CheckpointSaved)
    assert events[-1].images == at
    again = Checkpoints(tmp_path / "2", [tmp_path / "1"], 1000)
    resumed = finished(unlearn(asked(), tmp_path / "b", checkpoints=again)).report
    assert resumed["generator"]["digest"] == whole["generator"]["digest"]
    told = [[(c["step"], c["made"], c["missing"]) for c in report["checks"]] for report in (resumed, whole)]
    assert told[0] == told[1]
    assert [m["images"] for m in resumed["strip"]] == [m["images"] for m in whole["strip"]]


def test_a_check_decides_by_the_criteria_of_the_report(tiny_model: BaseModel, asked: Callable[..., Admitted]) -> None:
    """Without anything put in: on the tiny model's own images."""
    request = asked().request
    base, cpu = load_base(tiny_model), torch.device("cpu")
    check = OwnCheck(base, Evaluators.load(tiny_model), request, None, cpu)
    *before, last = check(start(base, request.recipe, 0, cpu))
    assert before
    assert set(before) == {None}
    assert isinstance(last, Check)
    assert last.made == check.images == 80
    assert any("Frechet" in said for said in last.missing), "20 images a concept are too few for a distance"


def test_what_a_check_looks_at() -> None:
    assert plan_of_check(EvaluationPlan(500, 2000, ("relearning",), nsfw=True), 9) == EvaluationPlan(200, 2000)
    assert plan_of_check(EvaluationPlan(54, 504), 47) == EvaluationPlan(39, 504)
    assert plan_of_check(EvaluationPlan(20, 504), 99) == EvaluationPlan(20, 504)
    assert plan_of_check(EvaluationPlan(500, 2000), 99) == EvaluationPlan(30, 2000)
