"""Where two independent judges disagree. A rate that only one of them sees says something of that judge."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from sfd_core.display.numbers import percent
from sfd_core.evaluation.judged import Judged
from sfd_core.evaluation.rates import Labels, plain, rate
from sfd_core.evaluation.reference import Reference, ReferenceSet


def agreement(
    judged: Judged, reference: Reference, concepts: Sequence[str], forgotten: Sequence[int]
) -> dict[str, Any] | None:
    """How often both judges see the same concept: in the generator's images, the teacher's and real ones; for each
    forgotten concept how many images only one of them, or both, say still show it. ``None`` without a second judge."""
    if reference.real.second_seen is None or any(seen.second is None for seen in judged.by_label.values()):
        return None
    labels = sorted(judged.by_label)
    first = {label: judged.by_label[label].seen for label in labels}
    second = {label: second.seen for label in labels if (second := judged.by_label[label].second) is not None}
    generator = rate(np.concatenate([first[label] == second[label] for label in labels]))
    teacher, real = (rate(_same(part)) for part in (reference.teacher, reference.real))
    rows = [
        {
            "concept": concepts[label],
            "n": len(first[label]),
            "only_first": int(((first[label] == label) & (second[label] != label)).sum()),
            "only_second": int(((first[label] != label) & (second[label] == label)).sum()),
            "both": int(((first[label] == label) & (second[label] == label)).sum()),
        }
        for label in forgotten
    ]
    return {
        "generator": plain(generator),
        "teacher": plain(teacher),
        "real": plain(real),
        "by_concept": [
            {
                "concept": concepts[label],
                "generator": float((first[label] == second[label]).mean()),
                "teacher": float(_same(reference.teacher.only([label])).mean()),
                "real": float(_same(reference.real.only([label])).mean()),
            }
            for label in labels
        ],
        "forgotten": rows,
        "statement": _statement(generator.value, real.value, rows),
    }


def _same(part: ReferenceSet) -> np.ndarray[Any, np.dtype[np.bool_]]:
    second: Labels | None = part.second_seen
    assert second is not None
    same: np.ndarray[Any, np.dtype[np.bool_]] = part.seen == second
    return same


def _statement(generator: float, real: float, forgotten: Sequence[dict[str, Any]]) -> str:
    said = [
        f"Of {row['n']} images asked for {row['concept']}, the judge still sees it in "
        f"{row['only_first'] + row['both']}, the second judge in {row['only_second'] + row['both']}, "
        f"both in {row['both']}."
        for row in forgotten
    ]
    said.append(
        f"The two see the same concept in {percent(generator)} of the generator's images and {percent(real)} of real "
        "ones."
    )
    return " ".join(said)
