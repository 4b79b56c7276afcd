"""What a job needs, and the reason why none of the workers that are there takes it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from jobs import workers
from jobs.settings import Settings
from jobs.workers import Worker
from sfd_core.families.memory import memory_needed
from sfd_core.families.registry import load_manifest, recipe_of
from tests.api.making import body
from tests.support.serving import Service, serving
from tests.support.tiny_model import make_tiny_model

SAID = "needs at least 31.0 GB of device memory; the largest worker that is there has 24.0 GB"


@pytest.fixture
def needs_31_gb(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("api.submitting.memory_needed", lambda model, recipe: 31 * 10**9)


def worker(gigabytes: float) -> Worker:
    return Worker("worker-1", "0.1.0", "host", "GPU", round(gigabytes * 1e9))


def job(service: Service, id_: str, **headers: str) -> Any:
    return service.http.get(f"/v1/jobs/{id_}", headers=headers)


@pytest.mark.usefixtures("needs_31_gb")
def test_a_job_says_what_it_waits_for_and_no_more_once_there_is_a_worker(service: Service) -> None:
    submitted = service.http.post("/v1/jobs", json=body()).json()
    assert (submitted["memory_bytes"], submitted["waiting"]) == (31 * 10**9, None)
    workers.state(service.engine, worker(24))
    answer = job(service, submitted["id"])
    assert answer.json()["waiting"] == SAID
    assert {each["id"]: each["waiting"] for each in service.http.get("/v1/jobs").json()["data"]} == {
        submitted["id"]: SAID
    }
    assert SAID[1:] in service.http.get(f"/jobs/{submitted['id']}").text
    etag = answer.headers["ETag"]
    assert job(service, submitted["id"], **{"If-None-Match": etag}).status_code == 304
    workers.state(service.engine, worker(80))
    changed = job(service, submitted["id"], **{"If-None-Match": etag})
    assert (changed.status_code, changed.json()["waiting"]) == (200, None)
    assert SAID[1:] not in service.http.get(f"/jobs/{submitted['id']}").text


@pytest.mark.usefixtures("needs_31_gb")
def test_one_that_is_no_longer_queued_waits_for_nothing(service: Service) -> None:
    submitted = service.http.post("/v1/jobs", json=body()).json()
    workers.state(service.engine, worker(24))
    cancelled = service.http.post(f"/v1/jobs/{submitted['id']}/cancel").json()
    assert (cancelled["status"], cancelled["waiting"]) == ("cancelled", None)


def test_the_need_is_counted_where_the_files_are(settings: Settings, tmp_path: Path) -> None:
    model = make_tiny_model(tmp_path / "models/tiny")
    with serving(settings.model_copy(update={"models_dir": tmp_path / "models"})) as service:
        forget = [{"concept": "red", "override": "blue"}]
        counted = service.http.post("/v1/jobs", json=body(base_model="tiny", forget=forget)).json()
        assert counted["memory_bytes"] == memory_needed(load_manifest(model.folder), recipe_of(model.family))
        assert counted["memory_bytes"] == service.store.get(counted["id"]).memory_bytes > 0
        unknown = service.http.post("/v1/jobs", json=body()).json()
        assert (unknown["memory_bytes"], unknown["waiting"]) == (None, None), "there is a manifest alone"
