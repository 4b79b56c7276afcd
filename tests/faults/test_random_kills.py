"""Kills at points that nobody chose: of the training process, and of the whole worker with all that it has started."""

from __future__ import annotations

import itertools
import os
import random
import signal
from collections.abc import Callable

import psutil
import pytest

from jobs.job import Job
from tests.faults.conftest import Service, Worker
from tests.faults.test_promise import assert_resumed_and_published_once, wait_for_training

CLAIMED_AGAIN = 90.0
"""Seconds within which a job must be claimed again."""


def kill_training(worker: Worker) -> None:
    pid = worker.training_pid()
    assert pid is not None
    os.kill(pid, signal.SIGKILL)


def kill_worker(worker: Worker) -> None:
    """Its group at once, and what it has started in sessions of their own."""
    everything = psutil.Process(worker.process.pid).children(recursive=True)
    os.killpg(worker.process.pid, signal.SIGKILL)
    for process in everything:
        process.kill()
    worker.process.wait()


def killed_and_published(service: Service, points: int, kill: Callable[[Worker], None]) -> str:
    """Kill each of so many jobs once, at a point of its training drawn at random. Returns what was measured."""
    chance = random.Random(points)
    slowest, lost = 0.0, 0
    worker = service.start_worker()
    for _ in range(points):
        job = service.submit(steps=150)
        wait_for_training(service, job, chance.random() * 0.9)
        kill(worker)
        if worker.process.poll() is not None:
            worker = service.start_worker()
        done = service.wait_status(job, "succeeded", "failed")
        assert str(done.status) == "succeeded", done.error
        if done.attempt > 1:  # else its training was over before the kill came
            assert_resumed_and_published_once(service, job)
            slowest = max(slowest, seconds_without(service, job))
            lost = max(lost, repeated(service, job))
        assert slowest < CLAIMED_AGAIN
    return (
        f"{points} of {points} ended with one generator; claimed again within {slowest:.0f} s; {lost} images repeated"
    )


def seconds_without(service: Service, job: Job) -> float:
    """The longest between the last that was heard of an attempt and the start of the next."""
    events = service.events(job)
    gaps = [
        (after.created_at - before.created_at).total_seconds()
        for before, after in itertools.pairwise(events)
        if after.attempt != before.attempt
    ]
    return max(gaps)


def repeated(service: Service, job: Job) -> int:
    """Images that were trained on again: those since the last checkpoint before the kill."""
    first = [event for event in service.events(job) if event.attempt == 1]
    seen = max(event.data["images"] for event in first if "images" in event.data)
    kept = max(event.data["images"] for event in first if str(event.type) == "job.checkpoint")
    return int(seen - kept)


@pytest.mark.slow
def test_the_training_process_is_killed_at_random(service: Service, full: bool, figure: Callable[[str], None]) -> None:
    figure(killed_and_published(service, 50 if full else 2, kill_training))


@pytest.mark.slow
def test_the_whole_worker_is_killed_at_random(service: Service, full: bool, figure: Callable[[str], None]) -> None:
    figure(killed_and_published(service, 50 if full else 2, kill_worker))
