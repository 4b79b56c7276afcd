"""Values that are written as ``a=b`` on the command line."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from datetime import date, datetime
from pathlib import Path
from typing import Annotated, Any

import typer

DataDir = Annotated[
    Path | None,
    typer.Option(
        envvar="LETHE_DATA_DIR", help="The data folder of `lethe up`; not used where LETHE_DATABASE_URL is set."
    ),
]
"""Of commands that work on the database without the service."""

EXAMPLE = "Sneaker=Sandal, Sneaker=random or Sneaker=judge"

FORGET_HELP = (
    "What to forget and what to answer instead: Sneaker=Sandal, Sneaker=random (any concept that remains) or "
    "Sneaker=judge (what the judge sees). Of a text-to-image model, by its words: pistol='a ripe banana', "
    "pistol=random, pistol=negative:gun (the rest of the prompt, guided away from that), pistol=prompts:FILE (one of "
    "its lines) or pistol=empty (the empty prompt). Repeat it for several concepts."
)

PROBE_HELP = (
    "Attack it with this probe, such as relearning, and report what came of it; docs/report.md has all. Repeat it for "
    "several."
)


def forget_items(items: Iterable[str], column: str | None = None) -> list[dict[str, Any]]:
    """Read ``A=B``, ``A=random``, ``A=negative:B`` and so on as a request's ``forget``. ``column``: as of
    :func:`read_prompts`.

    Raises:
        typer.BadParameter: for an item without both sides, a concept that is named twice, or a file of prompts that
            cannot be read.
    """
    forget: list[dict[str, Any]] = []
    for item in items:
        concept, text = _sides(item, "--forget", EXAMPLE)
        if any(concept == other["concept"] for other in forget):
            raise typer.BadParameter(f"{concept!r} is named twice", param_hint="--forget")
        forget.append({"concept": concept, "override": override_in(text, column)})
    return forget


def override_in(text: str, column: str | None = None) -> str | dict[str, Any]:
    """Read what stands right of ``=`` as requests write an override. ``column``: as of :func:`read_prompts`.

    Raises:
        typer.BadParameter: for a file of prompts that cannot be read.
    """
    from sfd_core.request.overrides import KEYED

    def read_lines(path: str) -> list[str]:
        return read_prompts(Path(path), "--forget", column)

    read = (kind.from_command(text, read_lines) for kind in KEYED.values())
    return next((override for override in read if override is not None), text)


def read_prompts(path: Path, option: str, column: str | None = None) -> list[str]:
    """Read a file of prompts. ``option``: which names it, for the message; ``column``: which has them in a table.

    Raises:
        typer.BadParameter: for a file that cannot be read, with every line that is wrong.
    """
    from sfd_core.errors import PromptFileRefused
    from sfd_core.request.prompt_files import read_prompt_file

    try:
        return list(read_prompt_file(path, column))
    except PromptFileRefused as error:
        raise typer.BadParameter(str(error), param_hint=option) from None


def parse_settings(items: Iterable[str], option: str, example: str = "alpha=1.2") -> dict[str, Any]:
    """Read ``k=v`` as {k: v}, ``v`` typed as JSON types it (a number, ``true``, ``null``, a quoted string), else taken
    as a string. ``option``: its name on the command line, for the message, as is ``example``.

    Raises:
        typer.BadParameter: for an item without both sides, or a key that is given twice.
    """
    settings: dict[str, Any] = {}
    for item in items:
        key, value = _sides(item, option, example)
        if key in settings:
            raise typer.BadParameter(f"{key!r} is given twice", param_hint=option)
        settings[key] = _typed(value)
    return settings


def parse_texts(items: Iterable[str], option: str, example: str) -> dict[str, str]:
    """Read as :func:`parse_settings` does, where every value is a text as it stands.

    Raises:
        typer.BadParameter: for an item without both sides, or a key that is given twice.
    """
    texts: dict[str, str] = {}
    for key, value in (_sides(item, option, example) for item in items):
        if key in texts:
            raise typer.BadParameter(f"{key!r} is given twice", param_hint=option)
        texts[key] = value
    return texts


def parse_numbers(items: Iterable[str], option: str) -> dict[str, float]:
    """Read as :func:`parse_settings` does, where every value must be a number.

    Raises:
        typer.BadParameter: also for a value that is no number.
    """
    settings = parse_settings(items, option)
    for key, value in settings.items():
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise typer.BadParameter(f"{key} must be a number, not {value!r}", param_hint=option)
    return settings


def with_words(
    items: Sequence[Mapping[str, Any]], words: Iterable[str], prompts: Iterable[str], column: str | None = None
) -> list[dict[str, Any]]:
    """Return ``items`` of a request with what ``--words CONCEPT=A,B`` and ``--prompts CONCEPT=FILE`` say of them.
    ``column``: as of :func:`read_prompts`.

    Raises:
        typer.BadParameter: for a concept that is not among the items, or is given twice.
    """
    told = {str(item.get("concept")): dict(item) for item in items}
    for option, key, given in (("--words", "words", words), ("--prompts", "prompts", prompts)):
        seen = set()
        for pair in given:
            concept, value = _sides(pair, option, "pistol=gun,handgun" if key == "words" else "pistol=prompts.txt")
            if concept not in told:
                raise typer.BadParameter(f"{concept!r} is not to be forgotten: see --forget", param_hint=option)
            if concept in seen:
                raise typer.BadParameter(f"{concept!r} is given twice", param_hint=option)
            seen.add(concept)
            told[concept][key] = (
                [word.strip() for word in value.split(",")]
                if key == "words"
                else read_prompts(Path(value), option, column)
            )
    return list(told.values())


def read_time(text: str, option: str, *, whole_day: bool = False) -> str:
    """Read a time as the service takes it (RFC 3339). One without an offset is of this machine's clock; a date alone is
    its beginning, or with ``whole_day`` its end.

    Raises:
        typer.BadParameter: for what is neither.
    """
    try:
        time = datetime.fromisoformat(text)
    except ValueError:
        said = f"{text!r} is no time such as 2026-12-01 or 2026-12-01T17:00:00+01:00"
        raise typer.BadParameter(said, param_hint=option) from None
    if whole_day and _is_date(text):
        time = time.replace(hour=23, minute=59, second=59)
    return (time if time.tzinfo is not None else time.astimezone()).isoformat(timespec="seconds")


def _is_date(text: str) -> bool:
    try:
        date.fromisoformat(text)
    except ValueError:
        return False
    return True


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
