"""The decision on a request for removal: as data, and as one page for people."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter, Request
from starlette.responses import HTMLResponse, Response

from api.auth import Reader
from api.dashboard.rendering import alone
from api.decision import decision
from api.negotiation import preferred
from api.problems import Problem
from api.routes.documented import errors
from api.routes.jobs import JobId
from api.routes.reports import MINE, PAGE_POLICY
from api.schemas.decision import DecisionObject
from api.services import Use
from sfd_core.report.page.limits import LIMITS

router = APIRouter(prefix="/v1/jobs", tags=["Jobs"])

_FORMS: dict[int | str, dict[str, Any]] = {
    200: {
        "description": "The decision: JSON, or a page for one sheet of paper where HTML is preferred.",
        "content": {"text/html": {"schema": {"type": "string"}}},
    }
}
_ROWS, _ROWS_OF_RELEASED = 6, 4
"""Tests that the page shows: with more it would not fit on one sheet. Those that did not pass come first."""


@router.get(
    "/{job_id}/decision",
    operation_id="get_decision",
    summary="Get the decision on a request for removal",
    response_model=DecisionObject,
    responses={
        **_FORMS,
        **errors("job_not_found", "deleted", "decision_not_ready", "not_acceptable", "invalid_request"),
    },
)
def get_decision(request: Request, response: Response, job_id: JobId, who: Reader, use: Use) -> Any:
    """Tell people who are not engineers what was asked, what was measured, what follows, how to check it and what it
    does not prove: one page to be printed, or JSON. There is one once the job is over, however it ended; before that
    `Retry-After` says when to ask again. It holds the case, which is personal data."""
    form = preferred(request.headers.get("accept"), ("application/json", "text/html"))
    if form is None:
        raise Problem("not_acceptable", "a decision is given as application/json or text/html")
    found = decision(use, use.jobs.get(job_id, who.tenant))
    if form == "text/html":
        rows = _ROWS if found.release is None else _ROWS_OF_RELEASED
        page = alone("decision.html", {"decision": found, "general": len(LIMITS), "rows": rows})
        return HTMLResponse(page, headers={**MINE, "Content-Security-Policy": PAGE_POLICY})
    response.headers.update(MINE)
    return found
