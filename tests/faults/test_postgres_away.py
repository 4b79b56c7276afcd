"""Postgres away while a job trains: for less than a lease the run goes on; for longer the attempt fences itself, and
the job is taken up again once Postgres is back. Published once, either way."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from pathlib import Path

import psutil
import pytest
from sqlalchemy import Engine

from tests.faults.conftest import Service, a_service
from tests.faults.test_promise import published, wait_for_training
from tests.support.waiting import wait_for

Away = Callable[[], AbstractContextManager[None]]


@pytest.fixture
def leased(
    engine: Engine, database_url: str, broker_url: str, tiny_models: Path, tmp_path: Path, full: bool
) -> Iterator[Service]:
    """In the full form with the lease that is shipped."""
    lease = {"lease_seconds": 60, "renew_seconds": 15} if full else {}
    with a_service(engine, database_url, broker_url, tiny_models, tmp_path, **lease) as made:
        yield made


@pytest.mark.slow
def test_for_less_than_a_lease_the_run_goes_on(
    leased: Service, away: Away, full: bool, figure: Callable[[str], None]
) -> None:
    seconds = 30 if full else 1.5
    job = leased.submit(steps=1000 if full else 150)
    leased.start_worker()
    wait_for_training(leased, job, 0.05)
    with away():
        threading.Event().wait(seconds)  # the time is the fault
    done = leased.wait_status(job, "succeeded", "failed", seconds=600)
    assert (str(done.status), done.attempt, done.failures) == ("succeeded", 1, 0), done.error
    assert published(leased, job) == 1
    figure(f"away {seconds:g} s: the same attempt went on, 0 failures, published once")


def test_for_longer_it_fences_itself_and_is_taken_up_again(
    leased: Service, away: Away, full: bool, figure: Callable[[str], None]
) -> None:
    seconds = 300 if full else 8
    job = leased.submit(steps=1000 if full else 300)
    worker = leased.start_worker()
    wait_for_training(leased, job, 0.05)
    training = worker.training_pid()
    assert training is not None
    ends = threading.Event()
    with away():
        waited = threading.Timer(seconds, ends.set)
        waited.start()
        wait_for(lambda: not psutil.pid_exists(training), leased.settings.lease_seconds + 30)
        assert worker.process.poll() is None, "the worker itself lives"
        ends.wait()
    done = leased.wait_status(job, "succeeded", "failed", seconds=600)
    assert str(done.status) == "succeeded", done.error
    assert done.attempt == 2
    assert published(leased, job) == 1
    order = [event.attempt for event in leased.events(job) if event.attempt]
    assert order == sorted(order), "the old attempt wrote after the new one had begun"
    figure(f"away {seconds:g} s: it fenced itself, was resumed as attempt 2, published once")
