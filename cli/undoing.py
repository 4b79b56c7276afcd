"""The request that forgets again without one concept: what ``lethe undo`` submits."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from jobs.record.statement import Statement


class NothingToUndo(ValueError):
    """A concept that cannot be taken out of a sequence; the message says why and what would be right."""


def request_without(concept: str, generator: str, record_of: Callable[[str], Statement]) -> dict[str, Any]:
    """Return the request that starts from the last generator before ``concept`` was forgotten, or from the base model,
    and forgets all that came with it and after it, together. Its other settings are those of ``generator``'s own
    request, but for where it starts where that is the base model: as the first of the sequence did. Its budget is as
    many images as were asked for then.

    Args:
        generator: the newest of the sequence.
        record_of: reads what the record of a generator states.

    Raises:
        NothingToUndo: it has not been forgotten, or nothing else was forgotten since.
    """
    newest = asked = record_of(generator)["predicate"]["request"]
    again: list[dict[str, Any]] = []
    images = 0
    while True:
        parent = asked.get("parent")
        kept = set(parent["kept"]) if parent is not None else set()
        new = [item for item in asked["forget"] if item["concept"] not in kept]
        again, images = [*new, *again], images + asked["budget"]["images"]
        if any(item["concept"] == concept for item in new):
            break
        if parent is None:
            known = ", ".join(item["concept"] for item in again)
            raise NothingToUndo(f"{generator} has not forgotten {concept!r}; it has forgotten {known}")
        asked = record_of(parent["generator"])["predicate"]["request"]
    start = asked["base_model"] if parent is None else parent["generator"]
    forget = [item for item in again if item["concept"] != concept]
    if not forget:
        raise NothingToUndo(f"nothing else was forgotten with {concept!r} or after it: {start} is what is without it")
    first_stage = {name: asked["recipe"][name] for name in ("start", "distil_images")} if parent is None else {}
    settings = ("thresholds", "evaluation", "seed", "retain")
    return {
        "base_model": start,
        "forget": forget,
        "budget": {**newest["budget"], "images": images},
        "recipe": {**newest["recipe"], **first_stage},
        "undoes": {"generator": generator, "concepts": [concept]},
        **{name: newest[name] for name in settings if name in newest},
    }
