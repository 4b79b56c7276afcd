"""``/docs``: the OpenAPI document as a page, without a script and without anything from elsewhere."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from fastapi import APIRouter, Request
from starlette.responses import Response

from api.dashboard.rendering import render
from api.problems import KINDS
from jobs.errors import JOB_ERRORS

router = APIRouter()

_METHODS = ("get", "post", "put", "patch", "delete")


@dataclass(frozen=True)
class Field:
    """A parameter or a member of an object, one row of a table."""

    name: str
    type: str
    required: bool
    description: str


@dataclass(frozen=True)
class Answer:
    """The meaning of a status."""

    status: str
    description: str
    shape: str | None


@dataclass(frozen=True)
class Operation:
    """One route. ``bodies``: the shapes that its body may have, by name."""

    id: str
    method: str
    path: str
    summary: str
    description: str
    parameters: tuple[Field, ...]
    bodies: tuple[str, ...]
    answers: tuple[Answer, ...]


@router.get("/docs")
def reference(request: Request) -> Response:
    """Show the API's reference. Open: it says nothing that the code does not."""
    document: dict[str, Any] = request.app.openapi()
    operations: dict[str, list[Operation]] = {tag["name"]: [] for tag in document["tags"]}
    for tag, operation in _operations(document):
        operations[tag].append(operation)
    schemas = document["components"]["schemas"]
    context = {
        "document": document,
        "groups": [(tag["name"], tag["description"], operations[tag["name"]]) for tag in document["tags"]],
        "schemas": {name: _members(schema) for name, schema in schemas.items() if "properties" in schema},
        "schema_notes": {name: schema.get("description", "") for name, schema in schemas.items()},
        "kinds": sorted(KINDS.values(), key=lambda kind: (kind.status, kind.code)),
        "job_errors": tuple(JOB_ERRORS.values()),
    }
    return render(request, "docs.html", context)


def _operations(document: Mapping[str, Any]) -> Iterator[tuple[str, Operation]]:
    for path, item in document["paths"].items():
        for method in _METHODS:
            if (raw := item.get(method)) is None:
                continue
            body = raw.get("requestBody", {}).get("content", {}).get("application/json", {}).get("schema")
            yield (
                raw["tags"][0],
                Operation(
                    raw["operationId"],
                    method.upper(),
                    path,
                    raw.get("summary", ""),
                    raw.get("description", ""),
                    tuple(
                        Field(
                            parameter["name"],
                            f"{_type(parameter['schema'])}, {parameter['in']}",
                            parameter.get("required", False),
                            parameter.get("description", ""),
                        )
                        for parameter in raw.get("parameters", ())
                    ),
                    tuple(_type(body).split(" | ")) if body else (),
                    tuple(_answer(status, answer) for status, answer in raw["responses"].items()),
                ),
            )


def _answer(status: str, raw: Mapping[str, Any]) -> Answer:
    shape = raw.get("content", {}).get("application/json", {}).get("schema")
    return Answer(status, raw["description"], _type(shape) if shape else None)


def _members(schema: Mapping[str, Any]) -> tuple[Field, ...]:
    required = schema.get("required", ())
    return tuple(
        Field(name, _type(member), name in required, member.get("description", ""))
        for name, member in schema["properties"].items()
    )


def _type(schema: Mapping[str, Any]) -> str:
    """A schema in a few words: its type, its range, its default."""
    if "$ref" in schema:
        words = schema["$ref"].rsplit("/", 1)[-1]
    elif "const" in schema:
        words = json.dumps(schema["const"])
    elif "enum" in schema:
        words = " | ".join(json.dumps(value) for value in schema["enum"])
    elif options := schema.get("anyOf") or schema.get("oneOf"):
        words = " | ".join(_type(option) for option in options)
    elif schema.get("type") == "array":
        words = f"list of {_type(schema.get('items', {}))}"
    else:
        kind = schema.get("type", "any")
        words = " | ".join(kind) if isinstance(kind, list) else kind
    words += _range(schema)
    default = schema.get("default")
    return words if default in (None, "", [], {}) else f"{words} = {json.dumps(default)}"


def _range(schema: Mapping[str, Any]) -> str:
    low = schema.get("minimum", schema.get("exclusiveMinimum"))
    high = schema.get("maximum", schema.get("exclusiveMaximum"))
    if low is None and high is None:
        return ""
    return f" ({low} to {high})" if low is not None and high is not None else f" (from {low})"
