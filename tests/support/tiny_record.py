"""A record as small as one can be, in the envelope of a real one: it names files, and has no story to tell."""

from __future__ import annotations

from collections.abc import Mapping

from jobs.job import StoredFile
from jobs.record import EVALUATION, sign


def tiny_record(generator: Mapping[str, StoredFile], report: Mapping[str, StoredFile], verdict: str) -> str:
    """The unsigned record of a generator's and its report's files."""
    files = {**generator, **{f"{EVALUATION}/{name}": file for name, file in report.items()}}
    statement = {
        "_type": "https://in-toto.io/Statement/v1",
        "subject": [{"name": name, "digest": {"sha256": files[name].sha256}} for name in sorted(files)],
        "predicateType": "urn:lethe:unlearning-record:v1",
        "predicate": {"verdict": verdict, "release": None},
    }
    return sign(statement, None)
