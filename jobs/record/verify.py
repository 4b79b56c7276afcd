"""Is this record what a key signed, and is this folder what the record speaks of? Offline: needs neither the service
nor its database.

:func:`verify` stops at the first thing that does not hold and names it. Its order: the envelope's spelling, its key,
its signature, the files of the folder by name, what the report in the folder says, and last the records of the
generators that it came from, each by the digest that the record after it states.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from securesystemslib.dsse import Envelope
from securesystemslib.exceptions import FormatError, UnverifiedSignatureError
from securesystemslib.signer import Signature, SSlibKey

from jobs.ids import is_id
from jobs.record.signing import PAYLOAD_TYPE, encode
from jobs.record.statement import (
    ANCESTORS,
    EVALUATION,
    PREDICATE_TYPE,
    RECORD,
    STATEMENT_TYPE,
    Statement,
    from_report,
    subjects,
)
from sfd_core.base_model.manifest import file_sha256

MAX_RECORD_BYTES = 16 << 20
REPORT = f"{EVALUATION}/report.json"


class RecordMismatch(ValueError):
    """Something does not hold. ``where``: the file, or the field of the record."""

    def __init__(self, where: str, what: str) -> None:
        super().__init__(f"{where}: {what}")
        self.where, self.what = where, what


@dataclass(frozen=True)
class Verified:
    """A record that holds. ``key_id``: whose signature it has, None if it was taken without one. ``files``: how many
    were compared, None if no folder was given. ``ancestors``: ids of the generators that it came from, the newest
    first, whose records in that folder hold too."""

    statement: Statement
    key_id: str | None
    files: int | None
    ancestors: tuple[str, ...] = ()

    @property
    def predicate(self) -> dict[str, Any]:
        """What the record says of the run."""
        predicate: dict[str, Any] = self.statement["predicate"]
        return predicate


def read_record(path: Path) -> str:
    """Read the text of a record, byte for byte.

    Raises:
        RecordMismatch: if it is too large or no text of a record.
        OSError: if it cannot be read.
    """
    if path.stat().st_size > MAX_RECORD_BYTES:
        raise RecordMismatch(str(path), f"larger than {MAX_RECORD_BYTES} bytes, no record is")
    try:
        return path.read_bytes().decode("ascii")
    except UnicodeDecodeError as error:
        raise RecordMismatch("envelope", f"byte {error.start} is not ASCII") from None


def verify(
    text: str,
    public_keys: Sequence[SSlibKey],
    folder: Path | None = None,
    *,
    unsigned: bool = False,
    predicate_type: str = PREDICATE_TYPE,
) -> Verified:
    """Check a record, and the generator in ``folder`` (an unpacked archive) against it.

    Args:
        public_keys: keys that are trusted, retired ones included; the record names the one that signed it.
        unsigned: take a record that has no signature, which anybody may have written. Never a wrong signature.
        predicate_type: what it must be a statement of.

    Raises:
        RecordMismatch: naming the first thing that does not hold.
    """
    statement, key_id = _signed(text, public_keys, folder, unsigned, predicate_type)
    if folder is None:
        return Verified(statement, key_id, None)
    files = _check_folder(statement, folder, text)
    return Verified(statement, key_id, files, tuple(_ancestors(statement, folder, public_keys, unsigned)))


def _signed(
    text: str,
    public_keys: Sequence[SSlibKey],
    folder: Path | None,
    unsigned: bool,
    predicate_type: str = PREDICATE_TYPE,
) -> tuple[Statement, str | None]:
    """What a record states, and the id of the key that signed it."""
    envelope = _envelope(text)
    key = None if unsigned and not envelope.signatures else _trusted_key(envelope, public_keys)
    if key is not None:
        try:
            key.verify_signature(envelope.signatures[key.keyid], envelope.pae())
        except UnverifiedSignatureError:
            hint = _contradiction(envelope, folder, text, predicate_type)
            raise RecordMismatch("payload", f"payload and signature do not belong together{hint}") from None
    return _statement(envelope, predicate_type), None if key is None else key.keyid


def _ancestors(statement: Statement, folder: Path, public_keys: Sequence[SSlibKey], unsigned: bool) -> Iterator[str]:
    """The ids of the generators that it came from, one after the other, as far back as the sequence goes."""
    while (parent := _parent(statement)) is not None:
        name, stated = parent
        where = f"{ANCESTORS}/{name}.json"
        path = folder / ANCESTORS / f"{name}.json"
        if not is_id("gen", name) or not path.is_file():
            raise RecordMismatch(where, "is missing from the folder: a record after it goes on from it")
        if (digest := file_sha256(path)) != stated:
            raise RecordMismatch(where, f"sha256 is {digest}, the record after it states {stated}")
        try:
            statement, _ = _signed(read_record(path), public_keys, None, unsigned)
        except RecordMismatch as mismatch:
            raise RecordMismatch(where, str(mismatch)) from None
        yield name


def _parent(statement: Statement) -> tuple[str, str] | None:
    """The id of what a run went on from, and the digest of its record."""
    request = statement["predicate"].get("request")
    if not isinstance(request, dict) or "parent" not in request:
        return None
    match request["parent"]:
        case {"generator": str(name), "record": str(digest)}:
            return name, digest
    raise RecordMismatch("payload.predicate.request.parent", "must name a generator and the digest of its record")


def read_statement(text: str, predicate_type: str = PREDICATE_TYPE) -> Statement:
    """Read what a record states, whoever signed it or did not.

    Raises:
        RecordMismatch: if it is not spelt as a record.
    """
    return _statement(_envelope(text), predicate_type)


def read_type(text: str) -> object:
    """Read what a record is a statement of, by its ``predicateType``.

    Raises:
        RecordMismatch: if it is not spelt as a record.
    """
    return _payload(_envelope(text))["predicateType"]


def _envelope(text: str) -> Envelope:
    """The envelope that ``text`` spells, if it is spelt in the one right way."""
    try:
        data = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise RecordMismatch("envelope", f"not JSON: {error}") from None
    _check_keys("envelope", data, {"payload", "payloadType", "signatures"})
    if not isinstance(data["payload"], str):
        raise RecordMismatch("envelope.payload", "must be text")
    if data["payloadType"] != PAYLOAD_TYPE:
        raise RecordMismatch("envelope.payloadType", f"must be {PAYLOAD_TYPE!r}, not {data['payloadType']!r}")
    if not isinstance(data["signatures"], list) or len(data["signatures"]) > 1:
        raise RecordMismatch("envelope.signatures", "must be a list of one signature, or of none")
    for signature in data["signatures"]:
        _check_keys("envelope.signatures[0]", signature, {"keyid", "sig"})
        if not all(isinstance(value, str) for value in signature.values()):
            raise RecordMismatch("envelope.signatures[0]", "keyid and sig must be text")
    try:
        envelope = Envelope.from_dict(data)
    except (ValueError, TypeError, FormatError) as error:
        raise RecordMismatch("envelope", f"payload or signature is not base64: {error}") from None
    if (right := encode(envelope)) != text:
        at = next(i for i, pair in enumerate(zip(text + "\0", right + "\0", strict=False)) if pair[0] != pair[1])
        raise RecordMismatch("envelope", f"not spelt as records are, at byte {at} (white space, order or base64)")
    return envelope


def _check_keys(where: str, data: object, keys: set[str]) -> None:
    if not isinstance(data, dict) or set(data) != keys:
        raise RecordMismatch(where, f"must be an object of {', '.join(sorted(keys))} and nothing else")


def _trusted_key(envelope: Envelope, public_keys: Sequence[SSlibKey]) -> SSlibKey:
    """The key that the record names, if it is one of ``public_keys``."""
    signature: Signature | None = next(iter(envelope.signatures.values()), None)
    if signature is None:
        raise RecordMismatch("envelope.signatures", "this record is unsigned: anybody may have written it")
    for key in public_keys:
        if key.keyid == signature.keyid:
            return key
    given = ", ".join(key.keyid for key in public_keys) or "none"
    raise RecordMismatch("envelope.signatures[0].keyid", f"{signature.keyid!r} is not a key that is trusted ({given})")


def _payload(envelope: Envelope) -> dict[str, Any]:
    try:
        statement = json.loads(envelope.payload)
    except (ValueError, RecursionError) as error:
        raise RecordMismatch("payload", f"not JSON: {error}") from None
    _check_keys("payload", statement, {"_type", "subject", "predicateType", "predicate"})
    found: dict[str, Any] = statement
    return found


def _statement(envelope: Envelope, predicate_type: str = PREDICATE_TYPE) -> Statement:
    statement = _payload(envelope)
    if not isinstance(statement["subject"], list):
        raise RecordMismatch("payload.subject", "must be a list of files")
    for name, right in (("_type", STATEMENT_TYPE), ("predicateType", predicate_type)):
        if statement[name] != right:
            raise RecordMismatch(f"payload.{name}", f"is {statement[name]!r}, this Lethe reads {right!r}")
    if not isinstance(statement["predicate"], dict):
        raise RecordMismatch("payload.predicate", "must be an object")
    names = [_subject_name(i, subject) for i, subject in enumerate(statement["subject"])]
    if len(set(names)) != len(names):
        raise RecordMismatch("payload.subject", "names a file twice")
    return statement


def _subject_name(i: int, subject: object) -> str:
    match subject:
        case {"name": str(name), "digest": {"sha256": str(), **others}, **more} if not others and not more:
            return name
    raise RecordMismatch(f"payload.subject[{i}]", "must be a name and a sha256 digest, and nothing else")


def _check_folder(statement: Statement, folder: Path, text: str) -> int:
    """Compare every file of ``folder``; the number of those that the record speaks of."""
    if not folder.is_dir():
        raise RecordMismatch(str(folder), "no such folder")
    expected, found = subjects(statement), dict(_files(folder))
    for name, stated in sorted(expected.items()):
        if name not in found:
            raise RecordMismatch(name, "is missing from the folder")
        if (digest := file_sha256(found[name])) != stated:
            raise RecordMismatch(name, f"sha256 is {digest}, the record states {stated}")
    for name, path in sorted(found.items()):
        if name == RECORD:
            if path.read_bytes() != text.encode():
                raise RecordMismatch(name, "the record in the folder is another one")
        elif name not in expected:
            raise RecordMismatch(ascii(name), "the record does not speak of this file")
    if REPORT in expected:
        _check_report(statement["predicate"], found[REPORT])
    return len(expected)


def _files(folder: Path) -> Iterator[tuple[str, Path]]:
    """Every file below ``folder`` by its name there. A link is none: what it leads to can change."""
    for root, folders, names in os.walk(folder):
        for name in sorted([*folders, *names]):
            path = Path(root, name)
            relative = path.relative_to(folder).as_posix()
            if path.is_symlink():
                raise RecordMismatch(ascii(relative), "is a symbolic link; an archive has none")
            if path.is_file():
                yield relative, path
            elif not path.is_dir():
                raise RecordMismatch(ascii(relative), "is not a regular file")


def _check_report(predicate: Mapping[str, Any], path: Path) -> None:
    """What the record repeats of the report must be what the report says."""
    try:
        repeated = from_report(json.loads(path.read_bytes()))
    except (ValueError, RecursionError, KeyError, TypeError, AttributeError) as error:
        raise RecordMismatch(REPORT, f"is no report of a run: {error!r}") from None
    for name, said in repeated.items():
        difference = _difference(f"payload.predicate.{name}", predicate.get(name), said)
        if difference is not None:
            where, stated, reported = difference
            raise RecordMismatch(where, f"the record states {stated!r}, {REPORT} says {reported!r}")


def _difference(where: str, a: object, b: object) -> tuple[str, object, object] | None:
    """The first place at which two JSON values differ, and both values there."""
    if isinstance(a, dict) and isinstance(b, dict) and set(a) == set(b):
        pairs = [_difference(f"{where}.{name}", a[name], b[name]) for name in sorted(a)]
    elif isinstance(a, list) and isinstance(b, list) and len(a) == len(b):
        pairs = [_difference(f"{where}[{i}]", x, y) for i, (x, y) in enumerate(zip(a, b, strict=True))]
    else:
        return None if a == b and type(a) is type(b) else (where, a, b)
    return next((pair for pair in pairs if pair is not None), None)


def _contradiction(envelope: Envelope, folder: Path | None, text: str, predicate_type: str) -> str:
    """A payload that nobody signed: what in it the folder contradicts, as a help to find what was changed."""
    try:
        statement = _statement(envelope, predicate_type)
        if folder is not None:
            _check_folder(statement, folder, text)
    except RecordMismatch as mismatch:
        return f": {mismatch}"
    return ": something was changed after signing"
