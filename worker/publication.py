"""The gate and the fenced publish: artefacts first, under the attempt and by digest, then the signed record over them,
then one transaction that makes all of it visible. Killed in between, nothing is visible; a newer attempt publishes
its own."""

from __future__ import annotations

import json
import mimetypes
from collections.abc import Callable, Collection, Mapping
from pathlib import Path
from typing import Any

from securesystemslib.signer import CryptoSigner

from jobs.artifacts import ArtifactStore
from jobs.generators import Generator
from jobs.ids import new_id
from jobs.job import Job, NewGenerator, Publication, StoredFile, attempt_prefix
from jobs.record import ANCESTORS, Origin, build_record, sign
from jobs.work import Work
from sfd_core.base_model.manifest import BaseModel
from sfd_core.families.registry import describe
from sfd_core.prompts.items import known_words
from sfd_core.request.concepts import Forget
from sfd_core.request.reading import read, written
from sfd_core.request.unlearning_request import UnlearningRequest

Keep = Callable[[], None]
"""Keeps the lease, between two files and two pieces of one; raises ``LeaseLost``."""


def publication_of(
    artifacts: ArtifactStore,
    job: Job,
    attempt: int,
    model: BaseModel,
    folder: Path,
    signer: CryptoSigner | None,
    keep: Keep,
    parent: Generator | None = None,
) -> Publication:
    """Store what the training process left in ``folder``: ``generator/``, ``report/``, ``pair/`` and
    ``environment.json``. Returns what is to become visible of it: nothing is until ``JobStore.publish`` has it.

    The verdict is the report's. Only a generator whose verdict is ``pass`` is published; another is withheld: kept
    and shown, never served. To store again what is stored changes nothing.

    Args:
        model: the base model that the run started from.
        signer: signs the record; without one it is unsigned.
        parent: the generator that the job went on from: the records of the sequence so far are kept with the new one.

    Raises:
        LeaseLost: another attempt has taken over; nothing became visible.
    """
    report = json.loads((folder / "report" / "report.json").read_text("utf-8"))
    request = read(UnlearningRequest, job.request)
    environment = json.loads((folder / "environment.json").read_text("utf-8"))
    prefix = attempt_prefix(job.id, attempt)
    if parent is not None:
        _add_records(artifacts, parent, folder / "generator" / ANCESTORS)
    generator = _store(artifacts, folder / "generator", prefix, keep)
    pair = _store(artifacts, folder / "pair", prefix, keep)
    report_files = _store(artifacts, folder / "report", prefix, keep)
    statement = build_record(
        report,
        job.request,
        model,
        environment,
        _digests(generator),
        _digests(report_files),
        Origin(job.id, attempt, job.tenant, job.metadata),
    )
    request = read(UnlearningRequest, job.request)
    return Publication(
        verdict=report["verdict"],
        generator=NewGenerator(
            id=new_id("gen"),
            forget=[forgotten(item, model, request.kept) for item in request.forget],
            figures=summary(report),
            files=generator,
            digest=report["generator"]["digest"],
            record=sign(statement, signer),
            pair=pair,
        ),
        report=report,
        report_files=report_files,
        work=Work.of(request, model.view_for(request.forget)),
    )


def _add_records(artifacts: ArtifactStore, parent: Generator, folder: Path) -> None:
    """Write the records of ``parent`` and of those before it, byte for byte."""
    folder.mkdir(exist_ok=True)
    (folder / f"{parent.id}.json").write_bytes(parent.record.encode())
    for name, file in parent.files.items():
        if name.startswith(f"{ANCESTORS}/"):
            (folder / name.removeprefix(f"{ANCESTORS}/")).write_bytes(artifacts.read(parent.prefix, file))


def forgotten(item: Forget, model: BaseModel, kept: Collection[str] = ()) -> dict[str, Any]:
    """Return what a generator says of one item of the request that it has forgotten. Of a text-to-image model: every
    word that is known for it, by which a prompt that names it can be told from others, and how many prompts forgot
    it. ``kept``: the concepts that its parent had forgotten."""
    row: dict[str, Any] = {name: written(item)[name] for name in ("concept", "override")}
    if item.concept in kept:
        row["kept"] = True
    if describe(model.family).takes_prompts:
        row["words"] = list(known_words(item, model.vocabulary))
        row["prompts"] = len(item.prompts or ())
    return row


def summary(report: Mapping[str, Any]) -> dict[str, Any]:
    """Return what a list of generators shows of the report: of what was forgotten all, of the rest the first domain's
    where it lies in several."""
    figures = {
        name: report[name]
        for name in ("criteria", "unlearning", "retained_accuracy", "quality", "speed")
        if name in report
    }
    further = [row for domain in report.get("further_domains", ()) for row in domain["unlearning"]]
    return {**figures, "unlearning": [*figures["unlearning"], *further]} if further else figures


def _store(artifacts: ArtifactStore, folder: Path, prefix: str, keep: Keep) -> dict[str, StoredFile]:
    files = {}
    for path in sorted(p for p in folder.rglob("*") if p.is_file()):
        keep()
        media_type, _ = mimetypes.guess_type(path.name)
        files[path.relative_to(folder).as_posix()] = artifacts.put_file(path, prefix, media_type, keep)
    return files


def _digests(files: Mapping[str, StoredFile]) -> dict[str, str]:
    return {name: file.sha256 for name, file in files.items()}
