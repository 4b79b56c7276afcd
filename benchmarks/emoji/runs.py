"""One part of the benchmark, run: a job, what stands beside it, or the speeds. Each leaves ``result.json`` in its
folder and is not run again while that is there."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from benchmarks.emoji.beside import beside
from benchmarks.emoji.encoder_calls import EncoderCalls
from benchmarks.emoji.figures import figures_of
from benchmarks.emoji.jobs import DISTILLED, JOBS, SPEED, Job, Sizes
from benchmarks.emoji.shown import SHOWN, keep_shown
from benchmarks.emoji.speed import speeds
from benchmarks.shared.experiment import CPU, Experiment
from benchmarks.shared.experiment import job as run_job
from benchmarks.shared.page import commit
from sfd_core.base_model.manifest import BaseModel
from sfd_core.families.device import device_name
from sfd_core.families.loading import load_generator
from sfd_core.families.text.generator import TextGenerator
from sfd_core.prepared import Checkpoints
from sfd_core.run import Finished, PhaseStarted, Progress

ASKED, RESULT, CHECKPOINTS = "asked.json", "result.json", "checkpoints"
CHECKPOINT_SECONDS, SAID_EVERY = 120.0, 20.0


@dataclass(frozen=True)
class Bench:
    """The place and the device of a run of the parts. ``work``: a folder a part. ``device``: where everything runs."""

    model: BaseModel
    work: Path
    sizes: Sizes
    device: torch.device = CPU

    def run(self, part: str) -> dict[str, Any]:
        """Return the result of ``part``, which is run first if it is not finished.

        Raises:
            SystemExit: what the part's folder holds was made by another base model or request.
        """
        folder, job = self.work / part, job_of(part)
        asked = {"base": self.model.digest, "body": self._body(part, job)}
        known = folder / ASKED
        if known.is_file() and json.loads(known.read_text()) != asked:
            raise SystemExit(f"{folder}: made from another base model or request; remove it to run {part} anew")
        if (folder / RESULT).is_file():
            return dict(json.loads((folder / RESULT).read_text()))
        folder.mkdir(parents=True, exist_ok=True)
        known.write_text(json.dumps(asked, indent=2) + "\n")
        made = {"commit": commit(), "device": device_name(self.device), **self._made(part, job, folder)}
        result = {"part": part, **asked, **made}
        (folder / RESULT).write_text(json.dumps(result, indent=2, allow_nan=False) + "\n")
        return result

    def _body(self, part: str, job: Job | None) -> dict[str, Any] | None:
        """The request of a part; None for the speeds."""
        return None if job is None else job.body(self.sizes if part == job.name else self.sizes.but_of_training())

    def _made(self, part: str, job: Job | None, folder: Path) -> dict[str, Any]:
        if job is None:
            return speeds(self.model, folder, self.device, self.sizes.rounds, self.sizes.repeats)
        body = self._body(part, job) or {}
        if part == job.name:
            return forgotten(self.model, body, job, folder, self.device)
        return beside(Experiment.of(self.model, body, self.device), job, folder)


def job_of(part: str) -> Job | None:
    """Return the job that a part is, or stands beside; None for the speeds."""
    return None if part == SPEED else JOBS.get(part) or JOBS[part.removeprefix(DISTILLED)]


def forgotten(
    model: BaseModel, body: Mapping[str, Any], job: Job, folder: Path, device: torch.device
) -> dict[str, Any]:
    """Run a job, by the library's whole run; one that was interrupted goes on from its last checkpoint."""
    checkpoints = Checkpoints(folder / CHECKPOINTS, every_seconds=CHECKPOINT_SECONDS)
    resumed, seconds, began, said_at = checkpoints.folder.is_dir(), {}, time.monotonic(), 0.0
    finished: Finished | None = None
    with EncoderCalls() as calls:
        for event in run_job(model, body, folder, device, checkpoints):
            now = time.monotonic()
            match event:
                case PhaseStarted(phase):
                    seconds[calls.phase], calls.phase, began = now - began, phase, now
                case Progress() if event.quick or now - said_at >= SAID_EVERY or event.eta_seconds == 0:
                    said_at = now
                    print(f"{job.name}: {calls.phase}: {said(event)}", flush=True)
                case Finished():
                    finished, seconds[calls.phase] = event, now - began
    assert finished is not None
    cost = finished.report["cost"]
    print(f"{job.name}: {cost['seconds']['training']} s and {cost['images']} images of training", flush=True)
    generator = load_generator(finished.generator, str(device))
    assert isinstance(generator, TextGenerator)
    keep_shown(generator.sample_prompts, job.shown, model.vocabulary, folder / SHOWN)
    return {
        "figures": figures_of(finished.report),
        "training_seconds": cost["seconds"]["training"],
        "images": cost["images"],
        "steps": cost["steps"],
        "wall_seconds": None if resumed else {name: round(value, 1) for name, value in seconds.items() if name},
        "encoder_calls": {phase: calls.by_phase[phase] for phase in ("preparing", "training", "evaluating")},
        "text": finished.report["text"],
        "generator": finished.report["generator"]["digest"],
    }


def said(event: Progress) -> str:
    """Write a line of progress."""
    line = f"{event.images}/{event.of} images, {event.seconds:.0f} s, {event.eta_seconds:.0f} s left"
    if event.loss_generator is not None:
        line += f", losses {event.loss_generator:.3f} {event.loss_fake_score:.3f}"
    if event.quick is not None:
        line += f", UA {event.quick.unlearning_accuracy} RA {event.quick.retained_accuracy:.3f}"
    return line
