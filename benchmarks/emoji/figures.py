"""From reports to what is held against the targets. Plain values in, plain values out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sfd_core.evaluation.intervals import Interval, difference

UA, UA_LOW, DROP, SECONDS, SPEED_RATIO = 0.95, 0.93, 0.03, 900.0, 15.0
"""The targets: UA and its lower bound, IRA's and CRA's drop, training seconds, speed against the base
model's sampler."""
SEEN_INSTEAD = 2
"""Concepts named of those that the judge sees where a forgotten one was asked for."""

Figures = Mapping[str, Any]


@dataclass(frozen=True)
class Target:
    """One target held against what was measured, both in words."""

    what: str
    wanted: str
    measured: str
    reached: bool


def figures_of(report: Mapping[str, Any]) -> dict[str, Any]:
    """Return what is kept of a report: intervals as a report holds them, ``cross_domain`` by domain. ``base_model``:
    the same of the base model's images that the report stands beside, ``unlearning`` by concept."""
    confusion, captions = report["confusion"], report["retained_captions"]
    return {
        "verdict": report["verdict"],
        "criteria": [{name: c[name] for name in ("name", "decision", "reason")} for c in report["criteria"]],
        "unlearning": [
            {
                **{name: row[name] for name in ("concept", "override", "accuracy", "second_judge", "share_override")},
                "seen": most_seen(confusion["concepts"], confusion["generator"], row["concept"]),
            }
            for row in report["unlearning"]
        ],
        "retained": report["retained_accuracy"]["generator"],
        "cross_domain": {row["domain"]: row["generator"] for row in report["cross_domain"] or ()},
        "paraphrases": report["paraphrases"],
        "retained_captions": captions["generator"] if captions else None,
        "base_model": {
            "unlearning": {
                row["concept"]: round(1 - _diagonal(confusion["concepts"], confusion["base_model"], row["concept"]), 4)
                for row in report["unlearning"]
            },
            "retained": report["retained_accuracy"]["base_model"],
            "cross_domain": {row["domain"]: row["base_model"] for row in report["cross_domain"] or ()},
            "retained_captions": captions["base_model"] if captions else None,
        },
    }


def _diagonal(concepts: Sequence[str], confusion: Sequence[Sequence[float]], concept: str) -> float:
    """The share of images of ``concept`` in which it is seen."""
    i = concepts.index(concept)
    return confusion[i][i]


def most_seen(concepts: Sequence[str], confusion: Sequence[Sequence[float]], concept: str) -> list[tuple[str, float]]:
    """Find what the judge sees most where ``concept`` was asked for, with the shares."""
    shares = confusion[concepts.index(concept)]
    order = sorted(range(len(concepts)), key=lambda i: -shares[i])
    return [(concepts[i], shares[i]) for i in order[:SEEN_INSTEAD] if shares[i]]


def interval(measured: Mapping[str, float | int]) -> Interval:
    """Read an interval of a report as a value."""
    return Interval(float(measured["value"]), float(measured["low"]), float(measured["high"]), int(measured["n"]))


def drop(before: Mapping[str, float | int], after: Mapping[str, float | int]) -> Interval:
    """Return ``before - after`` with Newcombe's interval of two independent rates. The same seeds stand on both sides,
    so it is rather too wide than too narrow."""
    return difference(interval(before), interval(after))


def targets(job: Mapping[str, Any], distilled: Figures) -> list[Target]:
    """Return every target of a job's result, drops against ``distilled``, the generator that forgot nothing. A figure
    that was not measured is not reached."""
    figures, calls = job["figures"], job["encoder_calls"]
    found = [
        Target(
            f"UA of {row['concept']}",
            f">= {UA}, lower bound > {UA_LOW}",
            shown(row["accuracy"]),
            row["accuracy"]["value"] >= UA and row["accuracy"]["low"] > UA_LOW,
        )
        for row in figures["unlearning"]
    ]
    found.append(_kept("IRA drop", distilled["retained"], figures["retained"]))
    others = sorted({*distilled["cross_domain"], *figures["cross_domain"]}) or ["other domain"]
    for name in others:
        before, after = (side["cross_domain"].get(name) for side in (distilled, figures))
        found.append(_kept(f"CRA drop, {name}", before, after))
    seconds = job["training_seconds"]
    found.append(Target("training", f"<= {SECONDS:.0f} s", f"{seconds:.0f} s", seconds <= SECONDS))
    in_training, before_training = calls.get("training", 0), calls.get("preparing", 0)
    # Prompts are encoded before training: a count that saw none of that would not have seen one in training either.
    found.append(
        Target(
            "text encoder calls in training",
            "0",
            f"{in_training} ({before_training} before it)",
            in_training == 0 and before_training > 0,
        )
    )
    return found


def _kept(what: str, before: Mapping[str, Any] | None, after: Mapping[str, Any] | None) -> Target:
    if before is None or after is None:
        return Target(what, f"<= {DROP}", "not measured", False)
    measured = drop(before, after)
    return Target(what, f"<= {DROP}", signed(measured), measured.value <= DROP)


def speed_targets(rows: Sequence[Mapping[str, Any]]) -> list[Target]:
    """Return the ratios that are held to the target."""
    return [
        Target(
            f"one step against the base model, {row['name']}",
            f">= {SPEED_RATIO:.0f} times as fast",
            f"{row['ratio']:.1f}",
            row["ratio"] >= SPEED_RATIO,
        )
        for row in rows
        if row["held"]
    ]


def shown(measured: Mapping[str, float] | None) -> str:
    """Write a rate with its interval."""
    if measured is None:
        return "not measured"
    return f"{measured['value']:.3f} [{measured['low']:.3f}, {measured['high']:.3f}]"


def signed(measured: Interval) -> str:
    """Write a difference with its interval."""
    return f"{measured.value:+.3f} [{measured.low:+.3f}, {measured.high:+.3f}]"
