"""One whole unlearning run: load, train, evaluate, write the generator and the report. What ``lethe unlearn`` and the
service's training process both do.

:func:`unlearn` yields events; whoever iterates shows them, and stops the run by leaving the loop. With a folder for
checkpoints the run goes on from the newest one, of whichever attempt.
"""

from __future__ import annotations

import dataclasses
import json
import resource
import threading
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any, Literal

import torch

from sfd_core import checkpoint
from sfd_core.card import model_card
from sfd_core.device import describe, pick_device
from sfd_core.evaluation.evaluate import QuickEvaluation, evaluate, generator_of, images_per_second, seeds_of
from sfd_core.evaluation.judge import ImageJudge
from sfd_core.evaluation.page import LIMITS, render
from sfd_core.evaluation.pictures import Moment, pairs_picture, rows_for, strip_picture
from sfd_core.evaluation.quick import QuickFigures
from sfd_core.evaluation.reference import Reference
from sfd_core.evaluation.strip import REMAINING, Strip
from sfd_core.evaluation.teacher import TeacherSampler
from sfd_core.generator import OneStepGenerator
from sfd_core.loading import LoadedBase, load_base
from sfd_core.manifest import BaseModel, digest_of, file_sha256
from sfd_core.request import UnlearningRequest
from sfd_core.train import TrainingState, start, train

Phase = Literal["preparing", "training", "evaluating"]
PAIR_IMAGES = 8
"""Images a concept in the before/after picture."""


@dataclass(frozen=True)
class PhaseStarted:
    phase: Phase


@dataclass(frozen=True)
class Progress:
    """A step of training, or a chunk of evaluation (then without losses). ``quick``: on the steps that have one."""

    images: int
    of: int
    seconds: float
    images_per_second: float
    eta_seconds: float
    loss_generator: float | None = None
    loss_fake_score: float | None = None
    quick: QuickFigures | None = None


@dataclass(frozen=True)
class CheckpointSaved:
    step: int
    images: int


@dataclass(frozen=True)
class Finished:
    """The result: ``generator`` and ``report`` are folders below the run's output folder."""

    report: dict[str, Any]
    generator: Path
    report_folder: Path


Event = PhaseStarted | Progress | CheckpointSaved | Finished


@dataclass(frozen=True)
class Checkpoints:
    """Where this attempt writes its checkpoints, where earlier attempts wrote theirs, and how often."""

    folder: Path
    earlier: Sequence[Path] = ()
    every_seconds: float = 10.0


def unlearn(
    model: BaseModel,
    request: UnlearningRequest,
    out: Path,
    *,
    checkpoints: Checkpoints | None = None,
    device: str = "auto",
    should_stop: threading.Event | None = None,
) -> Iterator[Event]:
    """Run ``request`` on ``model`` and write ``out/generator`` (a diffusers folder) and ``out/report``.

    When ``should_stop`` is set the run ends after the current step, with a checkpoint if it has a folder for them and
    without :class:`Finished`.

    Raises:
        ModelRefused: for a base model that does not verify or load.
        InvalidRequest: for a recipe that does not fit the base model's schedule.
        TrainingDiverged: when the run is no longer finite.
    """
    yield PhaseStarted("preparing")
    began = time.monotonic()
    where = pick_device(device)
    base = load_base(model)
    judge = ImageJudge.load(model, where)
    reference = Reference.load(model.folder / model.reference)
    state = start(base, request.recipe, request.seed, where)
    if checkpoints is not None:
        checkpoint.restore_newest(state, [checkpoints.folder, *checkpoints.earlier])
    seconds = {"preparing": time.monotonic() - began}

    yield PhaseStarted("training")
    strip = Strip(base, request, [] if checkpoints is None else [checkpoints.folder, *checkpoints.earlier])
    for event in _training(state, base, judge, reference, request, checkpoints, strip):
        yield event
        if should_stop is not None and should_stop.is_set():
            if checkpoints is not None:
                checkpoint.save(state, checkpoints.folder)
                yield CheckpointSaved(state.step, state.images)
            return
    seconds["training"] = state.seconds

    yield PhaseStarted("evaluating")
    began = time.monotonic()
    generator = generator_of(state, base, request.recipe)
    measured: dict[str, Any] | None = None
    for done, of, measured in evaluate(generator, base, judge, reference, request):  # noqa: B007 - the last one is used
        rate = done / (time.monotonic() - began)
        yield Progress(done, of, time.monotonic() - began, rate, (of - done) / rate)
        if should_stop is not None and should_stop.is_set():
            return
    assert measured is not None
    report = {**_header(base, request), **measured, **_training_facts(state, request, where)}
    pictures, speed = _pictures_and_speed(generator, base, request, strip.moments(), where)
    seconds["evaluating"] = time.monotonic() - began
    report["speed"] = speed
    report["cost"]["seconds"] = {name: round(value, 2) for name, value in seconds.items()}
    report["strip"] = [{"share": m.share, "images": m.seen} for m in strip.moments()]
    report["limits"] = list(LIMITS)
    report["pictures"] = {name: f"{name}.png" for name in pictures}
    yield _write(generator, base, request, report, pictures, out)


def _training(
    state: TrainingState,
    base: LoadedBase,
    judge: ImageJudge,
    reference: Reference,
    request: UnlearningRequest,
    checkpoints: Checkpoints | None,
    strip: Strip,
) -> Iterator[Event]:
    """Train to the end of the budget, with checkpoints by the clock and after the last step."""
    strip.look(state)
    saved_at = time.monotonic()
    budget = request.budget
    if _already_finished(state, request):
        return
    quick = QuickEvaluation(base, judge, reference, request)
    first_images, first_seconds = state.images, state.seconds
    for step in train(state, base, request, judge=judge.logits_of_cells, quick_evaluation=quick):
        strip.look(state, finished=step.finished)
        rate = (step.images - first_images) / max(step.seconds - first_seconds, 1e-9)
        left = [(budget.images - step.images) / rate]
        if budget.seconds is not None:
            left.append(budget.seconds - step.seconds)
        eta = 0.0 if step.finished else max(0.0, min(left))
        yield Progress(
            step.images, budget.images, step.seconds, rate, eta, step.loss_generator, step.loss_fake_score, step.quick
        )
        due = time.monotonic() - saved_at >= (checkpoints.every_seconds if checkpoints else 0)
        if checkpoints is not None and (due or step.finished):
            checkpoint.save(state, checkpoints.folder)
            saved_at = time.monotonic()
            yield CheckpointSaved(step.step, step.images)


def _already_finished(state: TrainingState, request: UnlearningRequest) -> bool:
    """A run that was stopped after its last step, in the evaluation, has nothing left to train."""
    budget = request.budget
    unlearned = budget.stop_when_unlearned and len(state.curve) > 1 and all(q.good for q in state.curve[-2:])
    spent = state.images >= budget.images or (budget.seconds is not None and state.seconds >= budget.seconds)
    return state.step > 0 and (spent or unlearned)


def _header(base: LoadedBase, request: UnlearningRequest) -> dict[str, Any]:
    """What was asked, of what, and by which judge."""
    model, asked = base.model, request.to_json()
    return {
        "schema_version": 1,
        "created_at": datetime.now(UTC).isoformat(timespec="seconds"),
        "base_model": {"name": model.name, "title": model.title, "digest": model.digest, "license": model.license},
        "judge": {
            "name": model.judge.name,
            "accuracy": model.judge.accuracy,
            "accuracy_images": model.judge.accuracy_images,
            "digest": model.judge.digest,
        },
        **{name: asked[name] for name in ("forget", "budget", "recipe", "thresholds", "evaluation", "seed")},
        "versions": {name: version(name) for name in ("lethe", "torch", "diffusers", "transformers")},
    }


def _training_facts(state: TrainingState, request: UnlearningRequest, device: torch.device) -> dict[str, Any]:
    """The curves and what the run cost."""
    peak = (
        torch.cuda.max_memory_allocated(device)
        if device.type == "cuda"
        else resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    )
    return {
        "curves": [dataclasses.asdict(q) for q in state.curve],
        "cost": {
            "images": state.images,
            "steps": state.step,
            "images_per_second": round(state.images / max(state.seconds, 1e-9), 2),
            "peak_memory_bytes": peak,
            "device": describe(device),
        },
    }


def _pictures_and_speed(
    generator: OneStepGenerator,
    base: LoadedBase,
    request: UnlearningRequest,
    moments: Sequence[Moment],
    device: torch.device,
) -> tuple[dict[str, bytes], dict[str, Any]]:
    """Before and after at the same seeds, the strip, and both sides' speed."""
    concepts = base.model.concepts
    evaluations = int(base.model.teacher["network_evaluations"])
    teacher = TeacherSampler(base, evaluations, device)
    rows = rows_for(request.forget, concepts)
    labels = [concepts.index(row.concept) for row in rows for _ in range(PAIR_IMAGES)]
    seeds = [seed for row in rows for seed in seeds_of(concepts.index(row.concept), PAIR_IMAGES)]
    began = time.perf_counter()
    before = teacher.sample_labels(labels, seeds)
    teacher_speed = len(labels) / (time.perf_counter() - began)
    after = generator.sample_labels(labels, seeds)
    generator_speed = images_per_second(generator.sample_labels, labels)
    strip_rows = rows_for(request.forget, concepts, REMAINING)
    titles = (f"{evaluations} steps an image", "1 step, same seeds")
    pictures = {
        "pairs": pairs_picture(before, after, rows, subtitles=titles),
        "pairs_narrow": pairs_picture(before, after, rows, narrow=True, subtitles=titles),
        "strip": strip_picture(moments, strip_rows),
        "strip_narrow": strip_picture(moments, strip_rows, narrow=True),
    }
    speed = {
        "generator_images_per_second": round(generator_speed, 2),
        "teacher_images_per_second": round(teacher_speed, 2),
        "ratio": round(generator_speed / teacher_speed, 2),
        "generator_network_evaluations": 1,
        "teacher_network_evaluations": evaluations,
        "device": describe(device),
    }
    return pictures, speed


def _write(
    generator: OneStepGenerator,
    base: LoadedBase,
    request: UnlearningRequest,
    report: dict[str, Any],
    pictures: dict[str, bytes],
    out: Path,
) -> Finished:
    """Write both folders; the card goes into the generator's, with the digest of its weights."""
    folder, report_folder = out / "generator", out / "report"
    report_folder.mkdir(parents=True, exist_ok=True)
    generator.save(folder)
    files = {
        path.relative_to(folder).as_posix(): file_sha256(path)
        for path in sorted(folder.rglob("*"))
        if path.is_file() and path.name != "README.md"
    }
    report["generator"] = {"digest": digest_of(files), "files": files}
    (folder / "README.md").write_text(model_card(report))
    for name, content in pictures.items():
        (report_folder / f"{name}.png").write_bytes(content)
    by_file = {f"{name}.png": content for name, content in pictures.items()}
    (report_folder / "report.html").write_text(render(report, by_file))
    (report_folder / "report.json").write_text(json.dumps(report, indent=2) + "\n")
    return Finished(report, folder, report_folder)
