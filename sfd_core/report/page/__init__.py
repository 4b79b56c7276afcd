"""The report as one HTML page that stands alone: the verdict first, in words, and everything behind it below.

Nothing is loaded from anywhere: pictures are data URIs, charts are inline SVG, there is no script, and the page's own
content security policy forbids all else. Names of concepts are user input and are escaped like everything else.
Each section, criterion and probe brings its own words and tables; here are the frame and what only a run knows.
Importing this does not import torch.
"""

from __future__ import annotations

import base64
import dataclasses
import hashlib
import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from markupsafe import Markup, escape

from sfd_core.display.line_charts import Level, training_charts
from sfd_core.evaluation.parts import part
from sfd_core.evaluation.sections import SECTIONS
from sfd_core.evaluation.sections.confusion import Confusion, base_model_shows
from sfd_core.evaluation.sections.retention import Retention
from sfd_core.evaluation.sections.unlearning import Unlearning
from sfd_core.report.by_domain import by_domain
from sfd_core.report.page.criteria import shown_criteria
from sfd_core.report.page.limits import LIMITS, SEVERAL_DOMAINS, limits_of
from sfd_core.report.page.probes import shown_probes
from sfd_core.report.page.rerun import command
from sfd_core.report.page.templates import FOLDER, filled, page_template
from sfd_core.report.page.training_end import training_end
from sfd_core.report.report import Report

__all__ = ["LIMITS", "PAIR_REMAINING", "SEVERAL_DOMAINS", "limits_of", "render"]

PAIR_REMAINING = 12
"""Remaining concepts in the picture of both models: a page shows no more, and a base model takes its time for each."""


def render(report: Report, pictures: Mapping[str, bytes]) -> str:
    """Render the page of ``report``. ``pictures``: PNGs by the file names that ``report.pictures`` gives for ``pairs``
    and ``strip``, for phones ``pairs_narrow`` and ``strip_narrow``, and for a probe's examples ``probe_<probe>_<k>``;
    each may be missing."""
    css = (FOLDER / "report.css").read_text("utf-8")
    digest = base64.b64encode(hashlib.sha256(css.encode()).digest()).decode()
    policy = f"default-src 'none'; img-src data:; style-src 'sha256-{digest}'; base-uri 'none'; form-action 'none'"
    shown = _data_uris(report, pictures)
    domains = [_DomainShown.of(each, report) for each in by_domain(report)]
    first = domains[0]
    return page_template().render(
        {**first.context, "report": report},
        forgotten=[row for each in domains for row in each.context["forgotten"]],
        domains=[each.report for each in domains],
        css=Markup(css),
        policy=policy,
        made_here=report.budget is not None,
        rows=[_rows(each.report) for each in domains],
        criteria=[criterion for each in domains for criterion in each.criteria],
        tiles=[tile for each in domains for tile in _filled("tiles", each.context)],
        answers=[answer for each in domains for answer in _filled("answer", each.context)],
        cards=[card for each in domains for card in each.cards],
        pictures=shown,
        charts=_charts(report),
        probes=shown_probes(report, shown),
        probe_note=lambda spec, result: filled(spec.note, {"r": result}),
        recipe=dataclasses.asdict(report.recipe) if report.recipe is not None else None,
        command=command(report),
        training_end=training_end(report),
    )


@dataclass(frozen=True)
class _DomainShown:
    """The page's parts for one domain. ``report``: of it; ``context``: what its templates see."""

    report: Report
    context: Mapping[str, Any]
    criteria: Sequence[Mapping[str, Any]]
    cards: Sequence[Markup]

    @classmethod
    def of(cls, report: Report, whole: Report) -> _DomainShown:
        """Show the report of one domain, a part of the ``whole``. Those after the first have names of their own for
        their places: a page must have each only once."""
        context: dict[str, Any] = {"report": report, "forgotten": part(report, Unlearning).unlearning}
        for section in SECTIONS:
            context |= section.helpers(report)
        context["facts"] = _filled("fact", context)
        criteria = [_criterion(one, context) for one in shown_criteria(report)]
        cards = _filled("page", context)
        if whole.further_domains:
            heading = filled('<h2 class="domain">Measured in the domain “{{ report.domain }}”</h2>', context)
            if report.domain != whole.domain:
                places = set(_PLACE.findall("".join(cards)))
                cards = [_renamed(card, places, report) for card in cards]
                criteria = [{**one, "said": _renamed(escape(one["said"]), places, report)} for one in criteria]
            cards = [heading, *cards]
        return cls(report, context, criteria, cards)


_PLACE = re.compile(r'\bid="([^"]+)"')


def _renamed(text: Markup, places: Collection[str], report: Report) -> Markup:
    """``text`` with the ``places`` of a domain's cards named after it. What users named is escaped: no quotation mark
    of theirs is left in it."""

    def named(found: re.Match[str]) -> str:
        return f"{found[1]}{report.domain}-{found[2]}" if found[2] in places else found[0]

    return Markup(re.sub(r'\b(id="|aria-labelledby="|href="#)([^"]+)', named, text))


def _filled(template: str, context: Mapping[str, Any]) -> list[Markup]:
    """One kind of template of every section, but those that come out empty."""
    texts = (filled(getattr(section, template), context) for section in SECTIONS)
    return [text for text in texts if text]


def _criterion(shown: Any, context: Mapping[str, Any]) -> dict[str, Any]:
    """A criterion with its templates filled in."""
    one, spec = shown.criterion, shown.spec
    here = {**context, "c": one}
    return {
        **vars(one),
        **vars(shown),
        "asked": filled(spec.asked, here),
        "figures": filled(spec.figures, here) if one.measured is not None else "not measured",
        "said": filled(spec.measured, here) or f"{one.reason[:1].upper()}{one.reason[1:]}.",
    }


def _charts(report: Report) -> list[Markup]:
    shown = [base_model_shows(report, row.concept) for row in part(report, Unlearning).unlearning]
    rates = [rate for rate in shown if rate is not None]
    unlearning = Level("base model", 1 - max(rates)) if rates else None  # of the worst, as in the curve
    kept = part(report, Retention).retained_accuracy
    retained = Level("base model", kept.base_model.value) if kept is not None else None
    curves = [vars(moment) for moment in report.curves or ()]
    return [Markup(chart.svg()) for chart in training_charts(curves, unlearning, retained)]


def _rows(report: Report) -> list[str]:
    """The concepts in the order in which pictures show them: forgotten, their overrides, the others."""
    forgotten = [item.concept for item in report.forget]
    confusion = part(report, Confusion).confusion
    others = confusion.concepts if confusion is not None else ()
    named = [item.override for item in report.forget]
    overrides = [override for override in named if isinstance(override, str) and (override in others or not others)]
    shown = [concept for concept in dict.fromkeys([*overrides, *others]) if concept not in forgotten]
    return [*forgotten, *shown[:PAIR_REMAINING]]


def _data_uris(report: Report, pictures: Mapping[str, bytes]) -> dict[str, str]:
    return {
        role: "data:image/png;base64," + base64.b64encode(pictures[name]).decode()
        for role, name in report.pictures.items()
        if name in pictures
    }
