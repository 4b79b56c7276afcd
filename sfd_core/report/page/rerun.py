"""How a run is repeated through the service: one shell command that submits the same request."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

_REQUEST_FIELDS = ("forget", "budget", "recipe", "thresholds", "evaluation", "seed")


def command(report: Mapping[str, Any]) -> str:
    """A line a field; empty for a generator that no request made."""
    if report.get("budget") is None:
        return ""
    body = {"base_model": report["base_model"]["name"]}
    body |= {name: report[name] for name in _REQUEST_FIELDS if report.get(name) is not None}
    lines = ",\n".join(f"  {json.dumps(k)}: {json.dumps(v, ensure_ascii=False)}" for k, v in body.items())
    return (
        'curl -X POST "${LETHE_URL:-http://127.0.0.1:8321}/v1/jobs" \\\n'
        f"  -H 'Content-Type: application/json' --data @- <<'JSON'\n{{\n{lines}\n}}\nJSON"
    )
