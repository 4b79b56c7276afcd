"""What a training process says, and what its job's row and events have of it."""

from __future__ import annotations

import logging
import time
from typing import Any

from jobs.forecast import Forecast
from jobs.states import EventType, Phase
from worker.causes import Cause
from worker.lease import Lease
from worker.outlook import Outlook

logger = logging.getLogger("lethe.worker")

PROGRESS_SECONDS = 0.5
"""Progress is written at most this often; metrics, checkpoints and phases at once."""
SILENT_SECONDS = 2.0
"""How often what is left is written while the process says nothing that moves it."""


class Telling:
    """The phase and the progress of one attempt, written under its ``lease``. Every method raises ``LeaseLost``."""

    def __init__(self, lease: Lease) -> None:
        self.lease = lease
        self.phase = Phase.PREPARING  # what the claim has written
        self.progress: dict[str, Any] = {}
        self.written_at = 0.0
        self.outlook: Outlook | None = None

    def expect(self, forecast: Forecast) -> None:
        """Tell from now on what is left of the job, beginning with what is forecast."""
        self.outlook = Outlook(forecast)
        self._write_progress([(EventType.PROGRESS, self._shown())])

    def tick(self) -> None:
        """Write down what is left, where nothing was written for a while."""
        if self.outlook is not None and time.monotonic() - self.written_at >= SILENT_SECONDS:
            self._write_progress([(EventType.PROGRESS, self._shown())])

    def take(self, event: dict[str, Any]) -> Cause | None:
        """Write down what the process says. Returns the error that it ends with, if this is one."""
        if event["type"] != "waiting":
            self.progress.pop("waiting", None)
        match event:
            case {"type": "phase", "phase": phase}:
                self.enter(Phase(phase))
            case {"type": "progress"}:
                self._take_progress(event)
            case {"type": "checkpoint", "step": step, "images": images}:
                self._write_progress([(EventType.CHECKPOINT, {"step": step, "images": images})])
            case {"type": "waiting", "code": code, "message": message}:
                self.wait(code, message)
            case {"type": "error", "code": code, "message": message}:
                return Cause(code, message)
        return None

    def enter(self, phase: Phase) -> None:
        if phase is not self.phase:
            self.lease.write(lambda: self.lease.store.enter_phase(self.lease.job_id, self.lease.attempt, phase))
            self.phase = phase
            if self.outlook is not None:
                self.outlook.enter(phase)

    def _take_progress(self, event: dict[str, Any]) -> None:
        quick = event["quick"]
        training = event["loss_generator"] is not None
        if training:
            shown = ("images", "of", "images_per_second", "loss_generator", "loss_fake_score")
            self.progress |= {name: event[name] for name in shown}
            if self.outlook is not None:
                self.outlook.trained(event["images"], event["seconds"])
        else:  # judged images; what training reached stays beside it
            self.progress |= {"evaluated": event["images"], "evaluated_of": event["of"]}
            if self.outlook is not None:
                self.outlook.judged(event["images"], event["of"])
        if quick is not None:
            accuracies = {name: quick[name] for name in ("unlearning_accuracy", "retained_accuracy")}
            self.progress |= accuracies
            losses = {name: event[name] for name in ("loss_generator", "loss_fake_score")}
            where = {name: quick[name] for name in ("images", "step", "seconds")}
            self._write_progress([(EventType.METRICS, {**where, **accuracies, **losses})])
        elif time.monotonic() - self.written_at >= PROGRESS_SECONDS:
            self._write_progress([(EventType.PROGRESS, self._shown())])

    def wait(self, code: str, message: str) -> None:
        """Write down, once, that the run stands still."""
        if "waiting" not in self.progress:
            logger.warning("%s: %s; the attempt waits", code, message, extra={"job": self.lease.job_id})
            self.progress["waiting"] = code
            self._write_progress([(EventType.PROGRESS, self._shown())])

    def _shown(self) -> dict[str, Any]:
        """The progress, with what is left of the job now."""
        if self.outlook is not None:
            left = self.outlook.left()
            self.progress |= {"eta_seconds": round(left.seconds, 1), "share": round(left.share, 4)}
        return dict(self.progress)

    def _write_progress(self, events: list[tuple[EventType, dict[str, Any]]]) -> None:
        shown = self._shown()
        self.lease.write(lambda: self.lease.store.progress(self.lease.job_id, self.lease.attempt, shown, events))
        self.written_at = time.monotonic()
