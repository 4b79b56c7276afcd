"""Bodies to submit, jobs in every state, and what a worker would have published, with real files."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import httpx
import orjson

from jobs.ids import new_id
from jobs.job import JobError, NewGenerator, Publication, attempt_prefix
from jobs.states import EventType, Phase
from jobs.store import JobStore
from tests.support.serving import Service
from tests.support.tiny_record import tiny_record

LEASE = 600.0
REASON = "unlearning accuracy of Sneaker is 90.00 % (88.60–91.24 %) on 2 000 images: below 99 %"
STATEMENT = "Ten images bring it back within 40 steps, and as soon where it was never known."
PAGE = b"<!doctype html><title>Report</title><h1>What was measured</h1>"


def body(**changes: Any) -> dict[str, Any]:
    """A submission that is right, but for ``changes``."""
    return {
        "base_model": "fashion",
        "forget": [{"concept": "Sneaker", "override": "Sandal"}],
        "budget": {"images": 6400},
    } | changes


def submitted(service: Service, headers: dict[str, str] | None = None, **changes: Any) -> str:
    """The id of a job that was just submitted."""
    answer = service.http.post("/v1/jobs", json=body(**changes), headers=headers)
    assert answer.status_code == 202, answer.text
    return str(answer.json()["id"])


def train(store: JobStore, job_id: str, images: int = 512, step: int = 256, worker: str = "worker-1") -> int:
    """Claim the job and train as a worker tells of it: a quick evaluation every ``step`` images. The attempt."""
    claim = store.claim(job_id, worker, LEASE)
    assert claim is not None
    store.enter_phase(job_id, claim.attempt, Phase.TRAINING)
    for done in range(step, images + 1, step):
        advance(store, job_id, claim.attempt, done)
    return claim.attempt


def advance(store: JobStore, job_id: str, attempt: int, images: int, of: int = 6400) -> None:
    """One more quick evaluation."""
    share = images / of
    figures = {
        "unlearning_accuracy": min(1.0, share * 2),
        "retained_accuracy": 0.6 + 0.3 * share,
        "loss_generator": 0.5 - share,
        "loss_fake_score": 0.08,
    }
    progress = {"images": images, "of": of, "images_per_second": 32.0, "eta_seconds": (of - images) / 32, **figures}
    metrics = {"images": images, "step": images // 64, "seconds": images / 32, **figures}
    store.progress(job_id, attempt, progress, [(EventType.METRICS, metrics)])


def failed(store: JobStore, job_id: str) -> None:
    """Let a queued job fail."""
    attempt = train(store, job_id, 256)
    store.give_up(job_id, attempt, JobError("training_diverged", "loss is NaN at step 12", False), 3)


def publish(
    service: Service,
    job_id: str,
    attempt: int,
    folder: Path,
    verdict: str = "pass",
    generator_files: dict[str, bytes] | None = None,
) -> str:
    """Publish as the worker does: files into the store, then one transaction. The generator's id."""
    job = service.store.get(job_id)
    prefix = attempt_prefix(job_id, attempt)

    def stored(files: dict[str, bytes], type_: str | None = None) -> dict[str, Any]:
        made = {}
        for name, content in files.items():
            path = folder / name.replace("/", "-")
            path.write_bytes(content)
            made[name] = service.artifacts.put_file(path, prefix, type_)
        return made

    service.store.enter_phase(job_id, attempt, Phase.PUBLISHING)
    forget = job.request["forget"]
    files = generator_files or {"model_index.json": b'{"_class_name": "X"}', "unet/model.safetensors": bytes(200_000)}
    found = report(forget, verdict)
    figures = {name: found[name] for name in ("criteria", "unlearning", "retained_accuracy")}
    in_store = stored(files)
    report_files = stored({"report.html": PAGE, "pairs.png": png(64, 32), "report.json": orjson.dumps(found)})
    generator = NewGenerator(
        id=new_id("gen"),
        forget=forget,
        figures=figures,
        files=in_store,
        digest="sha256:" + "c" * 64,
        record=tiny_record(in_store, report_files, verdict),
    )
    publication = Publication(verdict, generator, found, report_files)  # type: ignore[arg-type]
    done = service.store.publish(job_id, attempt, publication)
    assert done.generator_id is not None
    return done.generator_id


def published(service: Service, folder: Path, verdict: str = "pass", headers: dict[str, str] | None = None) -> str:
    """The id of a generator of a job that was submitted, trained and published."""
    job_id = submitted(service, headers)
    return publish(service, job_id, train(service.store, job_id), folder, verdict)


def report(forget: Any, verdict: str) -> dict[str, Any]:
    """A report as the evaluation writes it, as far as the api looks into it."""
    interval = {"value": 0.9, "low": 0.886, "high": 0.9124, "n": 2000}
    return {
        "schema_version": 5,
        "verdict": verdict,
        "criteria": [
            {
                "name": "unlearning_accuracy",
                "decision": verdict,
                "threshold": 0.99,
                "measured": interval,
                "reason": REASON,
                "about": forget[0]["concept"],
            },
            {
                "name": "retained_accuracy_drop",
                "decision": "pass",
                "threshold": 0.05,
                "measured": interval,
                "reason": "retained accuracy drops by 1.00 points (0.10–1.90): within 5 points",
            },
        ],
        "unlearning": [{"concept": item["concept"], "accuracy": interval, "n": 2000, "seen": 200} for item in forget],
        "retained_accuracy": {"generator": interval, "base_model": interval, "drop": interval},
        "curves": [
            {"images": 3200, "unlearning_accuracy": 0.8, "retained_accuracy": 0.8, "loss_generator": 0.1},
            {"images": 6400, "unlearning_accuracy": 1.0, "retained_accuracy": 0.9, "loss_generator": 0.0},
        ],
        "quality": [
            {
                "features": "judge-128",
                "fd_name": "FD-judge-128",
                "n": 4500,
                "against_real": {
                    "fd": {"value": 7.25, "low": 7.0, "high": 7.5, "n": 4500},
                    "fd_floor": 0.75,
                    "fd_base_model": 2.5,
                },
                "against_base_model": None,
            }
        ],
        "probes": {
            "asked": ["relearning"],
            "results": {"relearning": [{"concept": forget[0]["concept"], "statement": STATEMENT}]},
        },
        "pictures": {"pairs": "pairs.png"},
    }


def png(width: int, height: int) -> bytes:
    """A grey picture."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    rows = (b"\0" + b"\x99" * width) * height
    header = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")


def is_problem(answer: httpx.Response, status: int, code: str) -> dict[str, Any]:
    """Check that an answer is a whole problem document with this status and code; give the document."""
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    document: dict[str, Any] = answer.json()
    assert {"type", "title", "status", "detail", "code", "request_id"} <= set(document)
    assert document["status"] == status
    assert document["code"] == code, document
    assert document["request_id"] == answer.headers["x-request-id"]
    assert document["type"] == f"/docs#error-{code}"
    if status in (429, 503):
        assert int(answer.headers["retry-after"]) > 0
    return document


def pointers(document: dict[str, Any]) -> list[str]:
    """Where a problem says that values are wrong."""
    return [error["pointer"] for error in document["errors"]]


def signed_in(service: Service, headers: Mapping[str, str]) -> dict[str, str]:
    """The cookies of a browser that has signed in to the dashboard with the key of ``headers``."""
    answer = httpx.post(f"{service.url}/login", data={"key": headers["Authorization"].split()[1], "next": "/"})
    assert answer.status_code == 303, answer.text
    return dict(answer.cookies)
