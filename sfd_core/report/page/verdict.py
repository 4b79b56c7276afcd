"""The verdict in plain words: what each threshold asked, what was measured, and what that means."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from markupsafe import Markup

from sfd_core.display.interval_charts import interval_bar
from sfd_core.report.page.matrices import teacher_shows

_SIGNS = {"pass": "✓", "fail": "✕", "inconclusive": "?"}
_HEADLINES = {
    "unlearning_accuracy": {
        "pass": "“{concept}” is not shown when it is asked for, within what is allowed",
        "fail": "“{concept}” is still shown when it is asked for, more often than is allowed",
        "inconclusive": "Too few images to say whether “{concept}” is shown more often than is allowed",
    },
    "retained_accuracy_drop": {
        "pass": "The other concepts are still shown as asked, within the loss that is allowed",
        "fail": "The other concepts suffered more than is allowed",
        "inconclusive": "Too few images to say whether the other concepts suffered more than is allowed",
    },
    "cross_domain_accuracy_drop": {
        "pass": "Asked for what remains, each {domain} is still shown as asked, within the loss that is allowed",
        "fail": "What is shown of each {domain} suffered more than is allowed",
        "inconclusive": "Too few images to say whether what is shown of each {domain} suffered more than is allowed",
    },
    "frechet_distance_ratio": {
        "pass": "Images of the other concepts stay close to real ones, within what is allowed",
        "fail": "Images of the other concepts are further from real ones than is allowed",
        "inconclusive": "Too few images to say whether the other concepts still look as real as they should",
    },
}


_UNMEASURED = {
    "unlearning_accuracy": "Nothing was there to say whether “{concept}” is shown",
    "retained_accuracy_drop": "Nothing was there to say whether the other concepts suffered",
    "frechet_distance_ratio": "Nothing was there to say whether the other concepts look as real as they should",
}
"""Headlines where no judge looked at all."""


def criteria(report: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The criteria with what the page adds: the concept each is about or the row of the other domain, a plain headline
    with its sign, and the interval drawn. Unlearning criteria come in the order of the forgotten concepts, those of
    other domains in the order of their rows."""
    forgotten, domains = iter(report["unlearning"]), iter(report.get("cross_domain") or ())
    unjudged = "judge" in report and report["judge"] is None
    rows = []
    for criterion in report["criteria"]:
        name, decision = criterion["name"], criterion["decision"]
        about = next(forgotten, None) if name == "unlearning_accuracy" else None
        other = next(domains, None) if name == "cross_domain_accuracy_drop" else None
        concept = about["concept"] if about else None
        headlines = _HEADLINES.get(name)
        said = _UNMEASURED.get(name) if unjudged else headlines[decision] if headlines else None
        headline = (said or name.replace("_", " ").capitalize()).format(
            concept=concept, domain=other["domain"] if other else "other domain"
        )
        at_least = name == "unlearning_accuracy"
        bar = interval_bar(criterion["measured"], criterion["threshold"], at_least=at_least) if headlines else ""
        extra = {"concept": concept, "other": other, "headline": headline, "sign": _SIGNS[decision], "bar": Markup(bar)}
        rows.append({**criterion, **extra})
    return rows


def forgotten(report: Mapping[str, Any]) -> list[dict[str, Any]]:
    """What was measured of each forgotten concept, with the share of images that still show it (the other side of
    unlearning accuracy; None where no judge looked) and how often the base model shows it."""
    rows = []
    for item in report["unlearning"]:
        accuracy = item["accuracy"]
        shown = None
        if accuracy is not None:
            value, low, high = (1 - accuracy[name] for name in ("value", "high", "low"))
            shown = {"value": value, "low": low, "high": high, "n": accuracy["n"]}
        note = item.get("override_share_note") or {}
        seen_in_real = note.get("real_override_seen_as_forgotten")
        before = teacher_shows(report, item["concept"])
        rows.append({**item, "shown": shown, "before": before, "seen_in_real": seen_in_real})
    return rows


def made_here(report: Mapping[str, Any]) -> bool:
    """Whether a run of Lethe trained what was measured, which is then withheld unless it passes."""
    return report.get("budget") is not None
