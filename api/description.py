"""The OpenAPI document of the application: its words, and the shape of problems in it."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

import orjson
from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi

from api.schemas.common import ProblemDocument
from sfd_core.report.schema import report_schema

DESCRIPTION = """\
Name a pretrained diffusion model and what it must forget. Lethe distils it, without any training data, into a one-step
generator that has forgotten it, measures that it is gone and that the rest is intact, and serves the result.

**Errors** are problem documents (RFC 9457, `application/problem+json`) with a stable `code`, the `request_id` that
finds the request in the log, and `errors[].pointer` for each wrong value. A 429 or 503 says in `Retry-After` when to
come back.

**Lists** are `{"object": "list", "data": [...], "has_more": bool, "next": cursor | null}`: send `next` as `after`.

**Quotas.** Where a tenant has limits (`GET /v1/tenant`), answers to submissions and to requests for samples say in
`RateLimit-Policy` and `RateLimit` what they are and what is left; one too many is refused with 429 `quota_exceeded`.

**Keys.** Where the service runs with `LETHE_AUTH=keys`, send `Authorization: Bearer lethe_...`. The scope `read` is for
every GET but the audit log and `/v1/storage`, `submit` for every POST and PATCH but the release of a withheld
generator, `admin` for everything, webhooks and deletion too. What belongs to another tenant does not exist: 404. What
was deleted answers 410 `deleted`, with its tombstone.
"""

TAGS = [
    {"name": "Base models", "description": "What can be unlearned from."},
    {"name": "Jobs", "description": "Unlearning jobs: submit, follow, read the report."},
    {"name": "Generators", "description": "What jobs have made: download it, draw samples."},
    {"name": "Webhooks", "description": "Who is told of what becomes of jobs, and whether it was delivered."},
    {"name": "Deletion", "description": "Delete jobs and generators, what stays of them, and what is stored."},
    {"name": "Tenant", "description": "Whose jobs and generators a key opens, and how much it may use."},
    {"name": "Audit", "description": "Who did what, in a list that nothing is taken from."},
    {"name": "Operations", "description": "For whoever runs the service. Open: no key is needed."},
]


COMPONENTS = "#/components/schemas/"


def install(app: FastAPI) -> None:
    """Have the application serve :func:`document`."""

    def openapi() -> dict[str, Any]:
        if app.openapi_schema is None:
            app.openapi_schema = document(app)
        return app.openapi_schema

    app.openapi = openapi  # type: ignore[method-assign]


def document(app: FastAPI) -> dict[str, Any]:
    """Return the OpenAPI document of the application, with the shape of problems in it."""
    made = get_openapi(
        title=app.title,
        version=app.version,
        summary=app.summary,
        description=app.description,
        tags=app.openapi_tags,
        license_info=app.license_info,
        routes=app.routes,
    )
    problem = ProblemDocument.model_json_schema(ref_template="#/components/schemas/{model}")
    schemas = made["components"]["schemas"]
    schemas |= problem.pop("$defs", {})
    schemas["ProblemDocument"] = problem
    schemas |= _report_components(schemas)
    # The framework's own shape of a wrong request, which this service never answers.
    for unused in ("HTTPValidationError", "ValidationError"):
        schemas.pop(unused, None)
    made["components"]["schemas"] = dict(sorted(schemas.items()))
    return made


def _report_components(taken: Collection[str]) -> dict[str, Any]:
    """The report and its parts. What a report repeats of the request has every field, where a request may leave some
    out: such a part has a name of its own, as the one that is ``taken`` is the request's."""
    names = {name: f"{name}Output" for name in report_schema()["$defs"] if name in taken}
    written = orjson.dumps(report_schema(f"{COMPONENTS}{{model}}")).decode()
    for name, own in names.items():
        written = written.replace(f'"{COMPONENTS}{name}"', f'"{COMPONENTS}{own}"')
    report: dict[str, Any] = orjson.loads(written)
    parts = {names.get(name, name): part for name, part in report.pop("$defs").items()}
    # A component of a document has neither a dialect nor an address of its own.
    return {**parts, "Report": {key: value for key, value in report.items() if not key.startswith("$")}}
