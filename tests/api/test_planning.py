"""Submissions that take long to plan: one after the other, beside everything else, and for whoever still waits."""

from __future__ import annotations

import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import httpx
import orjson
import pytest

import api.submitting as submitting
from jobs.settings import Settings
from local.services import Services
from tests.api.making import body, is_problem
from tests.support.serving import Service, serving, serving_process, write_manifest
from tests.support.waiting import wait_for

NAME = "sd-legacy/stable-diffusion-v1-5"
WORDS = [f"w{i}q" for i in range(1000)]
LONG = body(
    base_model=f"hub:{NAME}@{'0' * 40}",
    forget=[
        {
            "concept": WORDS[0],
            "override": "hammer",
            "words": WORDS,
            "prompts": [f"a {WORDS[i % 1000]} number {i}" for i in range(10_000)],
        }
    ],
)


@pytest.fixture(scope="module")
def hub(
    servers: Services, new_database: Callable[[], AbstractContextManager[str]], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Service]:
    """A service that may start from a hub's text-to-image model, too."""
    folder: Path = tmp_path_factory.mktemp("hub")
    write_manifest(folder / "models")
    with new_database() as url:
        settings = Settings(
            database_url=url,
            broker_url=servers.valkey.url,
            data_dir=folder,
            bundled_models_dir=folder / "models",
            hub_models=(NAME,),
        )
        with serving(settings) as running:
            yield running


class Held:
    """In the place of ``admit``: waits until it is let go, and counts."""

    def __init__(self) -> None:
        self.let_go = threading.Event()
        self.asked = self.at_once = self.most_at_once = 0
        self._lock = threading.Lock()

    def __call__(self, *given: Any) -> Any:
        with self._lock:
            self.asked += 1
            self.at_once += 1
            self.most_at_once = max(self.most_at_once, self.at_once)
        try:
            assert self.let_go.wait(20)
            return _admit(*given)
        finally:
            with self._lock:
                self.at_once -= 1


_admit = submitting.admit


@pytest.fixture
def held(monkeypatch: pytest.MonkeyPatch) -> Iterator[Held]:
    one = Held()
    monkeypatch.setattr(submitting, "admit", one)
    yield one
    one.let_go.set()


def waiting(service: Service) -> int:
    return int(service.app.state.services.planning.statistics().tasks_waiting)


def submit(service: Service) -> httpx.Response:
    return httpx.post(f"{service.url}/v1/jobs", json=body(), timeout=30)


def test_one_is_planned_at_a_time_while_all_else_is_answered(hub: Service, held: Held) -> None:
    with ThreadPoolExecutor(10) as pool:
        answers = [pool.submit(submit, hub) for _ in range(10)]
        wait_for(lambda: waiting(hub) == 9)
        for path in ("/livez", "/v1/jobs", "/v1/base-models", "/jobs/new"):
            assert hub.http.get(path).status_code == 200
        held.let_go.set()
        assert [answer.result().status_code for answer in answers] == [202] * 10
    assert (held.asked, held.most_at_once) == (10, 1)


def test_what_nobody_waits_for_is_not_planned(hub: Service, held: Held) -> None:
    content = orjson.dumps(body())
    host, port = hub.url.removeprefix("http://").split(":")
    head = f"POST /v1/jobs HTTP/1.1\r\nHost: {host}:{port}\r\nContent-Type: application/json\r\n"
    jobs = hub.count("jobs")
    with ThreadPoolExecutor(1) as pool:
        first = pool.submit(submit, hub)
        wait_for(lambda: held.asked == 1)
        left = [socket.create_connection((host, int(port))) for _ in range(5)]
        for connection in left:
            connection.sendall(f"{head}Content-Length: {len(content)}\r\n\r\n".encode() + content)
        wait_for(lambda: waiting(hub) == 5)
        for connection in left:
            connection.close()
        last = ThreadPoolExecutor(1).submit(submit, hub)
        wait_for(lambda: waiting(hub) == 6)
        held.let_go.set()
        assert first.result().status_code == last.result().status_code == 202
    assert held.asked == 2
    assert hub.count("jobs") == jobs + 2


def test_more_than_can_wait_are_told_to_come_back(hub: Service, held: Held, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(submitting, "MAX_WAITING", 2)
    with ThreadPoolExecutor(3) as pool:
        answers = [pool.submit(submit, hub) for _ in range(3)]
        wait_for(lambda: waiting(hub) == 2)
        is_problem(submit(hub), 429, "too_many")
        held.let_go.set()
        assert [answer.result().status_code for answer in answers] == [202] * 3
    assert submit(hub).status_code == 202


def test_many_of_the_longest_at_once_hold_nobody_up(
    hub: Service, full: bool, figure: Callable[[str], None], tmp_path: Path
) -> None:
    """Twenty, and figures for a quiet machine; in the quick form six, and what no machine is too busy for."""
    seconds: dict[str, list[float]] = {"/livez": [], "/v1/jobs": [], "/v1/base-models/fashion": []}
    with serving_process(hub.settings, tmp_path / "log") as (_, url), httpx.Client(base_url=url, timeout=30) as http:
        with ThreadPoolExecutor(1) as beside:
            send = [sys.executable, "-c", SEND, url, "20" if full else "6"]
            sending = beside.submit(subprocess.run, send, input=orjson.dumps(LONG))
            while not sending.done():
                for path, taken in seconds.items():
                    began = time.perf_counter()
                    assert http.get(path).status_code == 200
                    taken.append(time.perf_counter() - began)
        assert sending.result().returncode == 0
    for path, taken in seconds.items():
        assert sorted(taken)[len(taken) // 2] < 1, path
    p99 = {path: sorted(taken)[len(taken) * 99 // 100] for path, taken in seconds.items()}
    figure("p99 " + ", ".join(f"{path} {seconds * 1000:.0f} ms" for path, seconds in p99.items()))
    assert not full or (max(p99.values()) < 0.1 and p99["/livez"] < 0.02), p99


SEND = """
import sys
from concurrent.futures import ThreadPoolExecutor
import httpx
content, url, times = sys.stdin.buffer.read(), sys.argv[1] + "/v1/jobs", int(sys.argv[2])
headers = {"content-type": "application/json"}
with ThreadPoolExecutor(times) as pool:
    answers = [pool.submit(httpx.post, url, content=content, headers=headers, timeout=120) for _ in range(times)]
    assert {answer.result().status_code for answer in answers} == {202}
"""
"""Submissions at once, from a process of its own: here it would hold up what is timed."""
