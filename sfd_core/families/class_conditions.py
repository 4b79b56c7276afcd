"""The conditions of a class-conditional model: its labels."""

from __future__ import annotations

from collections.abc import Sequence

from sfd_core.families.protocol import ConditionTable
from sfd_core.request.concepts import Forget


def class_conditions(forget: Sequence[Forget], concepts: Sequence[str], dropped: int | None = None) -> ConditionTable:
    """Return what may be asked of a model that knows ``concepts``, and what overrides what is forgotten. ``dropped``:
    the label that asks for no class, where there is one."""
    forgotten = [concepts.index(item.concept) for item in forget]
    remaining = [label for label in range(len(concepts)) if label not in forgotten]
    overrides: dict[int, Sequence[int]] = {}
    judged = []
    for item, label in zip(forget, forgotten, strict=True):
        labels = item.override.labels(remaining, concepts.index)
        if labels is None:
            judged.append(label)
        else:
            overrides[label] = labels
    return ConditionTable([[label] for label in forgotten], remaining, overrides, judged, dropped)
