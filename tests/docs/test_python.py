"""Every Python block that a document prints is run, one document's blocks in order and with what came before."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import orjson
import pytest
from standardwebhooks import WebhookVerificationError

from telling.kinds.webhook import new_secret, signed
from telling.message import Message
from tests.docs.conftest import Shell
from tests.docs.reading import DOCUMENTS, ROOT, blocks
from tests.docs.tables import quick

IN_A_CHECKOUT = ("README.md",)
IN_AN_ARCHIVE = ("docs/record.md",)
BESIDE_A_REPORT = ("docs/report.md",)
AT_A_RECEIVER = ("docs/webhooks.md",)


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


@pytest.mark.parametrize("document", AT_A_RECEIVER)
def test_at_a_receiver(document: str) -> None:
    """The message that it prints has what messages have, and what it prints to receive one takes it once."""
    receive: Any = run(document)["receive"]
    (printed,) = blocks(ROOT / document, "json")
    told = orjson.loads(printed.code)
    data = told["data"]
    same = {name: data[name] for name in ("status", "verdict", "attempt", "seq", "generator", "error", "links")}
    at = datetime.fromisoformat(told["timestamp"])
    body = Message(id="dlv_1", type=told["type"], at=at, job_id=data["id"], **same).body()
    assert orjson.loads(body) == told
    secret = new_secret()
    headers = signed("dlv_1", body, [secret], datetime.now(UTC))
    assert receive(body, headers, secret) == f"{data['id']} succeeded"
    assert receive(body, headers, secret) == "known"
    with pytest.raises(WebhookVerificationError):
        receive(body, headers, new_secret())


def test_no_block_is_left_out() -> None:
    known = {*IN_A_CHECKOUT, *IN_AN_ARCHIVE, *BESIDE_A_REPORT, *AT_A_RECEIVER}
    assert {str(path.relative_to(ROOT)) for path in DOCUMENTS if blocks(path, "python")} == known
