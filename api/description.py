"""The OpenAPI document of the application: its words, and the shape of problems in it."""

from __future__ import annotations

from typing import Any

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi

from api.schemas.common import ProblemDocument

DESCRIPTION = """\
Name a pretrained diffusion model and what it must forget. Lethe distils it, without any training data, into a one-step
generator that has forgotten it, measures that it is gone and that the rest is intact, and serves the result.

**Errors** are problem documents (RFC 9457, `application/problem+json`) with a stable `code`, the `request_id` that
finds the request in the log, and `errors[].pointer` for each wrong value. A 429 or 503 says in `Retry-After` when to
come back.

**Lists** are `{"object": "list", "data": [...], "has_more": bool, "next": cursor | null}`: send `next` as `after`.

**Keys.** Where the service runs with `LETHE_AUTH=keys`, send `Authorization: Bearer lethe_...`. The scope `read` is for
every GET, `submit` for every POST but the release of a withheld generator, `admin` for everything. What belongs to
another tenant does not exist: 404.
"""

TAGS = [
    {"name": "Base models", "description": "What can be unlearned from."},
    {"name": "Jobs", "description": "Unlearning jobs: submit, follow, read the report."},
    {"name": "Generators", "description": "What jobs have made: download it, draw samples."},
    {"name": "Operations", "description": "For whoever runs the service. Open: no key is needed."},
]


def install(app: FastAPI) -> None:
    """Have the application serve :func:`document`."""

    def openapi() -> dict[str, Any]:
        if app.openapi_schema is None:
            app.openapi_schema = document(app)
        return app.openapi_schema

    app.openapi = openapi  # type: ignore[method-assign]


def document(app: FastAPI) -> dict[str, Any]:
    """The OpenAPI document of the application, with the shape of problems in it."""
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
    # The framework's own shape of a wrong request, which this service never answers.
    for unused in ("HTTPValidationError", "ValidationError"):
        schemas.pop(unused, None)
    made["components"]["schemas"] = dict(sorted(schemas.items()))
    return made
