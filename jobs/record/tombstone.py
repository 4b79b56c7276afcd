"""What is kept of a job or a generator that was deleted: an in-toto Statement whose subject is every file that went,
and whose predicate says who deleted it, when and why, and names the record that was its own by digest. Signed as a
record is. It repeats nothing of the request: no concept, no prompt, no metadata."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from securesystemslib.signer import SSlibKey

from jobs.record.statement import RECORD, STATEMENT_TYPE, Statement
from jobs.record.verify import RecordMismatch, Verified, read_record, read_type, verify

TOMBSTONE_TYPE = "urn:lethe:tombstone:v1"


@dataclass(frozen=True)
class Deletion:
    """A deletion, as it is stated. ``deleted``: the id of the job or the generator, whose ``job`` and ``generator`` are
    named beside it. ``record_sha256``: of the text of the generator's record, None where there was none. ``at``: ISO
    8601. ``descendants``: jobs that started from the generator."""

    deleted: str
    job: str
    generator: str | None
    base_model: str
    base_model_digest: str
    verdict: str | None
    record_sha256: str | None
    by: str
    reason: str
    at: str
    descendants: Sequence[str] = ()


def build_tombstone(deletion: Deletion, files: Mapping[str, str]) -> Statement:
    """Build the statement of a deletion, not yet signed.

    Args:
        files: SHA-256 in hexadecimal of what was deleted by its name in the archive; two of one digest are both named.
    """
    return {
        "_type": STATEMENT_TYPE,
        "subject": [{"name": name, "digest": {"sha256": files[name]}} for name in sorted(files)],
        "predicateType": TOMBSTONE_TYPE,
        "predicate": {**asdict(deletion), "descendants": list(deletion.descendants)},
    }


def is_tombstone(text: str) -> bool:
    """Return whether a record, whoever signed it or did not, is a tombstone.

    Raises:
        RecordMismatch: if it is not spelt as a record.
    """
    return read_type(text) == TOMBSTONE_TYPE


def verify_tombstone(
    text: str, public_keys: Sequence[SSlibKey], folder: Path | None = None, *, unsigned: bool = False
) -> Verified:
    """Check a tombstone; and that ``folder``, a copy that somebody has of the generator, is the one whose record it
    names, and still what that record states.

    Args:
        public_keys, unsigned: as of :func:`jobs.record.verify`.

    Raises:
        RecordMismatch: naming the first thing that does not hold.
    """
    found = verify(text, public_keys, unsigned=unsigned, predicate_type=TOMBSTONE_TYPE)
    if folder is None:
        return found
    try:
        copy = read_record(folder / RECORD)
    except OSError as error:
        raise RecordMismatch(RECORD, f"cannot be read: {error.strerror}") from None
    digest, named = hashlib.sha256(copy.encode()).hexdigest(), found.predicate.get("record_sha256")
    if digest != named:
        raise RecordMismatch(RECORD, f"sha256 is {digest}, the tombstone names the record {named}")
    return replace(found, files=verify(copy, public_keys, folder, unsigned=unsigned).files)


def read_deletion(statement: Mapping[str, Any]) -> Deletion:
    """Read what the statement of a tombstone says of the deletion."""
    return Deletion(**statement["predicate"])
