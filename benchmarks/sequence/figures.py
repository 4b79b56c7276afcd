"""What is taken of a report: UA of every concept so far, and of each domain what became of the rest."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from sfd_core.evaluation.criteria.frechet_distance_ratio import NAME as FRECHET
from sfd_core.evaluation.evaluate import Measurement
from sfd_core.evaluation.intervals import Interval, difference, wilson
from sfd_core.evaluation.parts import part
from sfd_core.evaluation.sections.retention import Retention
from sfd_core.evaluation.sections.unlearning import Unlearning
from sfd_core.evaluation.verdict import Criterion
from sfd_core.report.by_domain import by_domain
from sfd_core.report.report import Report

Figures = Mapping[str, Any]
"""As :func:`figures_of` makes them."""


@dataclass(frozen=True)
class Seen:
    """The measurement in one domain: "" where the model has none."""

    domain: str
    unlearning: Unlearning
    retention: Retention
    criteria: Sequence[Criterion]

    @classmethod
    def of_report(cls, report: Report) -> list[Seen]:
        """Return what a job's report says of each domain."""
        return [
            cls(one.domain or "", part(one, Unlearning), part(one, Retention), one.criteria)
            for one in by_domain(report)
        ]

    @classmethod
    def of_measurement(cls, measured: Measurement) -> Seen:
        """Return what an evaluation in one domain found."""
        parts = measured.parts
        domain = measured.evaluators.model.domain or ""
        return cls(domain, parts.of(Unlearning), parts.of(Retention), measured.criteria)


def figures_of(seen: Iterable[Seen]) -> dict[str, Any]:
    """Return the figures of all domains, as JSON has them, by the first judge.

    ``unlearning``: by concept. ``domains``: of each the drop of retained accuracy from the base model, the Frechet
    ratio (null of too few images), and by concept how many images of how many show what was asked.
    """
    unlearning: dict[str, Any] = {}
    domains: dict[str, Any] = {}
    for one in seen:
        gone, overall = one.unlearning.unlearning, one.retention.retained_accuracy
        assert overall is not None  # a bundled model has a judge
        ratios = [c.measured for c in one.criteria if c.name == FRECHET and c.measured is not None]
        shown = {row.concept: row.generator for row in one.retention.retention}
        domains[one.domain] = {
            "drop": asdict(overall.drop),
            "frechet_ratio": asdict(ratios[0]) if ratios else None,
            "remaining": list(shown),
            "shown": {
                concept: (round(share.value * share.n), share.n)
                for concept, share in (shown | {row.concept: row.shown for row in gone}).items()
                if share is not None
            },
        }
        unlearning |= {row.concept: asdict(row.accuracy) for row in gone if row.accuracy is not None}
    return {"unlearning": unlearning, "domains": domains}


def unlearned(figures: Figures) -> dict[str, Interval]:
    """Return the UA of every concept that was looked for."""
    return {concept: Interval(**ua) for concept, ua in figures["unlearning"].items()}


def from_base(figures: Figures) -> dict[str, Interval]:
    """Return the drop of retained accuracy from the base model, by domain."""
    return {name: Interval(**domain["drop"]) for name, domain in figures["domains"].items()}


def from_first(figures: Figures, first: Figures) -> dict[str, Interval]:
    """Return the drop of retained accuracy from the first stage, whose figures are ``first``, over the same concepts,
    by domain."""
    found = {}
    for name, domain in figures["domains"].items():
        before, after = first["domains"][name]["shown"], domain["shown"]
        found[name] = difference(*(_together(shown, domain["remaining"]) for shown in (before, after)))
    return found


def ratios(figures: Figures) -> dict[str, Interval | None]:
    """Return the Frechet ratio by domain; None where the images were too few."""
    found = {name: domain["frechet_ratio"] for name, domain in figures["domains"].items()}
    return {name: None if ratio is None else Interval(**ratio) for name, ratio in found.items()}


def least(ua: Mapping[str, Interval]) -> tuple[str, Interval]:
    """Return the concept whose UA has the lowest lower bound, and that UA."""
    return min(ua.items(), key=lambda one: one[1].low)


def largest(intervals: Iterable[Interval | None]) -> Interval | None:
    """Return the one with the largest estimate; None if nothing was measured."""
    measured = [one for one in intervals if one is not None]
    return max(measured, key=lambda one: one.value, default=None)


def _together(shown: Mapping[str, Sequence[int]], concepts: Sequence[str]) -> Interval:
    right, of = (sum(shown[concept][i] for concept in concepts) for i in (0, 1))
    return wilson(right, of)
