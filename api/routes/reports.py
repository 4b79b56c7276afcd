"""A job's report: as data, as a page that stands alone, and each of its files."""

from __future__ import annotations

from typing import Annotated, Any, Literal

import orjson
from fastapi import APIRouter, Query, Request
from pydantic import Field
from starlette.responses import Response

from api.auth import Reader
from api.negotiation import preferred
from api.problems import Problem
from api.routes.documented import errors
from api.routes.jobs import JobId
from api.schemas.common import QueryInput
from api.services import Services, Use
from jobs.audit import Action
from jobs.generators import Report

router = APIRouter(prefix="/v1/jobs", tags=["Jobs"])

PAGE = "report.html"
PAGE_POLICY = "default-src 'none'; style-src 'unsafe-inline'; img-src data:; frame-ancestors 'none'; sandbox"
"""The page carries its styles and pictures in itself; it may fetch nothing, run nothing and send nothing."""
_TYPES = {
    ".png": "image/png",
    ".svg": "image/svg+xml",
    ".html": "text/html; charset=utf-8",
    ".json": "application/json",
}
MINE = {"Cache-Control": "private, no-cache", "Vary": "Accept, Authorization, Cookie"}


class ReportQuery(QueryInput):
    """The form of the report."""

    format: Literal["json", "html"] | None = Field(default=None, description="Overrides the Accept header.")
    file: Annotated[str | None, Field(max_length=200)] = Field(
        default=None, description="A file of the report, byte for byte as the record names it.", examples=["pairs.png"]
    )


_FORMS: dict[int | str, dict[str, Any]] = {
    200: {
        "description": "The report: JSON, or HTML where that is preferred; or one of its files.",
        "content": {
            "application/json": {"schema": {"$ref": "#/components/schemas/Report"}},
            "text/html": {"schema": {"type": "string"}},
            "image/png": {"schema": {"type": "string", "format": "binary"}},
        },
    }
}


@router.get(
    "/{job_id}/report",
    operation_id="get_report",
    summary="Get a job's report",
    response_class=Response,
    responses={
        **_FORMS,
        **errors("job_not_found", "deleted", "report_not_ready", "not_found", "not_acceptable", "invalid_request"),
    },
)
def get_report(
    request: Request, job_id: JobId, query: Annotated[ReportQuery, Query()], who: Reader, use: Use
) -> Response:
    """Show what the evaluation found, and how each figure was measured. There is one as soon as the job has succeeded,
    whatever its verdict. `report.json` is a file of the report too, with the digest that the record names; what is
    answered without `file` holds the same."""
    report = use.generators.report(job_id, who.tenant)
    name = query.file
    if name is None:
        form = query.format or preferred(request.headers.get("accept"), ("application/json", "text/html"))
        if form is None:
            raise Problem("not_acceptable", "a report is given as application/json or text/html")
        name = PAGE if "html" in form else None
    answer = (
        Response(orjson.dumps(report.report), headers=MINE, media_type="application/json")
        if name is None
        else report_file(use, report, name)
    )
    use.audit.note(who.actor, Action.REPORT_DOWNLOAD, who.tenant, job_id, {"file": name})
    return answer


def report_file(use: Services, report: Report, name: str) -> Response:
    """Download one file of a report, verified before it is sent.

    Raises:
        Problem: ``not_found``.
    """
    file = report.files.get(name)
    if file is None:
        raise Problem("not_found", f"this report has no file {name!r}; it has: {', '.join(sorted(report.files))}")
    suffix = name[name.rfind(".") :]
    media_type = _TYPES.get(suffix, "application/octet-stream")
    headers = {**MINE, "Content-Security-Policy": PAGE_POLICY, "ETag": f'"{file.sha256}"'}
    return Response(use.artifacts.read(report.prefix, file), headers=headers, media_type=media_type)
