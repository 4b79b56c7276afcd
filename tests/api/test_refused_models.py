"""A base model that is refused: said with its reason, while everything else works; and seen once it is mended."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import httpx
import pytest

from client import Lethe
from jobs.settings import Settings
from local.services import Services
from tests.api.making import body, is_problem, pointers
from tests.support.serving import Service, serving, write_manifest

BAD: dict[str, Callable[[Path], object]] = {
    "cut-off": lambda path: path.write_text("{"),
    "surrogate": lambda path: changed(path, title="\ud800"),
    "nested": lambda path: path.write_text("[" * 100_000),
    "huge": lambda path: changed(path, teacher={"accuracy": 10**400}),
    "not-finite": lambda path: changed(path, teacher={"anything": float("nan")}),
    "taken": lambda path: changed(path, name="fashion"),
    "a-hubs": lambda path: changed(path, name="hub:org/name@main"),
    "pipe": lambda path: (path.unlink(), os.mkfifo(path)),
    "no-model": lambda path: path.write_text("{}"),
}


def changed(path: Path, **values: Any) -> None:
    path.write_text(json.dumps(json.loads(path.read_text()) | values))


@pytest.fixture
def models(tmp_path: Path) -> Path:
    """A folder of models with one that is good; its name sorts behind those of most that are bad."""
    write_manifest(tmp_path / "models")
    return tmp_path / "models"


def make_bad(models: Path) -> None:
    for name, spoil in BAD.items():
        write_manifest(models, name)
        spoil(models / name / "manifest.json")


@pytest.fixture
def bad_at_start(
    servers: Services, new_database: Callable[[], AbstractContextManager[str]], models: Path
) -> Iterator[Service]:
    make_bad(models)
    with new_database() as url:
        settings = Settings(
            database_url=url, broker_url=servers.valkey.url, data_dir=models.parent, bundled_models_dir=models
        )
        with serving(settings) as running:
            yield running


def listed(service: Service) -> tuple[list[str], dict[str, str]]:
    answer = service.http.get("/v1/base-models")
    assert answer.status_code == 200, answer.text
    found = answer.json()
    return [one["name"] for one in found["data"]], {one["name"]: one["reason"] for one in found["refused"]}


def page(service: Service) -> httpx.Response:
    return service.http.get("/jobs/new", headers={"accept": "text/html"})


def test_those_that_are_bad_are_refused_and_the_others_served(bad_at_start: Service, models: Path) -> None:
    service = bad_at_start
    names, refused = listed(service)
    assert names == ["fashion"]
    assert set(refused) == set(BAD)
    # Where the folder lies is nobody's business.
    assert not any(str(models.parent) in reason for reason in refused.values())
    with Lethe(service.url) as lethe:
        assert lethe.refused_models() == refused
    assert refused["cut-off"].startswith("cut-off/manifest.json: not readable as JSON: ")
    assert "/title holds a NUL character or half a surrogate pair" in refused["surrogate"]
    assert page(service).status_code == 200
    assert all(name in page(service).text for name in BAD)
    assert service.http.post("/v1/jobs", json=body()).status_code == 202
    assert service.http.get("/v1/base-models/fashion").status_code == 200
    for name in BAD:
        document = is_problem(service.http.post("/v1/jobs", json=body(base_model=name)), 422, "unknown_base_model")
        assert pointers(document) == ["/base_model"]
        assert refused[name] in document["errors"][0]["detail"]
        assert refused[name] in is_problem(service.http.get(f"/v1/base-models/{name}"), 404, "not_found")["detail"]


def test_a_model_is_added_broken_and_mended_while_the_service_runs(bad_at_start: Service, models: Path) -> None:
    service = bad_at_start
    manifest = models / "cut-off" / "manifest.json"
    shutil.copy(models / "fashion" / "manifest.json", manifest)
    changed(manifest, name="cut-off")
    names, refused = listed(service)
    assert names == ["cut-off", "fashion"]
    assert "cut-off" not in refused
    assert service.http.post("/v1/jobs", json=body(base_model="cut-off")).status_code == 202
    manifest.write_text("{")
    assert listed(service)[0] == ["fashion"]
    assert listed(service)[1]["cut-off"]
    assert len(service.http.get("/v1/jobs").json()["data"]) == 1
    shutil.rmtree(manifest.parent)
    assert "cut-off" not in listed(service)[1]
    manifest.parent.mkdir()
    shutil.copy(models / "fashion" / "manifest.json", manifest)
    assert "already registered" in listed(service)[1]["cut-off"], "a model that is added takes no other's name"
