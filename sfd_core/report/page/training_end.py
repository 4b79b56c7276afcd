"""Why the training of a run ended, in words."""

from __future__ import annotations

from sfd_core.display.numbers import number
from sfd_core.report.report import Report


def training_end(report: Report) -> str:
    """Write a sentence about the end of a run's training, without a full stop; empty for an external generator."""
    if (cost := report.cost) is None or (budget := report.budget) is None or cost.ended is None:
        return ""
    if cost.ended == "passed_check":
        return f"passed its own check after {number(cost.images)} of at most {number(budget.images)} images"
    used = f"used up its budget of {cost.ended}, after {number(cost.images)} images"
    if budget.until != "pass":
        return used
    if not report.curves:
        return f"{used}: no judge of the base model's own knows what is forgotten, so nothing could end it sooner"
    if not report.checks:
        return f"{used}: its quick evaluations were not good enough, or came too late, for a check of its own"
    last = report.checks[-1]
    return f"{used}: its last check, after {number(last.images)}, did not pass ({'; '.join(last.missing)})"
