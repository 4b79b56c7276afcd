"""A report on what was forgotten in several domains as one report a domain, each of the form that a report of one
domain has: what shows a report shows each of these. Plain: does not import torch."""

from __future__ import annotations

import dataclasses
from collections.abc import Collection, Mapping
from typing import Any

from sfd_core.evaluation.parts import part
from sfd_core.evaluation.probe import ProbeResult, Probes
from sfd_core.evaluation.sections.sequence import Sequence, of_concepts
from sfd_core.evaluation.sections.unlearning import Unlearning
from sfd_core.report.report import Report

KEPT = "kept_forgotten"
"""The field that a report has over all domains, and each of its domains of its own."""


def by_domain(report: Report) -> tuple[Report, ...]:
    """Return the report of each domain in which something was forgotten, in the order of the request; of one alone the
    report as it is."""
    if not report.further_domains:
        return (report,)
    first = _of_domain(report, {"domain": report.domain}, report)
    others = [
        _of_domain(report, {one.name: getattr(further, one.name) for one in dataclasses.fields(further)}, further)
        for further in report.further_domains
    ]
    return (first, *others)


def _of_domain(report: Report, fields: Mapping[str, Any], sections: Any) -> Report:
    """``report`` with the ``fields`` of one domain, and what is said of its concepts alone. ``sections``: what holds
    that domain's."""
    domain = fields["domain"]
    concepts = {row.concept for row in part(sections, Unlearning).unlearning}
    own: dict[str, Any] = {**fields, KEPT: of_concepts(part(sections, Sequence), concepts)}
    return dataclasses.replace(
        report,
        **own,
        verdict=report.domain_verdicts[domain],
        domain_verdicts={},
        further_domains=(),
        criteria=tuple(one for one in report.criteria if one.domain == domain),
        forget=tuple(item for item in report.forget if item.concept in concepts),
        probes=_of_concepts(report.probes, concepts),
    )


def _of_concepts(probes: Probes, concepts: Collection[str]) -> Probes:
    found: dict[str, tuple[ProbeResult, ...]] = {
        name: tuple(row for row in rows if row.concept in concepts) for name, rows in probes.results.items()
    }
    return dataclasses.replace(probes, results=found)
