"""The whole service on one machine, as ``lethe up`` runs it: up, down, and up again after a kill of everything."""

from __future__ import annotations

import contextlib
import os
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
from local.stack import SPIN_COUNT, _programs, running
from tests.local.conftest import eventually, kill, processes_of, run_program, says, served
from tests.support.tiny_model import make_tiny_model

# More images than anybody waits for: it runs until it is cancelled.
JOB = {"base_model": "tiny", "forget": [{"concept": "red", "override": "blue"}], "budget": {"images": 1_000_000}}


@contextlib.contextmanager
def up(root: Path) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """``lethe up`` in a process of its own, and its URL."""
    environment = {
        "LETHE_DATA_DIR": str(root),
        "LETHE_PORT": "0",
        "LETHE_MODELS_DIR": str(root.parent / "models"),
        "LETHE_DEVICE": "cpu",
        # A worker that was killed is noticed soon, and has lost little.
        "LETHE_LEASE_SECONDS": "3",
        "LETHE_RENEW_SECONDS": "1",
        "LETHE_CHECKPOINT_SECONDS": "0.2",
    }
    process = run_program("serve", **environment)
    try:
        yield process, says(process)
    finally:
        process.kill()
        process.communicate()


def get(url: str) -> dict[str, Any]:
    answer = httpx.get(url)
    assert answer.status_code == 200
    return dict(answer.json())


def answers(url: str) -> bool:
    with contextlib.suppress(httpx.HTTPError):
        return httpx.get(f"{url}/readyz").status_code == 200
    return False


def test_runs_answers_and_stops_whole(root: Path) -> None:
    with running(Settings(data_dir=root, port=0, device="cpu")) as stack:
        assert httpx.get(f"{stack.url}/readyz").status_code == 200
        assert get(f"{stack.url}/v1/jobs")["data"] == []
        assert stack.data_dir == root
        pids = stack.supervisor.pids()
        assert set(pids) == {"api", "worker", "sampler"}
        environment = psutil.Process(pids["worker"]).environ()
        assert environment["LETHE_DATABASE_URL"] == stack.database_url
        assert environment["GOMP_SPINCOUNT"] == os.environ.get("GOMP_SPINCOUNT", SPIN_COUNT)

        kill(pids["api"])
        eventually(lambda: stack.supervisor.pids().get("api", pids["api"]) != pids["api"])
        eventually(lambda: answers(stack.url), seconds=30)
    assert not processes_of(root)
    assert not served(root)


def test_the_image_spins_as_long() -> None:
    """What an image sets is no Python: the same figure, written again."""
    assert f"ENV GOMP_SPINCOUNT={SPIN_COUNT}\n" in (Path(__file__).parents[2] / "Dockerfile").read_text()


def test_starts_no_server_that_it_is_given(root: Path) -> None:
    elsewhere = root.parent / "elsewhere"
    with services(elsewhere) as given:
        settings = Settings(
            data_dir=root, port=0, device="cpu", database_url=given.postgres.url, broker_url=given.valkey.url
        )
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


def test_a_kill_of_everything_loses_no_job_and_sigterm_stops_it_whole(root: Path) -> None:
    make_tiny_model(root.parent / "models/tiny")
    with up(root) as (process, url):
        submitted = httpx.post(f"{url}/v1/jobs", json=JOB)
        assert submitted.status_code == 202
        path = f"/v1/jobs/{submitted.json()['id']}"
        eventually(lambda: checkpoints(url + path), seconds=60)
        before = checkpoints(url + path)
        for victim in [psutil.Process(process.pid), *processes_of(root)]:
            with contextlib.suppress(psutil.NoSuchProcess):
                victim.kill()
        process.wait()
    with up(root) as (process, url):
        eventually(lambda: get(url + path)["attempt"] == 2, seconds=60)
        eventually(lambda: checkpoints(url + path) > before + 1, seconds=60)
        process.send_signal(signal.SIGTERM)
        assert process.wait(90) == 0
        assert not processes_of(root)
        assert not served(root)


def checkpoints(job: str) -> int:
    return sum(event["type"] == "job.checkpoint" for event in get(f"{job}/events")["data"])


@pytest.mark.slow
def test_two_workers_run_two_jobs_at_once(root: Path) -> None:
    make_tiny_model(root.parent / "models/tiny")
    settings = Settings(data_dir=root, port=0, models_dir=root.parent / "models", device="cpu", workers=("cpu", "cpu"))
    with running(settings) as stack:
        pids = stack.supervisor.pids()
        assert set(pids) == {"api", "worker-1", "worker-2", "sampler"}
        for name in ("worker-1", "worker-2"):
            environment = psutil.Process(pids[name]).environ()
            assert (environment["LETHE_DEVICE"], environment["LETHE_WORKERS"]) == ("cpu", "2")
            eventually(lambda name=name: "GB for a job" in (root / f"logs/{name}.log").read_text(), 30)  # type: ignore[misc]
        paths = [f"{stack.url}/v1/jobs/{httpx.post(f'{stack.url}/v1/jobs', json=JOB).json()['id']}" for _ in range(2)]
        eventually(lambda: [get(path)["status"] for path in paths] == ["running"] * 2, seconds=60)
        for path in paths:
            eventually(lambda path=path: get(path)["progress"]["images"] > 0, seconds=60)  # type: ignore[misc]
            httpx.post(f"{path}/cancel")
    assert not processes_of(root)


def test_each_worker_has_its_device() -> None:
    settings = Settings(workers=("cuda:0", "cuda:1", "cuda:1"), device="auto")
    _, (*workers, sampler) = _programs(settings)
    assert [(program.name, program.environment["LETHE_DEVICE"]) for program in workers] == [
        ("worker-1", "cuda:0"),
        ("worker-2", "cuda:1"),
        ("worker-3", "cuda:1"),
    ]
    assert [program.environment["LETHE_WORKERS"] for program in workers] == ["1", "2", "2"]
    assert len({program.log for program in workers}) == 3
    assert (sampler.name, sampler.environment["LETHE_DEVICE"]) == ("sampler", "auto")
