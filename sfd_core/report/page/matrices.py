"""Both confusion matrices, the base model's and the generator's, as tables with a heat for each cell."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from sfd_core.display.numbers import MISSING

MAX_MATRIX = 20
"""Rows of a confusion matrix that a page can show; of more concepts it shows those that changed most."""


def matrices(report: Mapping[str, Any]) -> dict[str, Any] | None:
    """Both matrices as shares of each row, of at most :data:`MAX_MATRIX` concepts: what was forgotten and its
    overrides, then what changed most. None for a report without them."""
    confusion = report.get("confusion")
    if not confusion:
        return None
    concepts = confusion["concepts"]
    teacher, generator = shares(confusion["teacher"]), shares(confusion["generator"])
    named = {item["concept"] for item in report["forget"]}
    overrides = {item["override"] for item in report["forget"] if isinstance(item["override"], str)}

    def importance(i: int) -> tuple[bool, bool, float]:
        change = abs((teacher[i][i] or 0.0) - (generator[i][i] or 0.0))
        return concepts[i] in named, concepts[i] in overrides, change

    shown = sorted(sorted(range(len(concepts)), key=importance, reverse=True)[:MAX_MATRIX])

    def table(matrix: Sequence[Sequence[float | None]]) -> list[list[dict[str, Any]]]:
        return [[_cell(matrix[i][j], i == j) for j in shown] for i in shown]

    return {
        "concepts": [concepts[i] for i in shown],
        "of": len(concepts),
        "forgotten": named,
        "tables": (("Base model", table(teacher)), ("Generator", table(generator))),
    }


def teacher_shows(report: Mapping[str, Any], concept: str) -> float | None:
    """Share of the base model's images asked for ``concept`` in which the judge sees it."""
    confusion = report.get("confusion")
    if not confusion or concept not in confusion["concepts"]:
        return None
    i: int = confusion["concepts"].index(concept)
    return shares(confusion["teacher"])[i][i]


def shares(matrix: Sequence[Sequence[float]]) -> list[list[float | None]]:
    """A matrix of counts or of shares, each row divided by its sum; None in a row without an image."""
    return [[cell / total if (total := sum(row)) else None for cell in row] for row in matrix]


def _cell(share: float | None, diagonal: bool) -> dict[str, Any]:
    """A cell's text (whole per cent; nothing below half of one) and its heat in eleven steps, as a class."""
    if share is None:
        return {"text": MISSING, "heat": "heat-0", "diagonal": diagonal}
    text = f"{share * 100:.0f}" if share >= 0.005 else ""
    return {"text": text, "heat": f"heat-{math.ceil(share * 10 - 1e-9) if text else 0}", "diagonal": diagonal}
