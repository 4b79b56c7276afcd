"""Values that are written as ``a=b`` on the command line."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Any

import typer

RANDOM = "random"
JUDGE = "judge"

FORGET_HELP = (
    "What to forget and what to answer instead: Sneaker=Sandal, Sneaker=random (any concept that remains) or "
    "Sneaker=judge (what the judge sees). Repeat it for several concepts."
)

PROBE_HELP = (
    "Try to bring it back, and report what came of it: relearning, image_start or condition_attack. Repeat it for "
    "several."
)


def parse_forget(items: Iterable[str]) -> dict[str, str | dict[str, bool]]:
    """``A=B``, ``A=random``, ``A=judge`` as {concept: override}, each override as requests write it.

    Raises:
        typer.BadParameter: for an item without both sides, or a concept that is named twice.
    """
    forget: dict[str, str | dict[str, bool]] = {}
    for item in items:
        concept, override = _sides(item, "--forget", "Sneaker=Sandal, Sneaker=random or Sneaker=judge")
        if concept in forget:
            raise typer.BadParameter(f"{concept!r} is named twice", param_hint="--forget")
        forget[concept] = {override: True} if override in (RANDOM, JUDGE) else override
    return forget


def parse_settings(items: Iterable[str], option: str) -> dict[str, Any]:
    """``k=v`` as {k: v}, ``v`` typed as JSON types it (a number, ``true``, ``null``, a quoted string), else
    taken as a string. ``option``: its name on the command line, for the message.

    Raises:
        typer.BadParameter: for an item without both sides, or a key that is given twice.
    """
    settings: dict[str, Any] = {}
    for item in items:
        key, value = _sides(item, option, "alpha=1.2")
        if key in settings:
            raise typer.BadParameter(f"{key!r} is given twice", param_hint=option)
        settings[key] = _typed(value)
    return settings


def parse_numbers(items: Iterable[str], option: str) -> dict[str, float]:
    """As :func:`parse_settings`, where every value must be a number.

    Raises:
        typer.BadParameter: also for a value that is no number.
    """
    settings = parse_settings(items, option)
    for key, value in settings.items():
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise typer.BadParameter(f"{key} must be a number, not {value!r}", param_hint=option)
    return settings


def forget_items(forget: Mapping[str, str | dict[str, bool]]) -> list[dict[str, Any]]:
    """``forget`` as a request's list, for :func:`sfd_core.request.parse_request`."""
    return [{"concept": concept, "override": override} for concept, override in forget.items()]


def _sides(item: str, option: str, example: str) -> tuple[str, str]:
    left, equals, right = (part.strip() for part in item.partition("="))
    if not (left and equals and right):
        raise typer.BadParameter(f"{item!r} must be written like {example}", param_hint=option)
    return left, right


def _typed(text: str) -> Any:
    try:
        return json.loads(text, parse_constant=_no_constant)
    except ValueError:
        return text


def _no_constant(name: str) -> Any:
    """NaN and Infinity are not JSON, and no setting takes them."""
    raise ValueError(name)
