"""A byte order mark, with which some editors begin a file, makes no difference where a user's file is read."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from sfd_core.base_model.configs import read_config
from sfd_core.base_model.vocabulary import load_vocabulary
from sfd_core.families.registry import load_manifest
from sfd_core.text_files import read_json, text_of

MARK = b"\xef\xbb\xbf"
EMOJI = Path("models/emoji")


@pytest.mark.parametrize(
    ("read", "name"),
    [(read_config, "model_index.json"), (load_vocabulary, "vocabulary.json"), (read_json, "manifest.json")],
)
def test_a_file_reads_the_same_with_it(read: Callable[[Path], Any], name: str, tmp_path: Path) -> None:
    path = tmp_path / name
    path.write_bytes(MARK + (EMOJI / name).read_bytes())
    assert read(path) == read(EMOJI / name)


def test_so_does_a_manifest(tmp_path: Path) -> None:
    said = json.loads((EMOJI / "manifest.json").read_bytes())
    (tmp_path / "vocabulary.json").write_bytes((EMOJI / "vocabulary.json").read_bytes())
    (tmp_path / "manifest.json").write_bytes(MARK + json.dumps(said).encode())
    assert load_manifest(tmp_path).digest == load_manifest(EMOJI).digest


def test_text_that_is_not_utf_8_is_an_error() -> None:
    assert text_of(MARK + b"a") == text_of(b"a") == "a"
    with pytest.raises(UnicodeDecodeError):
        text_of(b"\xff\xfea\0")
