"""The real api as a process of its own, on real servers, with a base model that is a manifest only: nothing here
trains. What a worker would do, tests do through the real store."""

from __future__ import annotations

import hashlib
import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
from sqlalchemy import Engine

from jobs import keys
from jobs.artifacts import ArtifactStore
from jobs.ids import new_id
from jobs.job import NewGenerator, Publication, attempt_prefix
from jobs.states import Phase
from jobs.store import Claim, Job, JobStore
from sfd_core.base_model.manifest import digest_of
from sfd_core.evaluation.verdict import Verdict
from tests.support.sample_report import sample_report
from tests.support.tiny_record import tiny_record
from tests.support.waiting import wait_for

CONCEPTS = ("T-shirt", "Trouser", "Pullover", "Dress", "Coat", "Sandal", "Shirt", "Sneaker", "Bag", "Ankle boot")
LEASE = 60.0


@dataclass
class Service:
    """An api that runs, and the parts behind it."""

    url: str
    settings: Mapping[str, str]
    engine: Engine
    store: JobStore
    artifacts: ArtifactStore
    process: subprocess.Popen[bytes]

    def key(self, tenant: str, *scopes: str) -> str:
        """A fresh API key of a tenant."""
        return keys.create(self.engine, tenant, "test", scopes or ("submit", "read"))[1]

    def stop(self) -> None:
        """Stop the api as a deploy does."""
        self.process.send_signal(signal.SIGTERM)
        self.process.wait(20)

    def start(self) -> None:
        """Start it (again), at the same address, and wait until it answers."""
        self.process = subprocess.Popen(
            [sys.executable, "-m", "api"],
            env={**os.environ, **self.settings},
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        wait_for(self._answers, 30)

    def _answers(self) -> bool:
        assert self.process.poll() is None, "the api has ended"
        try:
            return httpx.get(f"{self.url}/livez", timeout=2).status_code == 200
        except httpx.TransportError:
            return False


@contextmanager
def service(database_url: str, broker_url: str, engine: Engine, folder: Path, **settings: str) -> Iterator[Service]:
    """The api on a free port, with keys asked for; stopped at the end."""
    models = folder / "models"
    write_manifest(models / "fashion")
    port = free_port()
    environment = {
        "LETHE_DATABASE_URL": database_url,
        "LETHE_BROKER_URL": broker_url,
        "LETHE_DATA_DIR": str(folder),
        "LETHE_ARTIFACTS_URL": f"file://{folder / 'artifacts'}",
        "LETHE_BUNDLED_MODELS_DIR": str(models),
        "LETHE_AUTH": "keys",
        "LETHE_PORT": str(port),
        "LETHE_SAMPLE_TIMEOUT_SECONDS": "30",
        **settings,
    }
    made = Service(
        f"http://127.0.0.1:{port}",
        environment,
        engine,
        JobStore(engine),
        ArtifactStore(environment["LETHE_ARTIFACTS_URL"]),
        None,  # type: ignore[arg-type]
    )
    made.start()
    try:
        yield made
    finally:
        made.process.kill()
        made.process.wait(10)


def free_port() -> int:
    """A port that nothing listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def write_manifest(folder: Path) -> None:
    """A base model for the api, which reads no weights."""
    folder.mkdir(parents=True)
    judge = {"judge/model.safetensors": "1" * 64}
    manifest = {
        "schema_version": 1,
        "name": "fashion",
        "title": "Clothes [32x32]",
        "family": "class_unet",
        "license": "MIT",
        "data": "Fashion-MNIST",
        "concepts": CONCEPTS,
        "image": {"channels": 1, "height": 32, "width": 32, "patch": 2},
        "judge": {
            "name": "resnet",
            "folder": "judge",
            "accuracy": 0.93,
            "accuracy_images": 10_000,
            "by_concept": [0.93] * len(CONCEPTS),
            "digest": digest_of(judge),
        },
        "reference": "reference.safetensors",
        "teacher": {"network_evaluations": 50},
        "files": {"reference.safetensors": "0" * 64, **judge},
    }
    (folder / "manifest.json").write_text(json.dumps(manifest))


def claim(store: JobStore, job_id: str) -> Claim:
    """Take the job as a worker does."""
    taken = store.claim(job_id, "worker-1", LEASE)
    assert taken is not None
    return taken


def train(store: JobStore, taken: Claim, steps: int, of: int = 6400) -> None:
    """Report ``steps`` steps of training, one event each."""
    store.enter_phase(taken.job.id, taken.attempt, Phase.TRAINING)
    for i in range(1, steps + 1):
        progress = {
            "images": of * i // steps,
            "of": of,
            "images_per_second": 50.0,
            "eta_seconds": 61.0 - i,
            "unlearning_accuracy": 0.5 + 0.4 * i / steps,
            "retained_accuracy": 0.9,
        }
        store.progress(taken.job.id, taken.attempt, progress, [("job.progress", progress)])


def publish(service: Service, taken: Claim, verdict: Verdict = "pass", generator: Path | None = None) -> Job:
    """Store and publish a report and ``generator`` (or a small folder), as a worker does."""
    with tempfile.TemporaryDirectory() as scratch:
        folder = generator or small_generator(Path(scratch) / "generator")
        reports = Path(scratch) / "report"
        reports.mkdir()
        (reports / "report.html").write_text("<!doctype html><title>Report</title>")
        (reports / "pairs.png").write_bytes(b"\x89PNG pairs")
        prefix = attempt_prefix(taken.job.id, taken.attempt)
        stored = {
            root: {
                path.relative_to(root).as_posix(): service.artifacts.put_file(path, prefix)
                for path in sorted(root.rglob("*"))
                if path.is_file()
            }
            for root in (folder, reports)
        }
    new = NewGenerator(
        id=new_id("gen"),
        forget=[{"concept": "Sneaker", "override": "Sandal"}],
        figures={},
        files=stored[folder],
        digest="sha256:1",
        record=tiny_record(stored[folder], stored[reports], verdict),
    )
    publication = Publication(verdict, new, report(verdict), stored[reports])
    return service.store.publish(taken.job.id, taken.attempt, publication)


def small_generator(folder: Path) -> Path:
    """A folder with the shape of a generator's and no weights."""
    (folder / "unet").mkdir(parents=True)
    (folder / "model_index.json").write_text("{}")
    (folder / "unet" / "weights.bin").write_bytes(hashlib.sha256(b"weights").digest() * 5000)
    return folder


def interval(value: float, n: int = 4500) -> dict[str, Any]:
    """An interval as reports have it."""
    return {"value": value, "low": value - 0.005, "high": min(1.0, value + 0.005), "n": n}


def report(verdict: Verdict) -> dict[str, Any]:
    """A report with every part that the command shows, and one that this client does not know."""
    whole = sample_report({"Sneaker": "Sandal"}, probes=("relearning",))
    whole["probes"]["results"]["relearning"][0]["statement"] = "It comes back [slowly]."
    for row in whole["retention"]:
        row |= {"generator": interval(0.88, 500), "base_model": interval(0.9, 5000)}
    quality = {**whole["quality"][0], "features": "judge-96", "fd_name": "FD-judge-96", "n": 4500}
    fd = {"value": 1.5, "low": 1.4, "high": 1.6, "n": 4500}
    quality["against_real"] = {**quality["against_real"], "fd": fd, "fd_floor": 0.25, "fd_base_model": 0.75}
    quality["against_base_model"] = {**quality["against_base_model"], "fd": None}
    reason = "unlearning accuracy of Sneaker is 0.9970 [0.9934, 0.9986] on 2000 images"
    criterion = {**whole["criteria"][0], "decision": verdict, "measured": interval(0.997, 2000), "reason": reason}
    return whole | {
        "verdict": verdict,
        "criteria": [criterion],
        "unlearning": [{**whole["unlearning"][0], "seen": 6, "accuracy": interval(0.997, 2000), "share_override": 0.9}],
        "retained_accuracy": {"generator": interval(0.88), "base_model": interval(0.9), "drop": interval(0.02)},
        "quality": [quality],
        "speed": {
            **whole["speed"],
            "generator_images_per_second": 500.0,
            "base_model_images_per_second": 10.0,
            "ratio": 50.0,
        },
        "cost": {**whole["cost"], "seconds": {"preparing": 1.5, "training": 60.0, "evaluating": 20.0}},
        "limits": ["measured by one judge"],
        "from_the_future": {"x": 1},
    }
