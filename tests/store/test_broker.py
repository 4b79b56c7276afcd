"""Through the broker to a real Celery worker and back, and what is said when the broker or the worker is away."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import redis
from celery import Celery
from celery.contrib.testing.worker import start_worker

from jobs.broker import (
    QUEUE_JOBS,
    QUEUE_SAMPLES,
    REPLY_PREFIX,
    REPLY_SECONDS,
    TASK_RUN,
    TASK_SAMPLE,
    Broker,
)
from jobs.errors import BrokerUnavailable, SampleTimeout
from jobs.ids import new_id
from jobs.samples import SampleReply, decode, encode
from jobs.urls import redis_url
from tests.store.making import at_once
from tests.support.waiting import wait_for


@contextmanager
def worker(url: str, queue: str, task: str, run: Callable[..., None]) -> Iterator[None]:
    """A Celery worker in a thread that answers ``task`` with ``run``."""
    app = Celery("lethe-test-worker", broker=url, set_as_current=False)
    app.conf.update(task_ignore_result=True, worker_hijack_root_logger=False)
    app.task(name=task, shared=False)(run)
    app.conf.task_default_queue = queue
    level = logging.root.level
    try:
        with start_worker(app, pool="solo", perform_ping_check=False, shutdown_timeout=20, queues=[queue]):
            yield
    finally:
        # It lets errors alone through, here and in every test that comes after.
        logging.root.setLevel(level)


def answering(broker: Broker) -> Callable[..., None]:
    """A sampler that answers at once, with images that tell what it was asked."""

    def sample(generator_id: str, request: dict[str, Any], reply_key: str) -> None:
        images = tuple(f"{request['concept']} {i}".encode() for i in range(request["n"]))
        broker.reply(reply_key, encode(SampleReply(images, request["seed"], request["concept"], generator_id, 0.1)))

    return sample


def test_a_job_reaches_a_worker(broker_url: str) -> None:
    broker = Broker(broker_url)
    broker.ping()
    ids = [new_id("job") for _ in range(3)]
    for job_id in ids:
        broker.send_job(job_id)
    assert broker.queue_length() == 3
    assert broker.queue_length(QUEUE_SAMPLES) == 0
    got: list[str] = []

    def run(job_id: str) -> None:
        got.append(job_id)

    with worker(broker_url, QUEUE_JOBS, TASK_RUN, run):
        wait_for(lambda: len(got) == 3)
    assert got == ids
    assert broker.queue_length() == 0
    broker.close()


def test_samples_there_and_back(broker_url: str) -> None:
    broker = Broker(broker_url)
    with worker(broker_url, QUEUE_SAMPLES, TASK_SAMPLE, answering(broker)):
        reply = decode(broker.request_samples("gen_1", {"concept": "Bag", "n": 2, "seed": 7}, 20))
        assert reply == SampleReply((b"Bag 0", b"Bag 1"), 7, "Bag", "gen_1", 0.1)

        def ask(i: int) -> object:
            return decode(broker.request_samples("gen_1", {"concept": f"c{i}", "n": 1, "seed": i}, 20))

        replies = at_once(10, ask)
    assert replies == [SampleReply((f"c{i} 0".encode(),), i, f"c{i}", "gen_1", 0.1) for i in range(10)]
    with redis.Redis.from_url(redis_url(broker_url)) as client:
        assert list(client.scan_iter(f"{REPLY_PREFIX}*")) == [], "fetched answers are gone"


def test_without_a_sampler_the_wait_ends(broker_url: str) -> None:
    broker = Broker(broker_url)
    begun = time.monotonic()
    with pytest.raises(SampleTimeout) as caught:
        broker.request_samples("gen_1", {}, 0.5)
    assert 0.4 < time.monotonic() - begun < 4
    assert (caught.value.kind.code, caught.value.kind.retryable) == ("samples_unavailable", True)


def test_a_request_that_nobody_waits_for_is_not_run(broker_url: str) -> None:
    broker = Broker(broker_url)
    with pytest.raises(SampleTimeout):
        broker.request_samples("gen_1", {"concept": "late"}, 0.2)
    got: list[str] = []

    def sample(generator_id: str, request: dict[str, Any], reply_key: str) -> None:
        got.append(request["concept"])
        broker.reply(reply_key, b"x")

    with worker(broker_url, QUEUE_SAMPLES, TASK_SAMPLE, sample):
        assert broker.request_samples("gen_1", {"concept": "in time"}, 20) == b"x"
    assert got == ["in time"]


def test_an_answer_nobody_fetches_does_not_stay(broker_url: str) -> None:
    broker = Broker(broker_url)
    broker.reply(f"{REPLY_PREFIX}lost", b"x")
    with redis.Redis.from_url(redis_url(broker_url)) as client:
        assert 0 < client.ttl(f"{REPLY_PREFIX}lost") <= REPLY_SECONDS


@pytest.mark.parametrize("url", ["redis+socket://{}/no.sock?virtual_host=0", "redis://127.0.0.1:1/0"])
def test_a_broker_that_is_away_is_told_of_at_once(tmp_path: Path, url: str) -> None:
    broker = Broker(url.format(tmp_path))
    calls: list[Callable[[], object]] = [
        broker.ping,
        broker.queue_length,
        lambda: broker.send_job("job_1"),
        lambda: broker.request_samples("gen_1", {}, 60),
        lambda: broker.reply("key", b"x"),
    ]
    for call in calls:
        begun = time.monotonic()
        with pytest.raises(BrokerUnavailable) as caught:
            call()
        assert time.monotonic() - begun < 4
        assert caught.value.kind.status == 503


def test_threads_share_a_broker(broker_url: str) -> None:
    broker = Broker(broker_url)

    def send(_: int) -> None:
        for _ in range(5):
            broker.send_job(new_id("job"))

    at_once(30, send)
    assert broker.queue_length() == 150


def test_a_broker_leaves_no_thread_behind(broker_url: str) -> None:
    before = threading.active_count()
    broker = Broker(broker_url)
    broker.send_job(new_id("job"))
    broker.close()
    assert threading.active_count() <= before


@pytest.mark.parametrize(
    ("celery", "ours"),
    [
        ("redis://host:6379/0", "redis://host:6379/0"),
        ("rediss://:pw@host/1", "rediss://:pw@host/1"),
        ("redis+socket:///run/vk.sock?virtual_host=3", "unix:///run/vk.sock?db=3"),
        ("redis+socket:///run/vk.sock?virtual_host=/3", "unix:///run/vk.sock?db=3"),
        ("redis+socket:///run/vk.sock", "unix:///run/vk.sock?db=0"),
    ],
)
def test_urls(celery: str, ours: str) -> None:
    assert redis_url(celery) == ours
