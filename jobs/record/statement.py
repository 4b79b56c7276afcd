"""What an unlearning record holds: an in-toto Statement (v1) whose subject is every file of the generator and of its
report, and whose predicate is the story of the run.

Names are those of the archive: the diffusers folder at the top, the report below ``evaluation/``, and the record
itself, which is no subject of its own, in ``unlearning-record.json``.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from typing import Any

from sfd_core.base_model.manifest import BaseModel

RECORD = "unlearning-record.json"
"""The record's own name in an archive."""
ANCESTORS = "ancestors"
"""The folder in an archive of the records of the generators that it came from: a file each, by id."""
EVALUATION = "evaluation"
"""The report's folder in an archive."""
STATEMENT_TYPE = "https://in-toto.io/Statement/v1"
PREDICATE_TYPE = "urn:lethe:unlearning-record:v1"
DELETED = "not published; deleted with the run's work folder once the run is over"
KEPT = "kept by the service, so that a later job can go on from it; handed out to nobody"
IMAGE_SEEDS = "image i of class label k is made from seed 1000000000 + 1000000 k + i"
"""``sfd_core.evaluation.concept_images.seeds_of`` in words; a test holds them together."""

Statement = dict[str, Any]


@dataclass(frozen=True)
class Origin:
    """The origin of a run: who asked for it. A run of ``lethe unlearn`` has no job and nobody but whoever typed it."""

    job: str | None = None
    attempt: int | None = None
    tenant: str | None = None
    metadata: Mapping[str, Any] = field(default_factory=dict)


def build_record(
    report: Mapping[str, Any],
    request: Mapping[str, Any],
    model: BaseModel,
    environment: Mapping[str, Any],
    generator_files: Mapping[str, str],
    report_files: Mapping[str, str],
    origin: Origin | None = None,
) -> Statement:
    """Build the record of one run, not yet signed and not released.

    Args:
        report: the report's JSON.
        request: the JSON of an ``UnlearningRequest``: every default written out.
        model: the base model that it started from.
        environment: ``sfd_core.environment.environment()`` of the process that trained.
        generator_files: SHA-256 in hexadecimal by name within the generator's folder, its card included.
        report_files: the same of the report's folder.
    """
    origin = origin or Origin()
    files = {**generator_files, **{f"{EVALUATION}/{name}": digest for name, digest in report_files.items()}}
    predicate = {
        "job": origin.job,
        "attempt": origin.attempt,
        "asked_by": {"tenant": origin.tenant, "metadata": dict(origin.metadata)},
        "request": dict(request),
        "base_model": {"name": model.name, "digest": model.digest, "files": dict(model.files)},
        **{name: environment[name] for name in ("code", "dependencies", "machine")},
        **from_report(report),
        "changed": _changed(request, report),
        "derived": {
            "generator_ema": "published",
            "generator_raw": DELETED,
            "fake_score": DELETED if origin.job is None else KEPT,
            "optimizer": DELETED,
            "checkpoints": DELETED,
        },
        "release": None,
        "created_at": datetime.now(UTC).isoformat(timespec="seconds"),
    }
    return {
        "_type": STATEMENT_TYPE,
        "subject": [{"name": name, "digest": {"sha256": files[name]}} for name in sorted(files)],
        "predicateType": PREDICATE_TYPE,
        "predicate": predicate,
    }


def _changed(request: Mapping[str, Any], report: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return what of the training was not as it was asked for, and why: an attempt that ran out of memory is made once
    more with half the micro-batch."""
    asked, ran = (where["recipe"].get("micro_batch") for where in (request, report))
    if asked == ran:
        return []
    return [{"setting": "recipe.micro_batch", "asked": asked, "ran": ran, "reason": "out_of_memory"}]


def from_report(report: Mapping[str, Any]) -> dict[str, Any]:
    """Return the part of a record that repeats the report, so that the one can be held against the other.

    It belongs to ``PREDICATE_TYPE``: a change of what it gives for the same report is a new type.
    """
    probes, scores = report["probes"], report["scores"]
    return {
        "recipe": report["recipe"],
        "seeds": {"training": report["seed"], "images": IMAGE_SEEDS},
        "images_trained": report["cost"]["images"],
        "evaluators": report["evaluators"],
        "scores": {**scores, "file": f"{EVALUATION}/{scores['file']}"},
        "pictures": {name: f"{EVALUATION}/{file}" for name, file in report["pictures"].items()},
        "verdict": report["verdict"],
        "criteria": report["criteria"],
        "probes": {
            "tried": probes["asked"],
            "found": {
                name: [{"concept": each["concept"], "statement": each["statement"]} for each in results]
                for name, results in probes["results"].items()
            },
        },
        "limits": report["limits"],
    }


@dataclass(frozen=True)
class Release:
    """Somebody's decision to serve a generator that did not pass. ``at``: ISO 8601."""

    by: str
    reason: str
    at: str


def with_release(statement: Statement, release: Release, previous_record_sha256: str) -> Statement:
    """Return the statement of a generator that was withheld and is released: the verdict stays what it was.

    ``previous_record_sha256``: of the text of the record that this one replaces.
    """
    entry = {**asdict(release), "previous_record_sha256": previous_record_sha256}
    return {**statement, "predicate": {**statement["predicate"], "release": entry}}


def subjects(statement: Statement) -> dict[str, str]:
    """Return the SHA-256 in hexadecimal of every file that the record speaks of, by its name in the archive."""
    return {each["name"]: each["digest"]["sha256"] for each in statement["subject"]}
