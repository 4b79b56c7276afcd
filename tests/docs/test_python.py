"""Every Python block that a document prints is run, one document's blocks in order and with what came before."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.docs.conftest import Shell
from tests.docs.reading import DOCUMENTS, ROOT, blocks
from tests.docs.tables import quick

IN_A_CHECKOUT = ("README.md",)
IN_AN_ARCHIVE = ("docs/record.md",)
BESIDE_A_REPORT = ("docs/report.md",)


def run(document: str) -> dict[str, object]:
    """Run the blocks of a document in this folder. What they have left: names and values."""
    names: dict[str, object] = {}
    for block in blocks(ROOT / document, "python"):
        code = "\n" * (block.line - 1) + quick(block.code)
        exec(compile(code, str(ROOT / document), "exec"), names)
    return names


@pytest.mark.parametrize("document", IN_A_CHECKOUT)
def test_in_a_checkout(document: str, checkout: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(checkout)
    assert "pipe" in run(document)


@pytest.mark.parametrize("document", IN_AN_ARCHIVE)
def test_in_an_archive(document: str, archive: Shell, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(archive.folder)
    assert "statement" in run(document)


@pytest.mark.parametrize("document", BESIDE_A_REPORT)
def test_beside_a_report(
    document: str, archive: Shell, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(archive.folder / "evaluation")
    run(document)
    assert "red" in capsys.readouterr().out


def test_no_block_is_left_out() -> None:
    known = {*IN_A_CHECKOUT, *IN_AN_ARCHIVE, *BESIDE_A_REPORT}
    assert {str(path.relative_to(ROOT)) for path in DOCUMENTS if blocks(path, "python")} == known
