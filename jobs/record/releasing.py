"""A new record for a generator that was withheld and is released. It speaks for the one that it replaces, so that one
is verified first: a record that was tampered with where it is kept must not come out of a release with a good
signature."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

from securesystemslib.signer import CryptoSigner, SSlibKey

from jobs.record.signing import sign
from jobs.record.statement import Release, with_release
from jobs.record.verify import verify


def released(record: str, release: Release, signer: CryptoSigner | None, trusted: Sequence[SSlibKey]) -> str:
    """Write the record of a released generator, which names the record that it replaces. An unsigned one stays
    unsigned: nobody can say where it comes from.

    Args:
        record: the text of the record so far.
        trusted: public keys that may have signed it, retired ones included.

    Raises:
        RecordMismatch: ``record`` is not what one of the ``trusted`` keys signed.
        ValueError: it is signed, and there is no ``signer`` for the new one.
    """
    found = verify(record, trusted, unsigned=True)
    if found.key_id is not None and signer is None:
        raise ValueError("a signed record is not replaced by one without a signature")
    statement = with_release(found.statement, release, hashlib.sha256(record.encode()).hexdigest())
    return sign(statement, None if found.key_id is None else signer)
