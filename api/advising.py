"""Advice on a job, of what its report and earlier jobs of the same base model say."""

from __future__ import annotations

from api.services import Services
from jobs.advice import Advice, advise, outcome
from jobs.earlier import earlier


def advice_on(job_id: str, tenant: str, use: Services) -> tuple[Advice, ...]:
    """Return what to try after a job.

    Raises:
        JobNotFound: there is none, or it is another tenant's.
        ReportNotReady: the job has not succeeded.
    """
    report = use.generators.report(job_id, tenant)
    job = use.jobs.get(job_id, tenant)
    if report.report["verdict"] == "pass":
        return ()
    return advise(outcome(job.id, job.request, report.report), earlier(use.engine, job))
