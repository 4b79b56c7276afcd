"""A manifest is refused, or everything that it says can be shown and stored: whatever is written into any of its
fields."""

from __future__ import annotations

import copy
import json
import os
import random
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import orjson
import pytest

from api.schemas.base_models import BaseModelObject
from sfd_core.errors import ModelRefused
from sfd_core.evaluation.poor_base import warnings_about
from sfd_core.families.registry import load_manifest, registered
from sfd_core.json_values import MAX_DEPTH, MAX_WHOLE, faults

MODELS = Path(__file__).resolve().parents[3] / "models"


CASES = 400
"""Of some thousand that there are: they take a minute."""


def nested(depth: int) -> Any:
    value: Any = 1
    for _ in range(depth):
        value = [value]
    return value


NASTY: list[Any] = [
    None,
    True,
    0,
    -1,
    1.5,
    1 << 63,
    10**400,
    -(10**400),
    float("nan"),
    float("inf"),
    "",
    "\ud800",
    "a\0b",
    "x" * 100_000,
    "/etc/passwd",
    "../..",
    [],
    [[]],
    ["\udfff"],
    [10**400] * 3,
    [float("nan")] * 10,
    {},
    {"\ud800": 1},
    {"a": {"b": None}},
    nested(MAX_DEPTH + 1),
    nested(900),
]


def places(value: Any, at: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Where a value can be put in place of another: of a long list or object the first two, all are alike."""
    if at:
        yield at
    inside: list[Any] = []
    if isinstance(value, dict | list):
        inside = list(value.items() if isinstance(value, dict) else enumerate(value))
    for name, within in inside[:2] if at and len(inside) > 12 else inside:
        yield from places(within, (*at, name))


def changed(raw: dict[str, Any], at: tuple[Any, ...], value: Any) -> dict[str, Any]:
    copied: Any = copy.deepcopy(raw)
    inside = copied
    for name in at[:-1]:
        inside = inside[name]
    inside[at[-1]] = value
    return copied  # type: ignore[no-any-return]


@pytest.mark.parametrize("name", ["fashion", "emoji"])
def test_whatever_is_said_is_refused_or_can_be_shown(name: str, tmp_path: Path) -> None:
    raw = json.loads((MODELS / name / "manifest.json").read_text())
    folder = tmp_path / "models" / name
    folder.mkdir(parents=True)
    for file in ("reference.safetensors", "vocabulary.json"):
        if (MODELS / name / file).exists():
            (folder / file).symlink_to(MODELS / name / file)
    shown = refused = 0
    cases = [(at, value) for at in places(raw) for value in NASTY]
    for at, value in random.Random(name).sample(cases, CASES):
        (folder / "manifest.json").write_text(json.dumps(changed(raw, at, value)))
        found = registered([tmp_path / "models"])
        if found.refused:
            assert "cannot be read" not in found.refused[name], (at, value)  # is refused by what looks for it
            refused += 1
        else:
            (model,) = found.models.values()
            assert orjson.loads(BaseModelObject.of(model).model_dump_json())["name"] == model.name
            warnings_about(model, model.concepts[:1])
            shown += 1
    assert refused > CASES / 2
    assert shown > CASES / 50


def as_text(value: Any) -> bytes:
    return json.dumps(value).encode()


BROKEN: dict[str, Callable[[dict[str, Any]], bytes]] = {
    "cut off": lambda raw: b"{",
    "empty": lambda raw: b"",
    "not UTF-8": lambda raw: b'{"title": "\xff"}',
    "a list": lambda raw: b"[]",
    "too deep to be read": lambda raw: b"[" * 100_000,
    "a number of 5000 digits": lambda raw: b'{"schema_version": ' + b"9" * 5000 + b"}",
    "too large": lambda raw: b" " * (1 << 21),
    "half a surrogate pair": lambda raw: as_text(raw | {"title": "\ud800"}),
    "a hub's name": lambda raw: as_text(raw | {"name": "hub:org/name@main"}),
    "no name": lambda raw: as_text(raw | {"name": ""}),
}


@pytest.mark.parametrize("what", BROKEN)
def test_a_manifest_that_is_none_is_refused_beside_the_others(what: str, tmp_path: Path) -> None:
    raw = json.loads((MODELS / "fashion" / "manifest.json").read_text())
    for name, content in {"good": as_text(raw), "bad": BROKEN[what](raw)}.items():
        (tmp_path / name).mkdir()
        (tmp_path / name / "manifest.json").write_bytes(content)
    found = registered([tmp_path])
    assert list(found.models) == ["fashion"]
    assert list(found.refused) == ["bad"]
    assert found.refused["bad"].startswith(f"{tmp_path}/bad/manifest.json: ")
    with pytest.raises(ModelRefused):
        load_manifest(tmp_path / "bad" if "name" not in what else tmp_path / "nothing")


def test_what_is_no_file_is_not_waited_for(tmp_path: Path) -> None:
    for name, make in {"pipe": os.mkfifo, "folder": os.mkdir}.items():
        (tmp_path / name).mkdir()
        make(tmp_path / name / "manifest.json")
    found = registered([tmp_path])
    assert {name: reason.rpartition(": ")[2] for name, reason in found.refused.items()} == {
        "pipe": "not a plain file",
        "folder": "not a plain file",
    }


def test_what_nobody_foresaw_is_one_models_trouble(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    raw = json.loads((MODELS / "fashion" / "manifest.json").read_text())
    for name in ("good", "odd"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "manifest.json").write_text(json.dumps(raw | {"name": name}))

    def load(folder: Path) -> Any:
        if folder.name == "odd":
            raise ZeroDivisionError("by zero")
        return load_manifest(folder)

    monkeypatch.setattr("sfd_core.families.registry.load_manifest", load)
    found = registered([tmp_path])
    assert list(found.models) == ["good"]
    assert found.refused == {"odd": f"{tmp_path}/odd: cannot be read: ZeroDivisionError: by zero"}


def test_every_fault_is_found_where_it_is() -> None:
    value = {"a/b": ["ok", "\ud800"], "n": {"x": 1 << 63, "y": float("nan")}, "\ud801": 1, "d": nested(MAX_DEPTH + 5)}
    found = dict(faults(value))
    assert list(found) == ["/?", "/a~1b/1", "/n/x", "/n/y", "/d" + "/0" * (MAX_DEPTH - 1)]
    fine = {"a": [MAX_WHOLE, -MAX_WHOLE, 1.5, True, None, "\U0001f600"], "d": nested(MAX_DEPTH - 2)}
    assert list(faults(fine)) == []
