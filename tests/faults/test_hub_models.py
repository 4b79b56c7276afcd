"""Jobs that start from a model of a hub, where fetching it goes wrong."""

from __future__ import annotations

import functools
import json
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import Engine

from jobs.artifacts import ArtifactStore
from jobs.generators import GeneratorStore
from jobs.hub_models import hub_model
from jobs.job import NewJob
from jobs.settings import Settings
from jobs.store import JobStore
from sfd_core.admission import admit
from sfd_core.errors import ModelUnavailable
from sfd_core.families import hub as hub_module
from sfd_core.request.reading import written
from tests.support.hub_server import REVISION, Hub, hub_server
from tests.support.tiny_text_model import make_tiny_text_model
from worker.attempt import run
from worker.runner import Runner
from worker.task import EXIT_STOPPED, Task

NAME = f"hub:acme/noise@{REVISION}"
REQUEST = {"forget": [{"concept": "pistol", "override": "banana"}], "budget": {"images": 8}, "recipe": {"batch": 4}}


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[Hub]:
    with hub_server() as running:
        monkeypatch.setattr(hub_module, "fetch", functools.partial(hub_module.fetch, endpoint=running.url))
        yield running


def request() -> dict[str, object]:
    return written(admit(REQUEST, hub_model(NAME, ["acme/noise"])).request)


def attempt(folder: Path, stop: threading.Event) -> int:
    task = Task(
        request(),
        str(folder / "hub" / REVISION),
        str(folder / "checkpoints"),
        [],
        1000,
        "cpu",
        1,
        family="stable_diffusion",
    )
    return run(task, folder, stop)


def said(captured: str) -> dict[str, object]:
    """The last event of a training process."""
    event: dict[str, object] = json.loads(captured.splitlines()[-1])
    return event


def test_a_repository_that_is_not_there(server: Hub, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert attempt(tmp_path, threading.Event()) == 1
    event = said(capsys.readouterr().out)
    assert event["code"] == "model_refused"
    assert "has no repository acme/noise" in str(event["message"])


def test_a_hub_that_is_away(
    server: Hub, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def away(*_: object) -> None:
        raise ModelUnavailable("does not hand out acme/noise now")

    monkeypatch.setattr(hub_module, "fetch", away)
    assert attempt(tmp_path, threading.Event()) == 1
    event = said(capsys.readouterr().out)
    assert event["code"] == "model_unavailable"


def test_a_deploy_does_not_wait_for_a_fetch(server: Hub, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    make_tiny_text_model(tmp_path / "repository")
    server.repositories["acme/noise"] = tmp_path / "repository"
    stop = threading.Event()
    stop.set()
    assert attempt(tmp_path, stop) == EXIT_STOPPED
    assert "error" not in capsys.readouterr().out
    assert not (tmp_path / "hub" / REVISION).exists()


def test_a_worker_that_may_not_fetch_it(engine: Engine, tmp_path: Path) -> None:
    store = JobStore(engine)
    job, _ = store.create(NewJob("default", request(), NAME, f"git:{REVISION}"))
    settings = Settings(data_dir=tmp_path, bundled_models_dir=tmp_path)
    Runner(settings, store, GeneratorStore(engine), ArtifactStore(settings.artifacts_url), "worker-1").run()
    failed = store.get(job.id)
    assert failed.error is not None
    assert (failed.status, failed.error.code) == ("failed", "model_refused")
    assert "LETHE_HUB_MODELS is not set" in failed.error.message
