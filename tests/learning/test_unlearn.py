"""A whole run as a library: generator folder, report, pictures; stopping and going on."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from sfd_core.admission import Admitted
from sfd_core.base_model.manifest import BaseModel, digest_of, file_sha256
from sfd_core.families.class_unet.generator import OneStepGenerator
from sfd_core.prepared import Checkpoints
from sfd_core.request.reading import written
from sfd_core.request.unlearning_request import UnlearningRequest
from sfd_core.run import CheckpointSaved, Finished, PhaseStarted, Progress, unlearn

RequestFor = Callable[..., UnlearningRequest]


@pytest.fixture
def finished(tiny_model: BaseModel, request_for: RequestFor, tmp_path: Path) -> Finished:
    last = list(unlearn(Admitted(request_for(), tiny_model, None), tmp_path))[-1]
    assert isinstance(last, Finished)
    return last


def test_it_tells_its_story_in_order(tiny_model: BaseModel, request_for: RequestFor, tmp_path: Path) -> None:
    events = list(unlearn(Admitted(request_for(), tiny_model, None), tmp_path))
    assert [e.phase for e in events if isinstance(e, PhaseStarted)] == ["preparing", "training", "evaluating"]
    training = [e for e in events if isinstance(e, Progress) and e.loss_generator is not None]
    assert [e.images for e in training] == [8, 16, 24, 32]
    assert training[-1].eta_seconds == 0
    assert training[-1].quick is not None


def test_every_second_is_in_a_phase(tiny_model: BaseModel, request_for: RequestFor, tmp_path: Path) -> None:
    """But for those in which the report is written."""
    began = time.monotonic()
    *_, last = unlearn(Admitted(request_for(), tiny_model, None), tmp_path)
    took = time.monotonic() - began
    assert isinstance(last, Finished)
    seconds = last.report["cost"]["seconds"]
    assert seconds.keys() == {"preparing", "training", "looking", "evaluating"}
    assert 0.8 * took < sum(seconds.values()) <= took


def test_the_report_holds_what_was_asked_and_what_was_measured(finished: Finished, request_for: RequestFor) -> None:
    report = json.loads((finished.report_folder / "report.json").read_text())
    asked = written(request_for())
    assert {name: report[name] for name in ("budget", "recipe", "thresholds", "seed")} == {
        name: asked[name] for name in ("budget", "recipe", "thresholds", "seed")
    }
    (forgotten,) = report["forget"]
    assert {name: value for name, value in forgotten.items() if value is not None} == asked["forget"][0]
    assert report["unlearning"][0]["n"] == 20
    assert [row["concept"] for row in report["retention"]] == ["green", "blue", "grey"]
    assert sum(report["confusion"]["generator"][0]) == pytest.approx(1)
    assert [moment["share"] for moment in report["strip"]] == [0.0, 0.25, 0.5, 1.0]
    for picture in report["pictures"].values():
        assert (finished.report_folder / picture).read_bytes().startswith(b"\x89PNG")
    assert "red" in (finished.report_folder / "report.html").read_text()


def test_the_generator_is_complete_and_its_digest_is_the_reports(finished: Finished) -> None:
    generator = OneStepGenerator.load(finished.generator)
    assert len(generator.sample("green", 3, seed=0)) == 3
    files = {
        p.relative_to(finished.generator).as_posix(): file_sha256(p)
        for p in finished.generator.rglob("*")
        if p.is_file() and p.name != "README.md"
    }
    assert finished.report["generator"]["digest"] == digest_of(files)
    card = (finished.generator / "README.md").read_text()
    assert finished.report["generator"]["digest"] in card
    assert finished.report["base_model"]["digest"] in card


def test_stopped_and_resumed_it_publishes_the_same_weights(
    tiny_model: BaseModel, request_for: RequestFor, tmp_path: Path
) -> None:
    whole = list(unlearn(Admitted(request_for(), tiny_model, None), tmp_path / "whole"))[-1]
    stop = threading.Event()
    first = Checkpoints(tmp_path / "attempt-1", every_seconds=1000)
    events = []
    for event in unlearn(
        Admitted(request_for(), tiny_model, None), tmp_path / "a", checkpoints=first, should_stop=stop
    ):
        events.append(event)
        if isinstance(event, Progress) and event.images == 16:
            stop.set()
    assert isinstance(events[-1], CheckpointSaved)
    assert events[-1].images == 16
    second = Checkpoints(tmp_path / "attempt-2", [tmp_path / "attempt-1"], 1000)
    resumed = list(unlearn(Admitted(request_for(), tiny_model, None), tmp_path / "b", checkpoints=second))
    assert min(e.images for e in resumed if isinstance(e, Progress) and e.loss_generator is not None) == 24
    last = resumed[-1]
    assert isinstance(whole, Finished)
    assert isinstance(last, Finished)
    assert last.report["generator"]["digest"] == whole.report["generator"]["digest"]
    # The strip's moments of the first attempt are in the second's report.
    assert [m["images"] for m in last.report["strip"]] == [m["images"] for m in whole.report["strip"]]
