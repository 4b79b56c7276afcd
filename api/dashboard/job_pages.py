"""Pages about jobs: the table and one job."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from typing import Annotated, Any, cast, get_args
from urllib.parse import urlencode

from fastapi import APIRouter, Depends, Request
from starlette.responses import RedirectResponse, Response

from api.advising import advice_on
from api.auth import Identity
from api.dashboard.rendering import pictures, render, share, utc
from api.dashboard.session import Actor, Viewer
from api.dashboard.story import Point, Stories
from api.schemas.jobs import warnings_of
from api.services import Services, Use
from api.waiting import why_waiting
from jobs import quotas
from jobs.case import Case
from jobs.errors import BadCursor
from jobs.finding import Wanted
from jobs.job import Job
from jobs.states import Phase, Status
from sfd_core.display.line_charts import Level, training_charts
from sfd_core.evaluation.criteria import CRITERIA
from sfd_core.evaluation.probes import PROBES
from sfd_core.evaluation.verdict import Verdict
from sfd_core.request.concepts import Budget
from sfd_core.request.reading import read

router = APIRouter()

PAGE_SIZE = 25
VERDICTS: tuple[str, ...] = get_args(Verdict)
STEPS = ("Queued", "Preparing", "Training", "Evaluating", "Publishing")
CASE_NAMES = {
    "ticket": "Ticket",
    "requester": "Requested by",
    "received_at": "Received",
    "due_at": "Due",
    "basis": "Basis",
    "note": "Note",
}
_STEP_OF_PHASE = {Phase.PREPARING: 1, Phase.TRAINING: 2, Phase.EVALUATING: 3, Phase.PUBLISHING: 4}


@dataclass(frozen=True)
class Asked:
    """A question to the table, as its address has it. What it cannot mean is not asked: addresses are passed on.
    ``find``: as :attr:`Wanted.text`."""

    status: str | None = None
    verdict: str | None = None
    overdue: str | None = None
    find: str | None = None
    after: str | None = None

    def wanted(self) -> Wanted:
        """Return which jobs those are, whatever page."""
        status = Status(self.status) if self.status in list(Status) else None
        verdict = self.verdict if self.verdict in VERDICTS else None
        return Wanted(
            status=status,
            verdict=cast(Verdict | None, verdict),
            text=(self.find or "").strip() or None,
            overdue=self.overdue == "yes" or None,
        )

    def address(self, **changes: str | None) -> str:
        """Return the address of the table that asks for this, with ``changes``."""
        said = {name: value for name, value in {**vars(self), **changes}.items() if value}
        return "/" + (f"?{urlencode(said)}" if said else "")


@router.get("/")
def jobs_page(request: Request, who: Viewer, use: Use, asked: Annotated[Asked, Depends()]) -> Response:
    """Show the table of jobs, newest first."""
    return render(request, "jobs.html", _table(use, who, asked), who=who)


@router.get("/parts/jobs")
def jobs_part(request: Request, who: Viewer, use: Use, asked: Annotated[Asked, Depends()]) -> Response:
    """Show the table alone, for the page to refresh itself."""
    return render(request, "parts/jobs.html", _table(use, who, asked), who=who)


@router.get("/jobs/{job_id}")
def job_page(request: Request, job_id: str, who: Viewer, use: Use) -> Response:
    """Show one job."""
    return render(request, "job.html", _job(request, use, who, job_id), who=who)


@router.get("/parts/jobs/{job_id}")
def job_part(request: Request, job_id: str, who: Viewer, use: Use) -> Response:
    """Show what of a job's page changes while it runs."""
    return render(request, "parts/job.html", _job(request, use, who, job_id), who=who)


@router.post("/jobs/{job_id}/cancel")
def cancel(job_id: str, who: Actor, use: Use) -> Response:
    """Cancel a job: the button."""
    use.jobs.request_cancel(job_id, who.tenant, who.actor)
    return RedirectResponse(f"/jobs/{job_id}", 303)


@router.post("/jobs/{job_id}/retry")
def retry(job_id: str, who: Actor, use: Use) -> Response:
    """Retry a job: the button."""
    use.jobs.retry(job_id, who.tenant, who.actor)
    use.dispatcher.nudge()
    return RedirectResponse(f"/jobs/{job_id}", 303)


def _table(use: Services, who: Identity, asked: Asked) -> dict[str, Any]:
    wanted = asked.wanted()
    try:
        page = use.jobs.list(who.tenant, wanted, PAGE_SIZE, asked.after)
    except BadCursor:  # a bookmark that has gone stale: the first page is what is meant
        asked = replace(asked, after=None)
        page = use.jobs.list(who.tenant, wanted, PAGE_SIZE)
    return {
        "jobs": [{"job": job, "progress": _progress(job)} for job in page.data],
        "due": any(job.case.due_at is not None for job in page.data),
        "now": datetime.now(UTC),
        "asked": asked,
        "wanted": wanted,
        "statuses": list(Status),
        "verdicts": VERDICTS,
        "quotas": quotas.of_tenant(use.engine, who.tenant),
        "next": page.next,
    }


def _job(request: Request, use: Services, who: Identity, job_id: str) -> dict[str, Any]:
    job = use.jobs.get(job_id, who.tenant)
    stories: Stories = request.app.state.stories
    points, moments = stories.of(job)
    over = job.status is Status.SUCCEEDED
    report = use.generators.report(job_id, who.tenant) if over else None
    found = dict(report.report) if report is not None else {}
    if found.get("curves"):
        points = [Point.of(point) for point in found["curves"]]
    progress = _progress(job)
    asked_for = Level("asked for", job.request["thresholds"]["unlearning_accuracy"])
    known = _base_model(use, job, found)
    step = _STEP_OF_PHASE[job.phase] if job.phase else len(STEPS) if job.status is Status.SUCCEEDED else 0
    return {
        "job": job,
        "now": datetime.now(UTC),
        "case": _told(job.case),
        "budget": read(Budget, job.request["budget"]),
        "warnings": warnings_of(job, use.models.get(job.base_model)),
        "progress": progress,
        "waiting": why_waiting(use, [job]).get(job.id),
        "steps": STEPS,
        "step": step,
        "charts": training_charts(
            [asdict(point) for point in points],
            asked_for,
            Level("base model", known) if known is not None else None,
            progress["of"],
        ),
        "moments": moments,
        "report": found,
        "criteria": CRITERIA,
        "probe_titles": {name: spec.title for name, spec in PROBES.items()},
        "generator": use.generators.for_job(job_id, who.tenant) if over else None,
        "pictures": pictures(report),
        "advice": advice_on(job_id, who.tenant, use) if over else (),
        "has_page": report is not None and "report.html" in report.files,
    }


def _told(case: Case) -> list[tuple[str, str]]:
    """What was told of a case, each with its name for people."""
    told = asdict(case)
    return [
        (name, utc(value) if isinstance(value := told[field], datetime) else value)
        for field, name in CASE_NAMES.items()
        if told[field] is not None
    ]


def _progress(job: Job) -> dict[str, Any]:
    """How far the job is: what its worker has told of all of it, and the images of its training."""
    budget: int = job.request["budget"]["images"]
    images = int(job.progress.get("images", 0))
    of = int(job.progress.get("of", budget)) or budget
    return {
        "images": images,
        "of": of,
        "share": job.progress.get("share", images / of) if job.held else 0.0,
        "rate": job.progress.get("images_per_second"),
        "eta": job.progress.get("eta_seconds") if job.held else None,
        "unlearning_accuracy": job.progress.get("unlearning_accuracy"),
        "retained_accuracy": job.progress.get("retained_accuracy"),
        "waiting": job.progress.get("waiting") if job.held else None,
    }


def _base_model(use: Services, job: Job, report: Mapping[str, Any]) -> float | None:
    """The base model's accuracy on what remains: the report's, or before there is one its own figures."""
    if (kept := report.get("retained_accuracy")) is not None:
        return share(kept["base_model"])
    model = use.models.get(job.base_model)
    by_concept = model.figures.get("by_concept") if model is not None else None
    if model is None or not isinstance(by_concept, Sequence) or len(by_concept) != len(model.concepts):
        return None
    forgotten = {item["concept"] for item in job.request["forget"]}
    rates = [rate for concept, rate in zip(model.concepts, by_concept, strict=True) if concept not in forgotten]
    return float(sum(rates) / len(rates))
