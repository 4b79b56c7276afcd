"""The unlearning record: one file for each generator that says what was asked, what ran and what was found, with the
digest of every file, signed. ``docs/record.md`` says how to check one without Lethe.

* ``statement``: what a record holds (an in-toto Statement);
* ``signing``: keys, and the envelope around a statement (DSSE, Ed25519);
* ``releasing``: the record of a generator that was withheld and is released;
* ``tombstone``: what is kept of a job or a generator that was deleted, and how that is checked;
* ``verify``: is this record what a key signed, and is this folder what it speaks of?
"""

from jobs.record.releasing import released
from jobs.record.signing import KeyRefused, generate_key, load_public_key, load_signer, sign
from jobs.record.statement import ANCESTORS, EVALUATION, RECORD, Origin, Release, build_record
from jobs.record.tombstone import Deletion, build_tombstone, is_tombstone, read_deletion, verify_tombstone
from jobs.record.verify import RecordMismatch, Verified, read_record, read_statement, verify

__all__ = [
    "ANCESTORS",
    "EVALUATION",
    "RECORD",
    "Deletion",
    "KeyRefused",
    "Origin",
    "RecordMismatch",
    "Release",
    "Verified",
    "build_record",
    "build_tombstone",
    "generate_key",
    "is_tombstone",
    "load_public_key",
    "load_signer",
    "read_deletion",
    "read_record",
    "read_statement",
    "released",
    "sign",
    "verify",
    "verify_tombstone",
]
