"""The promise: an accepted job is never lost, may be computed more than once, and is published at most once, by its
newest attempt only. Real workers, real signals, real Postgres and Valkey."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import psutil
import pytest
from sqlalchemy import text

from jobs.job import Job
from tests.faults.conftest import Service, Worker
from tests.support.waiting import wait_for

SHARES = (pytest.param(0.1, marks=pytest.mark.slow), 0.4, pytest.param(0.8, marks=pytest.mark.slow))
"""Of the training that is done when something is killed."""


def published(service: Service, job: Job) -> int:
    with service.engine.connect() as connection:
        query = text("SELECT count(*) FROM generators WHERE job_id = :id")
        return int(connection.execute(query, {"id": job.id}).scalar_one())


def images_seen(service: Service, job: Job) -> int:
    return int(service.store.get(job.id).progress.get("images", 0))


def wait_for_training(service: Service, job: Job, share: float) -> None:
    """Until ``share`` of the budget is spent and a checkpoint was written."""
    images = service.store.get(job.id).request["budget"]["images"]
    wait_for(lambda: images_seen(service, job) >= share * images and bool(service.events(job, "job.checkpoint")), 150)


def assert_resumed_and_published_once(service: Service, job: Job, seconds: float = 120) -> None:
    """One generator within so many ``seconds``, made by the newest attempt, and that did not start from nothing."""
    done = service.wait_status(job, "succeeded", "failed", "cancelled", seconds=seconds)
    assert str(done.status) == "succeeded", done.error
    assert published(service, job) == 1
    newest = max(e.attempt for e in service.events(job))
    assert newest == done.attempt > 1
    before = max(e.data["images"] for e in service.events(job, "job.checkpoint") if e.attempt < newest)
    after = [e.data["images"] for e in service.events(job, "job.checkpoint") if e.attempt == newest]
    # The first checkpoint of the new attempt lies beyond the last one of the old: the work before it was not repeated.
    assert min(after) > before
    # The worker tidies up after the job has succeeded: its checkpoints go.
    wait_for(lambda: not (service.settings.work_dir / job.id).exists(), 10)


def test_a_job_runs_to_a_published_generator(service: Service) -> None:
    job = service.submit(steps=20)
    service.start_worker()
    done = service.wait_status(job, "succeeded", "failed")
    assert str(done.status) == "succeeded", done.error
    assert done.verdict in ("pass", "fail", "inconclusive")
    assert published(service, job) == 1
    types = [str(e.type) for e in service.events(job)]
    assert types[0] == "job.queued"
    assert types[-1] == "job.succeeded"
    assert [e.data["phase"] for e in service.events(job, "job.phase")] == ["training", "evaluating", "publishing"]
    left = list((service.settings.data_dir / "artifacts").rglob("*"))
    assert any(path.is_file() for path in left)
    assert not [path for path in left if path.stat().st_mode & 0o077], "other users of the machine could read it"


@pytest.mark.parametrize("share", SHARES)
def test_the_training_process_is_killed(service: Service, share: float) -> None:
    job = service.submit()
    worker = service.start_worker()
    wait_for_training(service, job, share)
    pid = worker.training_pid()
    assert pid is not None
    os.kill(pid, signal.SIGKILL)
    assert_resumed_and_published_once(service, job)
    assert service.store.get(job.id).failures == 1


@pytest.mark.parametrize("share", SHARES)
def test_the_whole_worker_is_killed(service: Service, share: float) -> None:
    job = service.submit()
    worker = service.start_worker()
    wait_for_training(service, job, share)
    training = worker.training_pid()
    assert training is not None
    worker.kill()
    # Nobody told the training process: it must end because its runner is gone.
    wait_for(lambda: not psutil.pid_exists(training) or psutil.Process(training).status() == "zombie", 10)
    service.start_worker()
    assert_resumed_and_published_once(service, job)


def test_a_zombie_writes_nothing(service: Service, figure: Callable[[str], None]) -> None:
    """A worker that is frozen for longer than its lease comes back to a job that is another's by now."""
    job = service.submit(steps=250)
    frozen = service.start_worker()
    wait_for_training(service, job, 0.1)
    frozen.process.send_signal(signal.SIGSTOP)
    service.start_worker()
    wait_for(lambda: service.store.get(job.id).attempt == 2, 30)
    frozen.process.send_signal(signal.SIGCONT)
    began = time.monotonic()
    wait_for(lambda: frozen.training_pid() is None, 15)
    figure(f"it let go after {time.monotonic() - began:.1f} s; 0 writes of it accepted")
    done = service.wait_status(job, "succeeded", "failed")
    assert str(done.status) == "succeeded"
    assert published(service, job) == 1
    order = [e.attempt for e in service.events(job) if e.attempt]
    assert order == sorted(order), "the old attempt wrote after the new one had begun"


def test_a_deploy_costs_no_failure_and_no_work(service: Service, figure: Callable[[str], None]) -> None:
    job = service.submit()
    worker = service.start_worker()
    wait_for_training(service, job, 0.3)
    worker.process.terminate()
    began = time.monotonic()
    assert worker.process.wait(60) == 0
    figure(f"handed back in {time.monotonic() - began:.1f} s, 0 failures, resumed")
    released = service.store.get(job.id)
    assert (str(released.status), released.failures) == ("queued", 0)
    service.start_worker()
    assert_resumed_and_published_once(service, job)
    assert service.store.get(job.id).failures == 0


def test_a_worker_says_that_it_lives_only_while_it_reaches_its_servers(service: Service, tmp_path: Path) -> None:
    alive = tmp_path / "alive"
    service.environment["LETHE_ALIVE_FILE"] = str(alive)
    service.start_worker()
    wait_for(alive.exists, 30)
    service.environment["LETHE_BROKER_URL"] = "redis://127.0.0.1:1/0"
    alive.unlink()
    service.stop()
    deaf = service.start_worker()
    wait_for(lambda: "Connection refused" in deaf.log.read_text(), 30)
    assert not alive.exists()


@pytest.mark.slow
def test_the_same_message_many_times_is_one_claim(service: Service, full: bool, figure: Callable[[str], None]) -> None:
    times = 100 if full else 10
    job = service.submit(steps=20)
    with ThreadPoolExecutor(10) as pool:
        list(pool.map(lambda _: service.broker.send_job(job.id), range(times)))
    workers: list[Worker] = [service.start_worker(), service.start_worker()]
    service.wait_status(job, "succeeded")
    # A worker that finds nothing looks again a second later: all of them are looked at, and none is claimed again.
    wait_for(lambda: service.broker.queue_length() == 0, 20 + times)
    assert all(w.process.poll() is None for w in workers)
    assert len(service.events(job, "job.started")) == 1
    assert published(service, job) == 1
    figure(f"{times} messages, 2 workers, 1 claim")


def test_lost_wake_up_messages_are_sent_again(service: Service) -> None:
    """The broker loses everything while jobs wait: they run all the same."""
    jobs = [service.submit(steps=5) for _ in range(3)]
    wait_for(lambda: service.broker.queue_length() == 3, 10)
    service.broker._redis.flushall()
    assert service.broker.queue_length() == 0
    service.start_worker()
    for job in jobs:
        assert str(service.wait_status(job, "succeeded", "failed").status) == "succeeded"
        assert len(service.events(job, "job.started")) == 1


@pytest.mark.slow
def test_cancel_while_queued_never_starts(service: Service) -> None:
    job = service.submit(steps=20)
    assert str(service.store.request_cancel(job.id, "default").status) == "cancelled"
    other = service.submit(steps=5)
    service.start_worker()
    service.wait_status(other, "succeeded")
    assert str(service.store.get(job.id).status) == "cancelled"
    assert service.events(job, "job.started") == []


def test_cancel_in_training_stops_within_ten_seconds(service: Service, figure: Callable[[str], None]) -> None:
    job = service.submit(steps=100_000)
    worker = service.start_worker()
    wait_for_training(service, job, 0.0)
    assert str(service.store.request_cancel(job.id, "default").status) == "cancelling"
    began = time.monotonic()
    service.wait_status(job, "cancelled", seconds=10)
    figure(f"training stopped in {time.monotonic() - began:.1f} s")
    wait_for(lambda: worker.training_pid() is None, 5)
    assert published(service, job) == 0


def test_cancel_with_no_worker_left_to_answer(service: Service) -> None:
    """The worker that should stop is gone: the reaper of the next one ends the job."""
    job = service.submit(steps=100_000)
    worker = service.start_worker()
    wait_for_training(service, job, 0.0)
    worker.kill()
    assert str(service.store.request_cancel(job.id, "default").status) == "cancelling"
    service.start_worker()
    service.wait_status(job, "cancelled", seconds=40)
    assert published(service, job) == 0


def test_a_diverging_job_fails_with_its_reason_and_is_not_tried_again(service: Service) -> None:
    rates = {"lr_generator": 0.1, "lr_fake_score": 0.1, "clip_value": 1e6, "deep_weight": 0}
    recipe = {"batch": 8, "forgotten_share": 0.25, **rates}
    job = service.submit(steps=5000, recipe=recipe)
    service.start_worker()
    failed = service.wait_status(job, "failed", "succeeded")
    assert str(failed.status) == "failed"
    assert failed.error is not None
    assert failed.error.code == "training_diverged"
    assert failed.attempt == 1


def test_a_worker_without_the_model_says_so(service: Service) -> None:
    job = service.submit(steps=5)
    with service.engine.begin() as connection:
        connection.execute(text("UPDATE jobs SET base_model_digest = 'sha256:other'"))
    service.start_worker()
    failed = service.wait_status(job, "failed")
    assert failed.error is not None
    assert failed.error.code == "model_refused"
