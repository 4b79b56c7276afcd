"""One whole unlearning run: load, train, evaluate, write the generator and the report. What ``lethe unlearn`` and the
service's training process both do.

:func:`unlearn` yields events; whoever iterates shows them, and stops the run by leaving the loop. With a folder for
checkpoints the run goes on from the newest one, of whichever attempt.
"""

from __future__ import annotations

import dataclasses
import resource
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import torch

from sfd_core.admission import Admitted
from sfd_core.base_model.manifest import digest_of
from sfd_core.display.pictures import strip_picture
from sfd_core.evaluation.evaluators import Evaluators, GivenWeights
from sfd_core.evaluation.in_training import QuickEvaluation, generator_of
from sfd_core.evaluation.judge import ImageJudge
from sfd_core.evaluation.own_check import OwnCheck
from sfd_core.evaluation.pace import Pace
from sfd_core.evaluation.subject import ImageSource
from sfd_core.families.device import device_name, pick_device
from sfd_core.families.protocol import Generator, LoadedBase
from sfd_core.families.registry import family_of
from sfd_core.prepared import Checkpoints, Prepared
from sfd_core.prompts.plan import PromptPlan
from sfd_core.report.card import model_card
from sfd_core.report.examine import ReportDraft, examine, write_report
from sfd_core.report.report import (
    CutPrompt,
    Ended,
    GeneratorFiles,
    PromptCounts,
    StripMoment,
    TextTraining,
    TrainingCheck,
    TrainingCost,
    TrainingMoment,
)
from sfd_core.report.strip import Strip
from sfd_core.request.concepts import Budget
from sfd_core.request.unlearning_request import UnlearningRequest
from sfd_core.storage import StorageFull, once_there_is_room
from sfd_core.training import checkpoint
from sfd_core.training.loop import train
from sfd_core.training.quick import QuickFigures
from sfd_core.training.ranks import ALONE, Ranks
from sfd_core.training.state import TrainingState, save_pair
from sfd_core.training.stopping import check_due, is_finished, spent

Phase = Literal["preparing", "training", "evaluating"]


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
    """The result: ``report`` as its file holds it; ``generator`` and ``report_folder`` lie below the run's output
    folder."""

    report: dict[str, Any]
    generator: Path
    report_folder: Path


Event = PhaseStarted | Progress | CheckpointSaved | StorageFull | Finished


def unlearn(
    admitted: Admitted,
    out: Path,
    *,
    checkpoints: Checkpoints | None = None,
    device: str = "auto",
    weights: GivenWeights | None = None,
    should_stop: threading.Event | None = None,
    ranks: Ranks = ALONE,
    pair: Path | None = None,
    keep_pair: bool = False,
    mark_images: bool = True,
) -> Iterator[Event]:
    """Run what was admitted and write ``out/generator`` (a diffusers folder) and ``out/report``.

    ``weights``: of evaluators that no package ships. When ``should_stop`` is set the run ends after the current step,
    with a checkpoint if it has a folder for them and without :class:`Finished`. ``ranks``: processes that
    :func:`sfd_core.prepared.take_part` in the training; this one leads them. ``pair``: the folder of what the request's
    parent kept, where it has one. ``keep_pair``: write ``out/pair`` too, what another run can go on from.
    ``mark_images``: the report's pictures say that a model has made them. While its storage is full it stands still.

    Raises:
        ModelRefused: for a base model, or weights of an evaluator, that do not verify or load.
        TrainingDiverged: when the run is no longer finite.
    """
    stop = should_stop or threading.Event()
    yield PhaseStarted("preparing")
    began = time.monotonic()
    request, plan, where = admitted.request, admitted.plan, pick_device(device)
    run = Prepared.of(admitted, where, checkpoints, weights, ranks, pair)
    base, evaluators, state = run.base, run.evaluators, run.state
    seconds = {"preparing": time.monotonic() - began}

    yield PhaseStarted("training")
    began, stepped, checked = time.monotonic(), state.seconds, _seconds_of_checks(state)
    strip = Strip(base, request, plan, [] if checkpoints is None else checkpoints.folders)
    check = _own_check(base, evaluators, request, plan, where)
    with ranks.led():
        for event in _training(run, checkpoints, strip, check, stop):
            yield event
            if stop.is_set():
                if checkpoints is not None:
                    yield from _save(state, checkpoints, stop)
                return
        generator = generator_of(state, base, request.recipe)
        if keep_pair and (yield from once_there_is_room(lambda: _kept_pair(state, out / "pair"), stop)) is None:
            return
    seconds["training"] = state.seconds
    if state.checks:
        seconds["checking"] = _seconds_of_checks(state)
    stepped, checked = state.seconds - stepped, _seconds_of_checks(state) - checked
    seconds["looking"] = max(0.0, time.monotonic() - began - stepped - checked)

    yield PhaseStarted("evaluating")
    began = time.monotonic()
    draft: ReportDraft | None = None
    source, pace = ImageSource.of_generator(generator), Pace()
    for done, of, draft in examine(source, base, evaluators, request, where, plan):  # noqa: B007 - the last one is used
        yield Progress(done, of, time.monotonic() - began, *pace(done, of))
        if stop.is_set():
            return
    assert draft is not None
    moments = strip.moments()
    pictures = {
        "strip": strip_picture(moments, strip.rows),
        "strip_narrow": strip_picture(moments, strip.rows, narrow=True),
    }
    seconds["evaluating"] = time.monotonic() - began
    draft = draft.extended(
        pictures,
        budget=request.budget,
        recipe=request.recipe,
        text=_text_training(base, plan, request),
        curves=tuple(TrainingMoment(**dataclasses.asdict(q)) for q in state.curve),
        checks=tuple(TrainingCheck(**dataclasses.asdict(check)) for check in state.checks),
        strip=tuple(StripMoment(m.share, m.seen) for m in moments),
        cost=_cost(state, request.budget, seconds, where),
    )
    whole = draft
    if (
        finished := (yield from once_there_is_room(lambda: _write(generator, base, whole, out, mark_images), stop))
    ) is not None:
        yield finished


def _save(state: TrainingState, checkpoints: Checkpoints, stop: threading.Event) -> Iterator[Event]:
    if (yield from once_there_is_room(lambda: checkpoint.save(state, checkpoints.folder), stop)) is not None:
        yield CheckpointSaved(state.step, state.images)


def _training(
    run: Prepared, checkpoints: Checkpoints | None, strip: Strip, check: OwnCheck | None, stop: threading.Event
) -> Iterator[Event]:
    """Train until a check passes or to the end of the budget, with checkpoints by the clock and after the last step."""
    state, budget = run.state, run.request.budget
    strip.look(state)
    saved_at = time.monotonic()
    if is_finished(state, budget):  # stopped after its last step, in the evaluation
        return
    for _ in _checked(state, budget, check):  # stopped in the middle of a check
        yield _standing(state, budget)
    if is_finished(state, budget):
        strip.look(state, finished=True)
        return
    judge = run.judge
    judged = judge is not None and run.evaluators.reference is not None
    quick = QuickEvaluation(run.base, run.evaluators, run.request) if judged else None
    first_images, first_seconds = state.images, state.seconds
    for step in train(state, run.base, run.request, plan=run.plan, judge=judge, quick_evaluation=quick):
        strip.look(state, finished=step.finished)
        rate = (step.images - first_images) / max(step.seconds - first_seconds, 1e-9)
        left = [(budget.images - step.images) / rate]
        if budget.seconds is not None:
            left.append(budget.seconds - step.seconds)
        eta = 0.0 if step.finished else max(0.0, min(left))
        told = Progress(
            step.images, budget.images, step.seconds, rate, eta, step.loss_generator, step.loss_fake_score, step.quick
        )
        yield told
        for _ in _checked(state, budget, check):
            yield dataclasses.replace(told, quick=None)
        finished = is_finished(state, budget)
        if finished and not step.finished:
            strip.look(state, finished=True)
        due = time.monotonic() - saved_at >= (checkpoints.every_seconds if checkpoints else 0)
        if checkpoints is not None and (due or finished):
            yield from _save(state, checkpoints, stop)
            saved_at = time.monotonic()
        if finished:
            return


def _standing(state: TrainingState, budget: Budget) -> Progress:
    """How far a run is that goes on with a check, before a step of its own."""
    rate = state.images / max(state.seconds, 1e-9)
    left = (budget.images - state.images) / max(rate, 1e-9)
    latest = state.curve[-1]
    return Progress(
        state.images, budget.images, state.seconds, rate, left, latest.loss_generator, latest.loss_fake_score
    )


def _own_check(
    base: LoadedBase, evaluators: Evaluators, request: UnlearningRequest, plan: PromptPlan | None, where: torch.device
) -> OwnCheck | None:
    """What checks the run, where it is to end once it passes and a judge can look while it trains, at images beside
    which the base model's own are known."""
    if request.budget.until != "pass" or not isinstance(evaluators.judge, ImageJudge) or not evaluators.has_references:
        return None
    return OwnCheck(base, evaluators, request, plan, where)


def _checked(state: TrainingState, budget: Budget, check: OwnCheck | None) -> Iterator[None]:
    """Make the check that is due, if one is, and keep what it says in ``state``. Yields often: it takes a while."""
    if check is None or not check_due(state, budget, check.worth):
        return
    for made in check(state):
        if made is not None:
            state.checks.append(made)
        yield


def _seconds_of_checks(state: TrainingState) -> float:
    return sum(check.seconds for check in state.checks)


def _ended(state: TrainingState, budget: Budget) -> Ended:
    """Why a run is over."""
    if state.images >= budget.images:
        return "images"
    return "seconds" if spent(state, budget) else "passed_check"


def _cost(state: TrainingState, budget: Budget, seconds: dict[str, float], device: torch.device) -> TrainingCost:
    peak = (
        torch.cuda.max_memory_allocated(device)
        if device.type == "cuda"
        else resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    )
    return TrainingCost(
        {name: round(value, 2) for name, value in seconds.items()},
        state.images,
        state.step,
        round(state.images / max(state.seconds, 1e-9), 2),
        peak,
        state.ranks.times(device_name(device)),
        _ended(state, budget),
    )


def _text_training(base: LoadedBase, plan: PromptPlan | None, request: UnlearningRequest) -> TextTraining | None:
    """What a text-to-image run was asked with, and where it started."""
    if plan is None:
        return None
    asked = {text for condition in plan.conditions() for text in (condition.prompt, condition.negative)}
    cut = tuple(CutPrompt(prompt, end) for prompt, end in base.unread(sorted(asked)).items())
    counts = PromptCounts(tuple(len(item) for item in plan.forgotten), len(plan.retained), plan.dropped, cut)
    from_pair = base.model.distilled is not None and request.recipe.starts_distilled
    return TextTraining(counts, "distilled" if from_pair else "base_model")


def _kept_pair(state: TrainingState, folder: Path) -> Path:
    save_pair(state, folder)
    return folder


def _write(generator: Generator, base: LoadedBase, draft: ReportDraft, out: Path, mark_images: bool) -> Finished:
    """Write both folders; the card goes into the generator's, with the digest of its weights."""
    folder, report_folder = out / "generator", out / "report"
    generator.save(folder)
    files = family_of(base.model.family).files(folder)
    draft = draft.extended(generator=GeneratorFiles(digest_of(files), files))
    report = write_report(draft, report_folder, ["lethe record rerun unlearning-record.json"], mark_images=mark_images)
    (folder / "README.md").write_text(model_card(draft.report, generator.usage))
    return Finished(report, folder, report_folder)
