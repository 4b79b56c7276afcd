"""The client's types of a report: ``python -m api.client_types > client/reports.py`` writes the module that is
committed. They are made from the report's JSON Schema, because the client knows only HTTP."""

from __future__ import annotations

import sys
import textwrap
from collections.abc import Iterator, Mapping
from typing import Any

from sfd_core.report.schema import report_schema

WIDTH = 120
HEAD = '''"""A report as frozen values: what an evaluation found of one generator.

Made by ``python -m api.client_types`` from the report's JSON Schema: do not edit.

What an answer has beside these fields is left out; the whole of it is in ``Report.raw``.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal
'''
PLAIN = {"string": "str", "integer": "int", "number": "float", "boolean": "bool", "null": "None"}
Schema = Mapping[str, Any]


def text() -> str:
    """Return the module as it is committed."""
    schema = report_schema()
    parts = [_class(name, one) for name, one in schema["$defs"].items()]
    raw = "raw: Mapping[str, Any] = field(default_factory=dict, repr=False, compare=False)\n"
    report = _class("Report", schema) + "    " + raw + '    """The answer as it came."""\n'
    return "\n\n".join([HEAD, *parts, report])


def _class(name: str, schema: Schema) -> str:
    lines = ["@dataclass(frozen=True, kw_only=True)", f"class {name}:"]
    if "description" in schema:
        lines += [*_docstring(schema["description"]), ""]
    for field, one in schema["properties"].items():
        default = _default(one, field in schema.get("required", ()))
        lines.append(f"    {field}: {_type(one)}{default}")
        if "description" in one:
            lines += _docstring(one["description"])
    return "\n".join(lines) + "\n"


def _docstring(said: str) -> Iterator[str]:
    quoted = '"""' + " ".join(said.split()) + '"""'
    yield from textwrap.wrap(quoted, WIDTH, initial_indent="    ", subsequent_indent="    ", break_on_hyphens=False)


def _default(schema: Schema, required: bool) -> str:
    """What was not measured need not be said."""
    if any(one.get("type") == "null" for one in schema.get("anyOf", ())):
        return " = None"
    if schema.get("type") == "array":
        return " = ()"
    if schema.get("type") == "object":
        return " = field(default_factory=dict)"
    if not required:
        raise ValueError(f"a field that may be missing, and has no value to stand for that: {schema}")
    return ""


def _type(schema: Schema) -> str:
    """A schema as a Python type. Names that it lists are open: a newer service may know more of them."""
    match schema:
        case {"$ref": str(ref)}:
            return ref.removeprefix("#/$defs/")
        case {"anyOf": list(kinds)}:
            return " | ".join(dict.fromkeys(_type(one) for one in kinds))
        case {"const": value}:
            return f"Literal[{value!r}]"
        case {"enum": _}:
            return "str"
        case {"type": "array"}:
            return f"tuple[{_type(schema.get('items', {}))}, ...]"
        case {"type": "object", "additionalProperties": dict(values)}:
            return f"Mapping[str, {_type(values)}]"
        case {"type": "object"}:
            return "Mapping[str, Any]"
        case {"type": str(kind)}:
            return PLAIN[kind]
    return "Any"


if __name__ == "__main__":
    sys.stdout.write(text())
