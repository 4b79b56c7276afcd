"""The whole service on one machine, as ``lethe up`` runs it: up, down, and up again after a kill of everything."""

from __future__ import annotations

import contextlib
import signal
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import psutil
import pytest

from jobs.settings import Settings
from local.errors import LocalError
from local.services import services
from local.stack import running
from tests.local.conftest import eventually, kill, processes_of, run_program, says, served

JOB = {"base_model": "fashion", "forget": [{"concept": "Sneaker", "override": "Sandal"}], "budget": {"images": 64}}


@contextlib.contextmanager
def up(root: Path) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """``lethe up`` in a process of its own, and its URL."""
    process = run_program("serve", root)
    try:
        yield process, says(process)
    finally:
        process.kill()
        process.communicate()


def jobs(url: str) -> list[dict[str, Any]]:
    answer = httpx.get(f"{url}/v1/jobs")
    assert answer.status_code == 200
    return list(answer.json()["data"])


def test_runs_answers_and_stops_whole(root: Path) -> None:
    with running(Settings(data_dir=root, port=0)) as stack:
        assert httpx.get(f"{stack.url}/readyz").status_code == 200
        assert jobs(stack.url) == []
        assert stack.data_dir == root
        pids = stack.supervisor.pids()
        assert set(pids) == {"api", "worker", "sampler"}
        environment = psutil.Process(pids["worker"]).environ()
        assert environment["LETHE_DATABASE_URL"] == stack.database_url
        assert environment["GOMP_SPINCOUNT"] == "0"

        kill(pids["api"])
        eventually(lambda: stack.supervisor.pids().get("api", pids["api"]) != pids["api"])
        eventually(lambda: answers(stack.url), seconds=30)
    assert not processes_of(root)
    assert not served(root)


def answers(url: str) -> bool:
    with contextlib.suppress(httpx.HTTPError):
        return httpx.get(f"{url}/readyz").status_code == 200
    return False


def test_starts_no_server_that_it_is_given(root: Path) -> None:
    elsewhere = root.parent / "elsewhere"
    with services(elsewhere) as given:
        settings = Settings(data_dir=root, port=0, database_url=given.postgres.url, broker_url=given.valkey.url)
        with running(settings) as stack:
            assert stack.database_url == given.postgres.url
            assert stack.broker_url == given.valkey.url
        assert not (root / "postgres").exists()
        assert not (root / "valkey").exists()
        assert given.postgres.running.server.ready()


def test_a_port_that_is_taken_is_said_before_anything_starts(root: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with (
            pytest.raises(LocalError, match=f"cannot listen on 127.0.0.1:{port}"),
            running(Settings(data_dir=root, port=port)),
        ):
            pass
    assert not (root / "postgres").exists()


def test_sigterm_stops_it_whole(root: Path) -> None:
    with up(root) as (process, url):
        assert url.startswith("http://127.0.0.1:")
        process.send_signal(signal.SIGTERM)
        assert process.wait(60) == 0
        assert not processes_of(root)
        assert not served(root)


def test_a_kill_of_everything_loses_no_job(root: Path) -> None:
    with up(root) as (process, url):
        submitted = httpx.post(f"{url}/v1/jobs", json=JOB)
        assert submitted.status_code == 202
        for victim in [psutil.Process(process.pid), *processes_of(root)]:
            with contextlib.suppress(psutil.NoSuchProcess):
                victim.kill()
        process.wait()
    with up(root) as (process, url):
        assert [job["id"] for job in jobs(url)] == [submitted.json()["id"]]
        process.send_signal(signal.SIGTERM)
        assert process.wait(90) == 0
