"""The report as one HTML page that stands alone: the verdict first, in words, and everything behind it below.

Nothing is loaded from anywhere: pictures are data URIs, charts are inline SVG, there is no script, and the page's own
content security policy forbids all else. Names of concepts are user input and are escaped like everything else.
Intervals are rounded outwards and a share is never rounded to 0 or 100 % that is not one, so that no figure reads
better than it was measured. Importing this does not import torch.
"""

from __future__ import annotations

import base64
import hashlib
import json
import math
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from decimal import Decimal
from functools import cache
from pathlib import Path
from typing import Any

from jinja2 import ChainableUndefined, Environment, FileSystemLoader
from markupsafe import Markup

from sfd_core.evaluation import curves

TEMPLATES = Path(__file__).parent / "templates"
MAX_MATRIX = 20
"""Rows of a confusion matrix that a page can show; of more concepts it shows those that changed most."""

LIMITS = (
    "Every figure is measured on samples, by a judge that errs. A passing test is not proof that the concept is gone; "
    "tests of unlearning can be misled (“Verification of Machine Unlearning is Fragile”, ICML 2024).",
    "Score forgetting distillation remaps a condition: asked for the forgotten concept, the generator answers with "
    "something else. What its weights still hold of the concept is not measured here, and further training may bring "
    "it back.",
    "The base model is not changed. Whoever has a copy of it can still make the concept.",
    "Images were asked for by the concepts' names only. Other ways of asking were not tried.",
    "The generator learned from the base model's own images. It inherits that model's errors and biases.",
    "This page says what was measured. It says nothing about which law or contract that satisfies.",
)
"""What a report says about itself where it brings no ``limits`` of its own."""

_REQUEST_FIELDS = ("forget", "budget", "recipe", "thresholds", "evaluation", "seed")
_MISSING = "–"


def render(report: Mapping[str, Any], pictures: Mapping[str, bytes]) -> str:
    """The page of ``report`` (``report.json``'s content). ``pictures``: PNGs by the file names that
    ``report["pictures"]`` gives for ``pairs`` and ``strip``, and for phones ``pairs_narrow`` and ``strip_narrow``;
    each may be missing, and so may any part of the report but the verdict, its criteria and what was forgotten.

    Raises:
        KeyError: for a report without one of those.
    """
    css = (TEMPLATES / "report.css").read_text("utf-8")
    digest = base64.b64encode(hashlib.sha256(css.encode()).digest()).decode()
    policy = f"default-src 'none'; img-src data:; style-src 'sha256-{digest}'; base-uri 'none'; form-action 'none'"
    return (
        _templates()
        .get_template("report.html")
        .render(
            report=report,
            css=Markup(css),
            policy=policy,
            verdict=report["verdict"],
            rows=_rows(report),
            criteria=_criteria(report),
            forgotten=_forgotten(report),
            pictures=_data_uris(report, pictures),
            charts=_charts(report),
            matrices=_matrices(report),
            limits=report.get("limits") or LIMITS,
            command=_command(report),
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
    environment.filters |= {
        "percent": percent,
        "interval": interval,
        "points": points,
        "number": number,
        "duration": duration,
        "mebibytes": lambda n: f"{n / 2**20:,.0f} MiB" if _is_number(n) else _MISSING,
        "moment": moment,
        "override": override_words,
    }
    return environment


def _criteria(report: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The criteria with what the page adds: the concept each is about and the interval drawn. Unlearning criteria
    come in the order of the forgotten concepts."""
    concepts = iter([item["concept"] for item in report["unlearning"]])
    rows = []
    for criterion in report["criteria"]:
        unlearning = criterion["name"] == "unlearning_accuracy"
        known = unlearning or criterion["name"] == "retained_accuracy_drop"
        bar = curves.interval_bar(criterion["measured"], criterion["threshold"], at_least=unlearning) if known else ""
        rows.append({**criterion, "concept": next(concepts, None) if unlearning else None, "bar": Markup(bar)})
    return rows


def _forgotten(report: Mapping[str, Any]) -> list[dict[str, Any]]:
    """What was measured of each forgotten concept, with the share of images that still show it (the other side of
    unlearning accuracy) and how often the teacher shows it."""
    rows = []
    for item in report["unlearning"]:
        accuracy = item["accuracy"]
        shown = {
            "value": 1 - accuracy["value"],
            "low": 1 - accuracy["high"],
            "high": 1 - accuracy["low"],
            "n": accuracy["n"],
        }
        note = item.get("override_share_note") or {}
        seen_in_real = note.get("real_override_seen_as_forgotten")
        before = _teacher_shows(report, item["concept"])
        rows.append({**item, "shown": shown, "before": before, "seen_in_real": seen_in_real})
    return rows


def _teacher_shows(report: Mapping[str, Any], concept: str) -> float | None:
    """Share of the teacher's images asked for ``concept`` in which the judge sees it."""
    confusion = report.get("confusion")
    if not confusion or concept not in confusion["concepts"]:
        return None
    i: int = confusion["concepts"].index(concept)
    return _shares(confusion["teacher"])[i][i]


def _charts(report: Mapping[str, Any]) -> list[Markup]:
    shown = [_teacher_shows(report, item["concept"]) for item in report["unlearning"]]
    rates = [rate for rate in shown if rate is not None]
    teacher_unlearning = 1 - max(rates) if rates else None  # of the worst, as in the curve
    retained = (report.get("retained_accuracy") or {}).get("teacher") or {}
    charts = curves.training_charts(report.get("curves") or [], teacher_unlearning, retained.get("value"))
    return [Markup(chart) for chart in charts]


def _matrices(report: Mapping[str, Any]) -> dict[str, Any] | None:
    """Both confusion matrices as shares of each row, of at most :data:`MAX_MATRIX` concepts: what was forgotten and
    its overrides, then what changed most."""
    confusion = report.get("confusion")
    if not confusion:
        return None
    concepts = confusion["concepts"]
    teacher, generator = _shares(confusion["teacher"]), _shares(confusion["generator"])
    named = {item["concept"] for item in report["forget"]}
    overrides = {item["override"] for item in report["forget"] if isinstance(item["override"], str)}

    def importance(i: int) -> tuple[bool, bool, float]:
        change = abs((teacher[i][i] or 0.0) - (generator[i][i] or 0.0))
        return concepts[i] in named, concepts[i] in overrides, change

    shown = sorted(sorted(range(len(concepts)), key=importance, reverse=True)[:MAX_MATRIX])

    def table(shares: Sequence[Sequence[float | None]]) -> list[list[dict[str, Any]]]:
        return [[_cell(shares[i][j], i == j) for j in shown] for i in shown]

    return {
        "concepts": [concepts[i] for i in shown],
        "of": len(concepts),
        "forgotten": named,
        "tables": (("Base model", table(teacher)), ("Generator", table(generator))),
    }


def _shares(matrix: Sequence[Sequence[float]]) -> list[list[float | None]]:
    """A matrix of counts or of shares, each row divided by its sum; None in a row without an image."""
    return [[cell / total if (total := sum(row)) else None for cell in row] for row in matrix]


def _cell(share: float | None, diagonal: bool) -> dict[str, Any]:
    """A cell's text (whole per cent; nothing below half of one) and its heat in eleven steps, as a class."""
    if share is None:
        return {"text": _MISSING, "heat": "heat-0", "diagonal": diagonal}
    text = f"{share * 100:.0f}" if share >= 0.005 else ""
    return {"text": text, "heat": f"heat-{math.ceil(share * 10 - 1e-9) if text else 0}", "diagonal": diagonal}


def _rows(report: Mapping[str, Any]) -> list[str]:
    """The concepts in the order in which pictures show them: forgotten, their overrides, the others."""
    overrides = [item["override"] for item in report["forget"] if isinstance(item["override"], str)]
    others = (report.get("confusion") or {}).get("concepts") or []
    return list(dict.fromkeys([*(item["concept"] for item in report["forget"]), *overrides, *others]))


def _data_uris(report: Mapping[str, Any], pictures: Mapping[str, bytes]) -> dict[str, str]:
    names = report.get("pictures") or {}
    return {
        role: "data:image/png;base64," + base64.b64encode(pictures[name]).decode()
        for role, name in names.items()
        if name in pictures
    }


def _command(report: Mapping[str, Any]) -> str:
    """One shell command that submits the same request again, a line a field."""
    body = {"base_model": report["base_model"]["name"]}
    body |= {name: report[name] for name in _REQUEST_FIELDS if report.get(name) is not None}
    lines = ",\n".join(f"  {json.dumps(k)}: {json.dumps(v, ensure_ascii=False)}" for k, v in body.items())
    return (
        'curl -X POST "${LETHE_URL:-http://127.0.0.1:8321}/v1/jobs" \\\n'
        f"  -H 'Content-Type: application/json' --data @- <<'JSON'\n{{\n{lines}\n}}\nJSON"
    )


def percent(share: Any, digits: int | None = 1, rounding: str = "nearest") -> str:
    """A share as per cent with ``digits`` decimals; None: as many as it has. ``rounding``: ``nearest``, ``down`` or
    ``up``."""
    if not _is_number(share):
        return _MISSING
    if digits is None:
        return f"{share * 100:.6g}%"
    scale = 10.0**digits
    exact = round(share * 100 * scale, 6)  # 0.9956 must not be rounded up for being 0.99560000000000004
    whole = {"down": math.floor(exact), "up": math.ceil(exact)}.get(rounding, round(exact))
    rounded = whole / scale
    if rounding == "nearest" and rounded == 100 and share < 1:
        return f"> {100 - 1 / scale:.{digits}f}%"
    if rounding == "nearest" and rounded == 0 and share > 0:
        return f"< {1 / scale:.{digits}f}%"
    return f"{rounded + 0.0:.{digits}f}%"


def interval(measured: Mapping[str, Any] | None, digits: int = 1) -> str:
    """The bounds of an interval of a share, rounded outwards."""
    if not measured or not _is_number(measured.get("low")) or not _is_number(measured.get("high")):
        return _MISSING
    low = percent(measured["low"], digits, "down").removesuffix("%")
    return f"{low}–{percent(measured['high'], digits, 'up')}"


def points(difference: Any, digits: int | None = 1) -> str:
    """A difference of two shares in percentage points with ``digits`` decimals; None: as many as it has."""
    if not _is_number(difference):
        return _MISSING
    text = f"{difference * 100:.6g}" if digits is None else f"{round(difference * 100, digits) + 0.0:.{digits}f}"
    return text.replace("-", "−")


def number(value: Any, digits: int = 3) -> str:
    """A number for reading: whole ones as they are, others to ``digits`` significant ones; thousands apart from
    10,000 on."""
    if not _is_number(value):
        return _MISSING
    whole = isinstance(value, int) or abs(value) >= 10 ** (digits - 1)
    text = f"{value:,.0f}" if whole else format(Decimal(f"{value:.{digits}g}"), "f")
    return (text if abs(value) >= 10_000 else text.replace(",", "")).replace("-", "−")


def duration(seconds: Any) -> str:
    """Seconds as ``41 s``, ``3 min 12 s`` or ``2 h 05 min``."""
    if not _is_number(seconds):
        return _MISSING
    if seconds < 10:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    if minutes < 60:
        return f"{minutes} min {rest:02d} s" if minutes else f"{rest} s"
    return f"{minutes // 60} h {minutes % 60:02d} min"


def moment(text: str) -> str:
    """An ISO 8601 time in UTC, to the minute; as it is if it is not one."""
    try:
        return datetime.fromisoformat(text).astimezone(UTC).strftime("%Y-%m-%d %H:%M UTC")
    except ValueError:
        return text


def override_words(override: str | Mapping[str, Any]) -> str:
    """What is to be shown in place of a forgotten concept."""
    if isinstance(override, str):
        return f"“{override}”"
    return "a random remaining concept" if "random" in override else "the remaining concept the judge finds nearest"


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
