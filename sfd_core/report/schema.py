"""The JSON Schema (2020-12) of a report: what ``report.json`` holds, field by field. Plain: no torch, no validator.

Any validator of JSON Schema takes it; the tests use ``jsonschema``.
"""

from __future__ import annotations

import json
from importlib import resources
from typing import Any

SCHEMA_VERSION = 3
"""``schema_version`` of the reports that the schema describes."""


def load_schema() -> dict[str, Any]:
    """The schema, read from ``report.schema.json`` beside this module."""
    text = (resources.files("sfd_core.report") / "report.schema.json").read_text("utf-8")
    schema: dict[str, Any] = json.loads(text)
    return schema
