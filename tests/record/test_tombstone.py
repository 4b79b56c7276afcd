"""A tombstone and what it says of copies: the record of one that was published still holds, and is the one that the
tombstone names."""

from __future__ import annotations

import hashlib
from dataclasses import replace

import pytest

from jobs.record import RECORD, Deletion, RecordMismatch, build_tombstone, sign, verify, verify_tombstone
from jobs.record.statement import subjects
from tests.record.case import Case


def tombstone_of(case: Case, **changes: object) -> str:
    """The signed tombstone of a case's generator, but for ``changes``."""
    deletion = Deletion(
        deleted="gen_1",
        job="job_1",
        generator="gen_1",
        base_model="tiny",
        base_model_digest="sha256:0",
        verdict="fail",
        record_sha256=hashlib.sha256(case.text.encode()).hexdigest(),
        by="ci (key_1)",
        reason="the contract has ended",
        at="2026-01-01T00:00:00+00:00",
        descendants=["job_2"],
    )
    files = subjects(verify(case.text, case.keys).statement)
    return sign(build_tombstone(replace(deletion, **changes), files), case.signer)  # type: ignore[arg-type]


def test_a_copy_of_what_was_deleted(case: Case) -> None:
    text = tombstone_of(case)
    found = verify_tombstone(text, case.keys, case.folder)
    assert found.files == verify(case.text, case.keys, case.folder).files
    assert subjects(found.statement) == subjects(verify(case.text, case.keys).statement)
    assert verify_tombstone(text, case.keys).files is None


def test_what_is_no_copy_of_it(case: Case) -> None:
    with pytest.raises(RecordMismatch, match="the tombstone names the record 0000"):
        verify_tombstone(tombstone_of(case, record_sha256="0" * 64), case.keys, case.folder)
    with pytest.raises(RecordMismatch, match="the tombstone names the record None"):
        verify_tombstone(tombstone_of(case, record_sha256=None), case.keys, case.folder)
    text = tombstone_of(case)
    (case.folder / "model_index.json").write_bytes(b"{}")
    with pytest.raises(RecordMismatch, match=r"model_index\.json: sha256 is"):
        verify_tombstone(text, case.keys, case.folder)
    (case.folder / RECORD).unlink()
    with pytest.raises(RecordMismatch, match="cannot be read"):
        verify_tombstone(text, case.keys, case.folder)
