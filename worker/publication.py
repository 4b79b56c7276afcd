"""The gate and the fenced publish: artefacts first, under the attempt and by digest, then one transaction that makes
them visible. Killed in between, nothing is visible; a newer attempt publishes its own."""

from __future__ import annotations

import json
import mimetypes
from collections.abc import Callable
from pathlib import Path

from jobs.artifacts import ArtifactStore
from jobs.records import Job, NewGenerator, Publication, StoredFile, attempt_prefix
from jobs.store import JobStore

Keep = Callable[[], None]
"""Renews the lease between two uploads; raises ``LeaseLost``."""


def publish(store: JobStore, artifacts: ArtifactStore, job: Job, attempt: int, folder: Path, keep: Keep) -> Job:
    """Publish what the training process left in ``folder``: ``generator/`` and ``report/``.

    The verdict is the report's. Only a generator whose verdict is ``pass`` is published; another is withheld: kept
    and shown, never served.

    Raises:
        LeaseLost: another attempt has taken over; nothing became visible.
    """
    report = json.loads((folder / "report" / "report.json").read_text("utf-8"))
    prefix = attempt_prefix(job.id, attempt)
    generator = _store(artifacts, folder / "generator", prefix, keep)
    report_files = _store(artifacts, folder / "report", prefix, keep)
    publication = Publication(
        verdict=report["verdict"],
        generator=NewGenerator(
            forget=report["forget"],
            figures=summary(report),
            files=generator,
            digest=report["generator"]["digest"],
        ),
        report=report,
        report_files=report_files,
    )
    return store.publish(job.id, attempt, publication)


def summary(report: dict[str, object]) -> dict[str, object]:
    """What a list of generators shows of the report."""
    return {
        name: report[name]
        for name in ("criteria", "unlearning", "retained_accuracy", "quality", "speed")
        if name in report
    }


def _store(artifacts: ArtifactStore, folder: Path, prefix: str, keep: Keep) -> dict[str, StoredFile]:
    files = {}
    for path in sorted(p for p in folder.rglob("*") if p.is_file()):
        keep()
        media_type, _ = mimetypes.guess_type(path.name)
        files[path.relative_to(folder).as_posix()] = artifacts.put_file(path, prefix, media_type)
    return files
