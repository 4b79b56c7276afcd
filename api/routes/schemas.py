"""The JSON Schema of a report, so that whoever reads reports can hold them against it."""

from __future__ import annotations

import orjson
from fastapi import APIRouter
from starlette.responses import Response

from api.auth import Reader
from api.routes.documented import errors
from sfd_core.report.schema import report_schema

router = APIRouter(prefix="/v1", tags=["Jobs"])

MEDIA_TYPE = "application/schema+json"


@router.get(
    "/report-schema",
    operation_id="get_report_schema",
    summary="Get the reports' JSON Schema",
    response_class=Response,
    responses={
        200: {
            "description": "A JSON Schema (2020-12) of reports with the latest `schema_version`.",
            "content": {MEDIA_TYPE: {"schema": {"type": "object", "additionalProperties": True}}},
        },
        **errors(),
    },
)
def get_report_schema(who: Reader) -> Response:
    """Show what a report holds, field by field."""
    return Response(
        orjson.dumps(report_schema()), headers={"Cache-Control": "private, no-cache"}, media_type=MEDIA_TYPE
    )
