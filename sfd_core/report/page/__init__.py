"""The report as one HTML page that stands alone: the verdict first, in words, and everything behind it below.

Nothing is loaded from anywhere: pictures are data URIs, charts are inline SVG, there is no script, and the page's own
content security policy forbids all else. Names of concepts are user input and are escaped like everything else.
Importing this does not import torch.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

from jinja2 import ChainableUndefined, Environment, FileSystemLoader
from markupsafe import Markup

from sfd_core.display.line_charts import Level, training_charts
from sfd_core.display.numbers import FILTERS, is_number
from sfd_core.report.page.limits import LIMITS, limits_of
from sfd_core.report.page.matrices import matrices, teacher_shows
from sfd_core.report.page.probes import probes
from sfd_core.report.page.rerun import command
from sfd_core.report.page.verdict import criteria, forgotten, made_here

__all__ = ["LIMITS", "PAIR_REMAINING", "TEMPLATES", "limits_of", "render"]

TEMPLATES = Path(__file__).parent / "templates"
PAIR_REMAINING = 12
"""Remaining concepts in the picture of both models: a page shows no more, and a base model takes its time for each."""


def render(report: Mapping[str, Any], pictures: Mapping[str, bytes]) -> str:
    """The page of ``report`` (``report.json``'s content). ``pictures``: PNGs by the file names that
    ``report["pictures"]`` gives for ``pairs`` and ``strip``, for phones ``pairs_narrow`` and ``strip_narrow``, and
    for a probe's examples ``probe_<probe>_<k>``; each may be missing, and so may any part of the report but the
    verdict, its criteria, the base model and what was forgotten.

    Raises:
        KeyError: for a report without one of those.
    """
    css = (TEMPLATES / "report.css").read_text("utf-8")
    digest = base64.b64encode(hashlib.sha256(css.encode()).digest()).decode()
    policy = f"default-src 'none'; img-src data:; style-src 'sha256-{digest}'; base-uri 'none'; form-action 'none'"
    shown = _data_uris(report, pictures)
    return (
        _templates()
        .get_template("report.html")
        .render(
            report=report,
            css=Markup(css),
            policy=policy,
            verdict=report["verdict"],
            made_here=made_here(report),
            rows=_rows(report),
            criteria=criteria(report),
            forgotten=forgotten(report),
            pictures=shown,
            charts=_charts(report),
            matrices=matrices(report),
            probes=probes(report, shown),
            limits=report.get("limits") or limits_of(report),
            command=command(report),
        )
    )


@cache
def _templates() -> Environment:
    environment = Environment(
        loader=FileSystemLoader(TEMPLATES),
        autoescape=True,
        undefined=ChainableUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.filters |= FILTERS
    return environment


def _charts(report: Mapping[str, Any]) -> list[Markup]:
    shown = [teacher_shows(report, item["concept"]) for item in report["unlearning"]]
    rates = [rate for rate in shown if rate is not None]
    unlearning = Level("teacher", 1 - max(rates)) if rates else None  # of the worst, as in the curve
    kept = ((report.get("retained_accuracy") or {}).get("teacher") or {}).get("value")
    retained = Level("teacher", kept) if is_number(kept) else None
    return [Markup(chart.svg()) for chart in training_charts(report.get("curves") or [], unlearning, retained)]


def _rows(report: Mapping[str, Any]) -> list[str]:
    """The concepts in the order in which pictures show them: forgotten, their overrides, the others."""
    forgotten = [item["concept"] for item in report["forget"]]
    others = (report.get("confusion") or {}).get("concepts") or []
    named = [item["override"] for item in report["forget"]]
    overrides = [override for override in named if isinstance(override, str) and (override in others or not others)]
    shown = [concept for concept in dict.fromkeys([*overrides, *others]) if concept not in forgotten]
    return [*forgotten, *shown[:PAIR_REMAINING]]


def _data_uris(report: Mapping[str, Any], pictures: Mapping[str, bytes]) -> dict[str, str]:
    names = report.get("pictures") or {}
    return {
        role: "data:image/png;base64," + base64.b64encode(pictures[name]).decode()
        for role, name in names.items()
        if name in pictures
    }
