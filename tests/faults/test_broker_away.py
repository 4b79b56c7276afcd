"""The broker drops its connections, is restarted, and forgets everything: workers claim again by themselves."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import redis
from sqlalchemy import Engine

from jobs.urls import redis_url
from local.services import Service as Server
from local.services import some_services
from tests.faults.conftest import a_service
from tests.support.waiting import wait_for

CLAIMING_AGAIN = 60.0
"""Seconds within which a worker must claim again."""


@pytest.fixture
def valkey(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A broker of this test's own."""
    with some_services(Path(tmp_path_factory.mktemp("valkey")), ["valkey"]) as (running,):
        yield running


@pytest.mark.slow
def test_drops_a_restart_and_a_loss_of_everything(
    engine: Engine,
    database_url: str,
    valkey: Server,
    tiny_models: Path,
    tmp_path: Path,
    full: bool,
    figure: Callable[[str], None],
) -> None:
    many = 100 if full else 4
    with a_service(engine, database_url, valkey.url, tiny_models, tmp_path) as service:
        worker = service.start_worker()

        def claimed_within(what: str) -> float:
            began = time.monotonic()
            job = service.submit(steps=5)
            wait_for(lambda: service.events(job, "job.started"), CLAIMING_AGAIN)
            service.wait_status(job, "succeeded")
            assert worker.process.poll() is None, what
            return time.monotonic() - began

        claimed_within("at first")
        with redis.Redis.from_url(redis_url(valkey.url)) as client:
            for _ in range(5):
                client.client_kill_filter(_type="normal", skipme=True)
                threading.Event().wait(0.6)  # five in three seconds are the fault
        dropped = claimed_within("after five dropped connections")
        assert valkey.running is not None
        valkey.running.stop()
        valkey.running.ensure()
        restarted = claimed_within("after a restart")

        long = service.submit(steps=200)
        wait_for(lambda: service.events(long, "job.started"), 60)
        jobs = [service.submit(steps=1) for _ in range(many)]
        wait_for(lambda: service.broker.queue_length() == many, 20)
        with redis.Redis.from_url(redis_url(valkey.url)) as client:
            client.flushall()
        for job in (long, *jobs):
            assert str(service.wait_status(job, "succeeded", "failed", seconds=1200).status) == "succeeded"
            assert len(service.events(job, "job.started")) == 1
    figure(
        f"5 drops: a job done {dropped:.0f} s after; a restart: {restarted:.0f} s after; "
        f"FLUSHALL: {many} of {many} ran, 0 twice"
    )
