"""Every number of every configuration of a model's folder at values that mean nothing: it is refused in words, or what
it says is read; nothing else is raised."""

from __future__ import annotations

import json
import math
import random
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from sfd_core.errors import ModelRefused
from tests.support.tiny_model import make_tiny_model
from tests.support.tiny_parts import listed_again
from tests.support.tiny_text_model import make_tiny_text_model
from tests.unit.families.test_hostile_folders import read

VALUES: dict[str, Any] = {"0": 0, "-1": -1, "10^9": 10**9, "NaN": math.nan, "text": "7"}


def numbers(value: Any, at: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Where the numbers stand."""
    if isinstance(value, int | float) and not isinstance(value, bool):
        yield at
    inside = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for name, within in inside:
        yield from numbers(within, (*at, name))


def changed(raw: Any, at: tuple[Any, ...], value: Any) -> Any:
    if not at:
        return value
    copied = dict(raw) if isinstance(raw, dict) else list(raw)
    copied[at[0]] = changed(raw[at[0]], at[1:], value)
    return copied


@pytest.mark.parametrize("kind", ["classes", "text"])
def test_it_is_refused_or_read(kind: str, tmp_path: Path, full: bool, figure: Callable[[str], None]) -> None:
    good = tmp_path / "good"
    make_tiny_model(good) if kind == "classes" else make_tiny_text_model(good, domains=True)
    read(good)
    configs = [path.relative_to(good) for path in sorted(good.rglob("*.json")) if path.stat().st_size < 65536]
    cases = [
        (config, at, value)
        for config in configs
        if "tokenizer" not in config.parts
        for at in numbers(json.loads((good / config).read_text()))
        for value in VALUES
    ]
    some = cases if full else random.Random(38).sample(cases, 40)
    refused = taken = 0
    for config, at, value in some:
        folder = tmp_path / "changed"
        shutil.copytree(good, folder, symlinks=True)
        raw = json.loads((folder / config).read_text())
        (folder / config).write_text(json.dumps(changed(raw, at, VALUES[value])))
        try:
            if config.name != "manifest.json":
                listed_again(folder)
            read(folder)
            taken += 1
        except ModelRefused as error:
            refused += str(folder) in str(error)
        except Exception as error:
            raise AssertionError(f"{config} {at} = {value}: {type(error).__name__}: {error}") from error
        finally:
            shutil.rmtree(folder)
    assert refused + taken == len(some), "a refusal does not name the folder"
    assert refused > len(some) / 4
    figure(f"{kind}: {len(some)} of {len(cases)} values: {refused} refused in words, the others read")
