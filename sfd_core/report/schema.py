"""The JSON Schema (2020-12) of a report, made from its types: what ``report.json`` holds, field by field. Plain: no
torch, no validator.

Any validator of JSON Schema takes it; the tests use ``jsonschema``.
"""

from __future__ import annotations

import ast
import dataclasses
import inspect
import itertools
import textwrap
from collections.abc import Iterator
from typing import Any

from pydantic.json_schema import DEFAULT_REF_TEMPLATE, GenerateJsonSchema, JsonSchemaValue
from pydantic_core import core_schema

from sfd_core.report.report import SCHEMA_VERSION, adapter


class _Described(GenerateJsonSchema):
    """A maker of schemas with the docstrings of classes and of fields as descriptions; strict: every field is there
    but those that are left out where they say nothing, and no other."""

    def dataclass_schema(self, schema: core_schema.DataclassSchema) -> JsonSchemaValue:
        made = super().dataclass_schema(schema)
        cls = schema["cls"]
        made["description"] = inspect.cleandoc(cls.__doc__ or "")
        made["additionalProperties"] = False
        for name, text in _field_docs(cls):
            made["properties"][name].setdefault("description", text)
        for one in made["properties"].values():
            one.pop("default", None)  # what is written is never left out
            if "description" in one:
                one["description"] = " ".join(one["description"].split())
        return made

    def field_is_required(self, field: Any, total: bool) -> bool:
        if "serialization_exclude_if" in field:
            return False
        return super().field_is_required(field, total) if field["type"] == "typed-dict-field" else True


def _field_docs(cls: type[Any]) -> Iterator[tuple[str, str]]:
    """The fields of a dataclass, those that it inherits among them, with the docstring below each."""
    for base in cls.__mro__:
        # A class that was made of others has no source, and no fields of its own.
        if not dataclasses.is_dataclass(base) or not inspect.get_annotations(base):
            continue
        body = ast.parse(textwrap.dedent(inspect.getsource(base))).body[0].body  # type: ignore[attr-defined]
        for one, after in itertools.pairwise(body):
            match one, after:
                case ast.AnnAssign(target=ast.Name(id=name)), ast.Expr(value=ast.Constant(value=str(text))):
                    yield name, text


def report_schema(ref_template: str = DEFAULT_REF_TEMPLATE) -> dict[str, Any]:
    """Make the report's schema. ``ref_template``: how it refers to its definitions."""
    made = adapter().json_schema(ref_template=ref_template, schema_generator=_Described, mode="serialization")
    head = {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$id": f"urn:lethe:report:v{SCHEMA_VERSION}",
        "title": "Lethe unlearning report",
    }
    return head | {name: value for name, value in made.items() if name not in head}
