"""How a run is repeated through the service: one shell command that submits the same request."""

from __future__ import annotations

import json

from sfd_core.report.report import Report, to_json

_REQUEST_FIELDS = ("forget", "retain", "budget", "recipe", "thresholds", "evaluation", "seed")


def command(report: Report) -> str:
    """Write a line a field; empty for a generator that no request made."""
    if report.budget is None:
        return ""
    written = to_json(report)
    # What a request leaves out, a report has as null.
    written["forget"] = [{k: v for k, v in item.items() if v is not None} for item in written["forget"]]
    body = {"base_model": report.base_model.name}
    body |= {name: written[name] for name in _REQUEST_FIELDS if written[name] is not None}
    lines = ",\n".join(f"  {json.dumps(k)}: {json.dumps(v, ensure_ascii=False)}" for k, v in body.items())
    return (
        'curl -X POST "${LETHE_URL:-http://127.0.0.1:8321}/v1/jobs" \\\n'
        f"  -H 'Content-Type: application/json' --data @- <<'JSON'\n{{\n{lines}\n}}\nJSON"
    )
