"""The criteria in plain words: what each threshold asked, what was measured, and what that means."""

from __future__ import annotations

from dataclasses import dataclass

from markupsafe import Markup

from sfd_core.display.interval_charts import interval_bar
from sfd_core.evaluation.criteria import CRITERIA
from sfd_core.evaluation.criterion import CriterionSpec
from sfd_core.evaluation.verdict import Criterion
from sfd_core.report.report import Report

_SIGNS = {"pass": "✓", "fail": "✕", "inconclusive": "?"}


@dataclass(frozen=True)
class ShownCriterion:
    """A criterion with what the page adds: a headline with its sign, and the interval drawn."""

    criterion: Criterion
    spec: CriterionSpec
    headline: str
    sign: str
    bar: Markup


def shown_criteria(report: Report) -> list[ShownCriterion]:
    """Return one for each criterion of the report, in its order."""
    rows = []
    for one in report.criteria:
        spec = CRITERIA[one.name]
        headline = spec.unmeasured if report.judge is None else spec.headlines[one.decision]
        measured = vars(one.measured) if one.measured is not None else None
        bar = interval_bar(measured, one.threshold, at_least=spec.at_least)
        where = f"Domain “{one.domain}”: " if one.domain is not None else ""
        said = where + headline.format(about=one.about)
        rows.append(ShownCriterion(one, spec, said, _SIGNS[one.decision], Markup(bar)))
    return rows
