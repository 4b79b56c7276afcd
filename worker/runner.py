"""One job from claim to publication, on one screen: claim -> train and evaluate in a process of its own -> publish.

The runner holds the lease and supervises; it never imports torch. It ends an attempt in one of these ways:
published; cancelled on request; released (a deploy: checkpoint, back to the queue, no failure counted); given up
with an error of the catalogue; or fenced off, when the lease is lost: then it kills its process and writes nothing.
"""

from __future__ import annotations

import dataclasses
import logging
import shutil
import threading
import time
from pathlib import Path
from typing import Any

from jobs.artifacts import ArtifactStore
from jobs.errors import LeaseLost
from jobs.hub_models import PREFIX, hub_folder, hub_model
from jobs.job import Claim, JobError
from jobs.settings import Settings
from jobs.states import EventType, Phase
from jobs.store import JobStore
from processes.memory_kills import MemoryKills
from processes.talking import TalkingProcess
from sfd_core.base_model.hub_name import parse_hub_name
from sfd_core.base_model.manifest import BaseModel
from sfd_core.errors import InvalidRequest
from sfd_core.families.registry import load_manifest
from worker.attempt import EXIT_STOPPED, Task
from worker.causes import Cause, cause_of, of_an_end
from worker.child import training_process
from worker.lease import Lease
from worker.publication import publish

logger = logging.getLogger("lethe.worker")

POLL_SECONDS = 0.25
PROGRESS_SECONDS = 0.5
"""Progress is written at most this often; metrics, checkpoints and phases at once."""
STOP_SECONDS = 45.0
"""What a process gets to write its checkpoint when it is asked to stop."""


class Runner:
    """The runner of jobs, one at a time. ``shutting_down`` is set when the worker was asked to stop."""

    def __init__(self, settings: Settings, store: JobStore, artifacts: ArtifactStore, name: str) -> None:
        self.settings, self.store, self.artifacts, self.name = settings, store, artifacts, name
        self.models = settings.models()
        self.signer = settings.signer()
        self.shutting_down = threading.Event()

    def run(self, job_id: str) -> None:
        """Answer a wake-up message: claim the job and take it as far as it goes, if there is one to claim."""
        if self.shutting_down.is_set():
            return  # the message is lost, the job is not: the reaper sends another
        claim = self.store.claim(job_id, self.name, self.settings.lease_seconds)
        if claim is None:
            logger.info("nothing to claim", extra={"job": job_id})
            return
        logger.info("claimed", extra={"job": job_id, "attempt": claim.attempt})
        try:
            Attempt(self, claim).run()
        except LeaseLost as lost:
            logger.warning("fenced off: %s", lost, extra={"job": job_id, "attempt": claim.attempt})


class Attempt:
    """One attempt at one job."""

    def __init__(self, runner: Runner, claim: Claim) -> None:
        self.runner, self.settings, self.store = runner, runner.settings, runner.store
        self.job, self.number = claim.job, claim.attempt
        self.work = self.settings.work_dir / self.job.id
        self.folder = self.work / f"attempt-{self.number}"
        self.lease = Lease(self.settings, self.store, self.job.id, self.number)
        self.phase = Phase.PREPARING  # what the claim has written
        self.progress: dict[str, Any] = {}
        self.written_at = 0.0

    def run(self) -> None:
        """Take the attempt to its end. Raises ``LeaseLost``."""
        try:
            self._run()
        except LeaseLost:
            raise
        except Exception as error:
            logger.exception("the attempt failed in the runner", extra={"job": self.job.id})
            self._give_up(cause_of(error, "internal"))

    def _run(self) -> None:
        try:
            model = self._model()
        except InvalidRequest as error:
            self._give_up(Cause("model_refused", str(error)))
            return
        if model is None or model.digest != self.job.base_model_digest:
            self._give_up(Cause("model_refused", f"this worker does not have base model {self.job.base_model} as it "
                                "was when the job was submitted"))  # fmt: skip
            return
        self._write_task(model)
        kills = MemoryKills()
        with training_process(self.folder) as child:
            self._supervise(child, model, kills)

    def _model(self) -> BaseModel | None:
        """What the job starts from. Of a hub's model only its folder is known: the training process fetches it.

        Raises:
            InvalidRequest: for a hub's model that this worker may not fetch.
        """
        name, settings = self.job.base_model, self.settings
        if not name.startswith(PREFIX):
            return self.runner.models.get(name)
        model = hub_model(name, settings.hub_models)
        return dataclasses.replace(model, folder=hub_folder(settings.hub_dir, parse_hub_name(name)))

    def _write_task(self, model: BaseModel) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
        earlier = [self.work / f"attempt-{n}" / "checkpoints" for n in range(self.number - 1, 0, -1)]
        Task(
            dict(self.job.request),
            str(model.folder),
            str(self.folder / "checkpoints"),
            [str(path) for path in earlier if path.is_dir()],
            self.settings.checkpoint_seconds,
            self.settings.device,
            self.settings.torch_threads,
            inception=_path(self.settings.inception_weights),
            clip=_path(self.settings.clip_weights),
            family=model.family,
            gpus=self.settings.gpus,
            shard=self.settings.shard,
        ).write(self.folder)

    def _supervise(self, child: TalkingProcess, model: BaseModel, kills: MemoryKills) -> None:
        """Follow the process to its end, keeping the lease while it moves."""
        error: Cause | None = None
        done = False
        while True:
            try:
                event = child.next_event(POLL_SECONDS)
            except EOFError:
                break
            if event is not None:
                self.lease.moved()
                done = done or event["type"] == "done"
                told = self._take(event)
                error = error or told  # the first: of several processes the others end because of it
            if self.runner.shutting_down.is_set():
                self._release(child)
                return
            if self.lease.cancel_requested():
                child.kill()
                self.store.cancelled(self.job.id, self.number)
                self._clean_up()
                return
            if self.lease.stalled():
                child.kill()
                self._give_up(Cause("training_stalled", f"no progress for {self.settings.stall_seconds:g} s"))
                return
        status = child.wait(STOP_SECONDS)
        if done and status == 0:
            self._publish(model)
            return
        if error is None:
            logger.error("training process ended with %s: %s", status, child.last_words(), extra={"job": self.job.id})
            error = of_an_end(status, child.last_words(), kills.any_more())
        self._give_up(error)

    def _take(self, event: dict[str, Any]) -> Cause | None:
        """Write down what the process says. Returns the error that it ends with, if this is one."""
        match event:
            case {"type": "phase", "phase": phase}:
                self._enter(Phase(phase))
            case {"type": "progress"}:
                self._take_progress(event)
            case {"type": "checkpoint", "step": step, "images": images}:
                self._write_progress([(EventType.CHECKPOINT, {"step": step, "images": images})])
            case {"type": "error", "code": code, "message": message}:
                return Cause(code, message)
        return None

    def _enter(self, phase: Phase) -> None:
        if phase is not self.phase:
            self.lease.write(lambda: self.store.enter_phase(self.job.id, self.number, phase))
            self.phase = phase

    def _take_progress(self, event: dict[str, Any]) -> None:
        quick = event["quick"]
        training = event["loss_generator"] is not None
        if training:
            shown = ("images", "of", "images_per_second", "eta_seconds", "loss_generator", "loss_fake_score")
            self.progress |= {name: event[name] for name in shown}
        else:  # judged images; what training reached stays beside it
            self.progress |= {
                "evaluated": event["images"],
                "evaluated_of": event["of"],
                "eta_seconds": event["eta_seconds"],
            }
        if quick is not None:
            accuracies = {name: quick[name] for name in ("unlearning_accuracy", "retained_accuracy")}
            self.progress |= accuracies
            losses = {name: event[name] for name in ("loss_generator", "loss_fake_score")}
            where = {name: quick[name] for name in ("images", "step", "seconds")}
            self._write_progress([(EventType.METRICS, {**where, **accuracies, **losses})])
        elif time.monotonic() - self.written_at >= PROGRESS_SECONDS:
            self._write_progress([(EventType.PROGRESS, dict(self.progress))])

    def _write_progress(self, events: list[tuple[EventType, dict[str, Any]]]) -> None:
        self.lease.write(lambda: self.store.progress(self.job.id, self.number, self.progress, events))
        self.written_at = time.monotonic()

    def _release(self, child: TalkingProcess) -> None:
        """A deploy: let the process write its checkpoint, then hand the job back."""
        child.ask_to_stop()
        deadline = time.monotonic() + STOP_SECONDS
        while (status := child.wait(POLL_SECONDS)) is None and time.monotonic() < deadline:
            self.lease.moved()
            self.lease.cancel_requested()
        if status not in (EXIT_STOPPED, 0):
            logger.warning("training process did not stop in order (%s)", status, extra={"job": self.job.id})
        self.store.release(self.job.id, self.number)
        logger.info("released", extra={"job": self.job.id, "attempt": self.number})

    def _publish(self, model: BaseModel) -> None:
        self._enter(Phase.PUBLISHING)
        if not model.files:  # of a hub: by now its files are here, and the record names them
            model = load_manifest(model.folder)
        job = publish(
            self.store,
            self.runner.artifacts,
            self.job,
            self.number,
            model,
            self.folder,
            self.runner.signer,
            self.lease.keep,
        )
        logger.info("finished as %s", job.status, extra={"job": self.job.id, "verdict": job.verdict})
        self._clean_up()

    def _give_up(self, cause: Cause) -> None:
        error = JobError.of(cause.code, cause.message)
        job = self.store.give_up(self.job.id, self.number, error, self.settings.max_failures)
        logger.warning("%s: %s; the job is %s", error.code, error.message, job.status, extra={"job": self.job.id})
        if job.terminal:
            self._clean_up()

    def _clean_up(self) -> None:
        """The job is over: its checkpoints go. What was published lies in the artefact store."""
        shutil.rmtree(self.work, ignore_errors=True)


def _path(path: Path | None) -> str | None:
    """A path as JSON has it."""
    return str(path) if path else None
