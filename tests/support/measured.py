"""What was measured, as a report has it in JSON."""

from __future__ import annotations

from typing import Any

from pydantic import TypeAdapter

from sfd_core.evaluation.evaluate import Measurement


def as_report(measured: Measurement) -> dict[str, Any]:
    """The measured part of the report."""
    found: dict[str, Any] = {"verdict": measured.verdict}
    for part in measured.parts.found:
        found |= _json(part)
    return found | {
        "criteria": [_json(one) for one in measured.criteria],
        "evaluators": [_json(one) for one in measured.evaluators.facts()],
    }


def _json(value: Any) -> Any:
    return TypeAdapter(type(value)).dump_python(value, mode="json")
