"""Nothing can be changed unseen: the corpus of corrupted records, and every single byte of an envelope."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path

import pytest

from jobs.record import RECORD, RecordMismatch, generate_key, load_signer, sign, verify
from jobs.record.statement import Release, with_release
from jobs.record.verify import read_record, read_statement
from tests.record.case import Case, flipped
from tests.record.corpus import mutations


def test_the_original_holds(original: Case) -> None:
    original.verify()
    verified = verify(original.text, original.keys, original.folder)
    assert verified.key_id == original.signer.public_key.keyid
    assert verified.files == len([p for p in original.folder.rglob("*") if p.is_file()]) - 1


def test_every_mutation_is_caught_and_named(original: Case, tmp_path: Path) -> None:
    counts: Counter[str] = Counter()
    for i, mutation in enumerate(mutations(original)):
        case = mutation.apply(original.copy(tmp_path / str(i) / "copy"))
        with pytest.raises(RecordMismatch) as caught:
            case.verify()
        named = mutation.names in caught.value.where or mutation.names in caught.value.what
        assert named, f"{mutation.part}: {mutation.what}: {caught.value}"
        counts[mutation.part] += 1
    assert sum(counts.values()) >= 60
    assert all(counts[part] for part in ("spelling", "envelope", "signature", "key", "field changed", "file changed"))


def test_mutations_of_the_same_case_all_differ(original: Case) -> None:
    names = [(mutation.part, mutation.what) for mutation in mutations(original)]
    assert len(set(names)) == len(names)


def test_no_byte_of_an_envelope_is_loose(original: Case) -> None:
    """Every bit at both ends, where the envelope's own fields and the padding lie; between them, within the payload,
    one bit of each byte (``python -m benchmarks.records`` turns over all of them)."""
    content = original.text.encode()
    for i in range(len(content)):
        for bit in range(8) if i < 50 or i >= len(content) - 200 else (i % 8,):
            changed = flipped(content, i, bit).decode("latin-1")
            with pytest.raises(RecordMismatch):
                verify(changed, original.keys)


def test_a_changed_field_that_the_report_repeats_is_named(case: Case) -> None:
    statement = read_statement(case.text)
    statement["predicate"]["verdict"] = "pass" if statement["predicate"]["verdict"] != "pass" else "fail"
    forged = case.with_text(sign(statement, None)).with_envelope(signatures=json.loads(case.text)["signatures"])
    with pytest.raises(RecordMismatch, match=r"do not belong together: payload\.predicate\.verdict: the record states"):
        forged.verify()


def test_a_signed_record_that_contradicts_its_report_does_not_hold(case: Case) -> None:
    """A key is no excuse: the report that it signed along says something else."""
    statement = read_statement(case.text)
    statement["predicate"]["criteria"][0]["decision"] = "x"
    with pytest.raises(RecordMismatch, match=r"payload\.predicate\.criteria\[0\]\.decision: the record states 'x'"):
        case.with_text(sign(statement, case.signer)).verify()


def test_the_record_itself_may_lie_elsewhere(case: Case) -> None:
    (case.folder / RECORD).unlink()
    case.verify()


def test_records_of_retired_keys_hold(case: Case, tmp_path: Path) -> None:
    generate_key(tmp_path / "new")
    signer = load_signer(tmp_path / "new")
    keys = (*case.keys, signer.public_key)
    assert verify(case.text, keys, case.folder).key_id == case.signer.public_key.keyid
    renewed = case.with_text(sign(read_statement(case.text), signer))
    assert verify(renewed.text, keys, case.folder).key_id == signer.public_key.keyid
    with pytest.raises(RecordMismatch, match="is not a key that is trusted"):
        verify(renewed.text, case.keys, case.folder)


def test_a_released_record_holds(case: Case) -> None:
    release = Release("ada", "for the appeal", "2026-01-01T00:00:00+00:00")
    statement = with_release(read_statement(case.text), release, "0" * 64)
    verified = verify(case.with_text(sign(statement, case.signer)).text, case.keys, case.folder)
    assert verified.predicate["release"]["reason"] == "for the appeal"
    assert verified.predicate["verdict"] == read_statement(case.text)["predicate"]["verdict"]


def test_unsigned_is_said_and_taken_only_when_asked_for(case: Case) -> None:
    unsigned = case.with_text(sign(read_statement(case.text), None))
    with pytest.raises(RecordMismatch, match="this record is unsigned"):
        unsigned.verify()
    verified = verify(unsigned.text, [], unsigned.folder, unsigned=True)
    assert verified.key_id is None
    assert verified.files
    with pytest.raises(RecordMismatch, match="trusted"):
        verify(case.text, [], unsigned=True)


def test_an_unsigned_record_is_still_held_against_its_files(case: Case) -> None:
    unsigned = case.with_text(sign(read_statement(case.text), None))
    (case.folder / "unet" / "config.json").write_text("{}")
    with pytest.raises(RecordMismatch, match=r"unet/config\.json: sha256 is"):
        verify(unsigned.text, [], unsigned.folder, unsigned=True)


@pytest.mark.parametrize(
    ("subject", "message"),
    [
        ("x", "payload.subject: must be a list"),
        ([{"name": "a"}], r"payload.subject\[0\]"),
        ([{"name": "a", "digest": {"sha256": "0", "md5": "0"}}], r"payload.subject\[0\]"),
        ([{"name": "a", "digest": {"sha256": "0"}}] * 2, "names a file twice"),
    ],
)
def test_a_statement_of_another_shape_is_refused(case: Case, subject: object, message: str) -> None:
    statement = {**read_statement(case.text), "subject": subject}
    with pytest.raises(RecordMismatch, match=message):
        verify(sign(statement, case.signer), case.keys)


@pytest.mark.parametrize("field", ["_type", "predicateType"])
def test_another_type_is_refused(case: Case, field: str) -> None:
    with pytest.raises(RecordMismatch, match=f"payload.{field}: is 'x'"):
        verify(sign({**read_statement(case.text), field: "x"}, case.signer), case.keys)


def test_a_file_that_is_no_record(tmp_path: Path) -> None:
    path = tmp_path / "record"
    path.write_bytes(b"\xff")
    with pytest.raises(RecordMismatch, match="byte 0 is not ASCII"):
        read_record(path)
    path.write_bytes(bytes(17 << 20))
    with pytest.raises(RecordMismatch, match="larger than"):
        read_record(path)
    for text in ("", "[]", "{}", "[" * 100_000):
        with pytest.raises(RecordMismatch, match="envelope"):
            verify(text, [])
