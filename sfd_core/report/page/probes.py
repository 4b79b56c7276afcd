"""The probes' part of the page: what was tried to bring a concept back, in words, charts and examples."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from markupsafe import Markup

from sfd_core.base_model.manifest import Conditions
from sfd_core.evaluation.probe import ProbeResult, ProbeSpec
from sfd_core.evaluation.probes import PROBES, probes_for
from sfd_core.report.report import Report


@dataclass(frozen=True)
class ShownResult:
    """The result of one attempt, as the page shows it. ``examples``: a picture's data URI, where there is one."""

    result: ProbeResult
    in_short: str
    charts: Sequence[tuple[str, Markup]]
    examples: str | None


@dataclass(frozen=True)
class ShownProbe:
    """One probe on the page."""

    spec: ProbeSpec
    results: Sequence[ShownResult]


@dataclass(frozen=True)
class ShownProbes:
    """The probes that were tried, and those that were not."""

    tried: Sequence[ShownProbe]
    not_tried: Sequence[ProbeSpec]

    @property
    def in_short(self) -> list[tuple[str, str]]:
        """What came of all of them, as (title, figures)."""
        found = ((probe.spec.title, one.in_short) for probe in self.tried for one in probe.results)
        return [(title, figures) for title, figures in found if figures]


def asked_by(report: Report) -> Conditions:
    """Return what the model of ``report`` is asked by, which says which probes there are for it."""
    return "classes" if report.asked_by is None else "prompts"


def shown_probes(report: Report, pictures: Mapping[str, str]) -> ShownProbes:
    """Return the probes of ``report`` with ``pictures`` by their roles."""
    asked, results = report.probes.asked, report.probes.results
    known = probes_for(asked_by(report))
    tried = [
        ShownProbe(
            spec,
            [
                ShownResult(
                    result,
                    spec.in_short(result),
                    [(title, Markup(chart)) for title, chart in spec.charts(result) if chart],
                    pictures.get(f"probe_{name}_{k}"),
                )
                for k, result in enumerate(results.get(name, ()))
            ],
        )
        for name, spec in PROBES.items()
        if name in asked
    ]
    return ShownProbes(tried, [spec for name, spec in known.items() if name not in asked])
