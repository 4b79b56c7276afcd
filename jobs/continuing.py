"""The next request: a job that goes on from a published generator. What that has forgotten is kept forgotten: it is
asked for in every batch as what is newly forgotten is, and judged again in full."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Any

from jobs.generators import Generator
from jobs.job import JsonObject
from sfd_core.errors import FieldError, InvalidRequest

PREFIX = "gen_"
"""What a base model's name begins with where it is a generator."""
INHERITED = ("retain",)
"""Beside the recipe: what the parent's request says, unless the new one says otherwise."""


def going_on(body: Mapping[str, Any], parent: Generator, request: JsonObject) -> dict[str, Any]:
    """Return the ``body`` of a submission whose base model is ``parent`` as one of the model that it came from. What is
    to be forgotten comes first in it, then what is kept forgotten; the recipe is the parent's, with the changes of the
    body.

    Args:
        request: of the job that made the parent.

    Raises:
        InvalidRequest: with every mistake that only such a submission can have.
    """
    errors = _unfit(parent)
    earlier: list[JsonObject] = list(request["forget"])
    asked = body.get("forget")
    new = [item for item in asked if isinstance(item, Mapping)] if isinstance(asked, list) else []
    shown = {item["override"]: item["concept"] for item in earlier if isinstance(item["override"], str)}
    forgotten = {item["concept"] for item in earlier}
    for i, concept in enumerate(item.get("concept") for item in new):
        if not isinstance(concept, str):
            continue  # admission says so
        if concept in forgotten:
            message = f"{concept!r} is forgotten already: {parent.id} has forgotten it, and it is kept forgotten"
            errors.append(FieldError(f"/forget/{i}/concept", message))
        elif concept in shown:
            message = (
                f"{concept!r} is what {parent.id} draws instead of {shown[concept]!r}: forget both again, from "
                f"{parent.base_model}, with another override"
            )
            errors.append(FieldError(f"/forget/{i}/concept", message))
    if errors:
        raise InvalidRequest(tuple(errors))
    recipe, changes = request["recipe"], body.get("recipe", {})
    return {
        **{name: request[name] for name in INHERITED if name in request},
        **body,
        "base_model": parent.base_model,
        "forget": [*asked, *earlier] if isinstance(asked, list) else asked,
        "recipe": {**recipe, "start": "auto", "distil_images": 0, **changes}
        if isinstance(changes, Mapping)
        else changes,
        "parent": {
            "generator": parent.id,
            "record": hashlib.sha256(parent.record.encode()).hexdigest(),
            "kept": [item["concept"] for item in earlier],
            "t_init": recipe["t_init"],
            "steps": recipe["steps"],
            "history": [*request.get("parent", {}).get("history", ()), _measured(parent)],
        },
    }


def _unfit(parent: Generator) -> list[FieldError]:
    if parent.status == "withheld":
        message = f"{parent.id} is withheld: its evaluation is {parent.verdict}. Release it first, or name another"
        return [FieldError("/base_model", message)]
    if not parent.pair:
        message = (
            f"{parent.id} was published by an earlier version, which kept nothing of it that a job could go on from"
        )
        return [FieldError("/base_model", message)]
    return []


def _measured(parent: Generator) -> dict[str, Any]:
    """A generator in the history of those after it."""
    rows = {row["concept"]: row.get("accuracy") for row in parent.figures.get("unlearning", ())}
    return {
        "generator": parent.id,
        "unlearning": {
            concept: {name: accuracy[name] for name in ("value", "low", "high")}
            for concept, accuracy in rows.items()
            if accuracy is not None
        },
    }
