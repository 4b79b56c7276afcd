"""Following a job of the service until it is over, and what its end means for the command."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from rich.console import Console

from cli.exits import JOB_FAILED, OK
from cli.run_view import RunView

if TYPE_CHECKING:
    from client import Event, Job, Lethe


def follow(lethe: Lethe, job_id: str, console: Console) -> Job:
    """Show the job on ``console`` until it is over; the job as it ended."""
    lethe.job(job_id)  # an unknown job or a service that is not there is told of at once
    with RunView(console) as view:
        return lethe.wait(job_id, on_progress=lambda event: show(view, event))


def show(view: RunView, event: Event) -> None:
    """Show one event of the job."""
    data = event.data
    match event.type:
        case "job.queued":
            view.phase("waiting")
        case "job.started":
            view.restart()
            if event.attempt > 1:
                view.note(f"attempt {event.attempt}")
            view.phase("preparing")
        case "job.phase":
            view.phase(str(data.get("phase", "")))
        case "job.progress" if "waiting" in data:
            view.note(f"the run stands still ({data['waiting']}) and goes on by itself")
        case "job.progress" | "job.metrics":
            view.progress(_figures(data))
        case "job.lost":
            error = data.get("error") or {}
            view.note(f"attempt {event.attempt} was lost ({error.get('message', 'no reason given')}): trying again")
            view.phase("waiting")
        case "job.released" | "job.retried":
            view.phase("waiting")
        case "job.cancelling":
            view.phase("cancelling")


def _figures(data: Mapping[str, Any]) -> Mapping[str, Any]:
    """The figures of the phase: in the evaluation, images that were judged instead of those trained on."""
    if "evaluated_of" not in data:
        return data
    whole = {name: data.get(name) for name in ("eta_seconds", "share")}
    return {"images": data["evaluated"], "of": data["evaluated_of"], **whole}


def ending(job: Job) -> str:
    """Say how the job ended, in words."""
    match job.status:
        case "succeeded" if job.verdict == "pass":
            return f"{job.id}: passed; generator {job.generator}"
        case "succeeded":
            told = f"its generator {job.generator} is withheld unless somebody releases it"
            next_ = f"lethe report {job.id} says why, lethe advise {job.id} what to try"
            return f"{job.id}: the job ran, the verdict is {job.verdict}; {told}: {next_}"
        case "failed" if job.error is not None:
            again = "; a retry may succeed" if job.error.retryable else ""
            return f"{job.id}: failed with {job.error.code}: {job.error.message}{again}"
    return f"{job.id}: {job.status}"


def exit_status(job: Job) -> int:
    """Return the command's exit status for a job that is over."""
    return OK if job.passed else JOB_FAILED
