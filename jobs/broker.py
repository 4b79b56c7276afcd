"""The way to the workers: the names of queues and tasks, and the client's side of Celery.

A message only wakes a worker up. ``lethe.run_job`` carries the id of a job that waits, which need not be the one that
runs (``jobs.turns``), and may be lost or come twice without harm. A request for samples carries the name of a list for
its answer, which the worker pushes to and the asker pops from.
"""

from __future__ import annotations

import time
import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import redis
from celery import Celery
from kombu.exceptions import OperationalError

from jobs.errors import BrokerUnavailable, SampleTimeout
from jobs.urls import is_tls, redis_url, tls_settings

QUEUE_JOBS = "lethe.jobs"
QUEUE_SAMPLES = "lethe.samples"
TASK_RUN = "lethe.run_job"
TASK_SAMPLE = "lethe.sample"

REPLY_PREFIX = "lethe:reply:"
REPLY_SECONDS = 120
"""How long an answer that nobody fetches is kept."""

_CONNECT_SECONDS = 2
_SOCKET_SECONDS = 5
_WAIT_SECONDS = 2.0


class Broker:
    """The broker as the api and the workers use it, from any number of threads. Connects when first used."""

    def __init__(self, url: str) -> None:
        self._celery = celery_app(url)
        self._celery.conf.update(
            # Nobody reads results: Postgres is the job, and samples have their own way back.
            task_ignore_result=True,
            broker_transport_options={
                "socket_connect_timeout": _CONNECT_SECONDS,
                "socket_timeout": _SOCKET_SECONDS,
                # A broker that is down is told of at once, not after six seconds. The outbox is what tries again.
                "max_retries": 0,
            },
        )
        self._redis = redis_client(url, socket_connect_timeout=_CONNECT_SECONDS, socket_timeout=_SOCKET_SECONDS)

    def send_job(self, job_id: str) -> None:
        """Send a wake-up message: a job waits.

        Raises:
            BrokerUnavailable: the broker did not take it.
        """
        self._send(TASK_RUN, QUEUE_JOBS, [job_id])

    def queue_length(self, queue: str = QUEUE_JOBS) -> int:
        """Count the messages that wait in ``queue``.

        Raises:
            BrokerUnavailable: the broker does not answer.
        """
        with _unavailable():
            return int(self._redis.llen(queue))

    def ping(self) -> None:
        """Return if the broker answers.

        Raises:
            BrokerUnavailable: it does not.
        """
        with _unavailable():
            self._redis.ping()

    def request_samples(self, generator_id: str, request: Mapping[str, Any], timeout: float) -> bytes:
        """Ask a sampler and wait for its answer, up to ``timeout`` seconds: bytes for ``jobs.samples.decode``. A
        sampler that gets to the request only after that does not run it.

        Raises:
            SampleTimeout: no answer came.
            BrokerUnavailable: the broker does not answer.
        """
        deadline = time.monotonic() + timeout
        reply_key = f"{REPLY_PREFIX}{uuid.uuid4().hex}"
        self._send(TASK_SAMPLE, QUEUE_SAMPLES, [generator_id, dict(request), reply_key], expires=timeout)
        with _unavailable():
            while (left := deadline - time.monotonic()) > 0:
                # In turns shorter than the socket's own timeout, so that a broker that died is noticed.
                answer: Any = self._redis.blpop([reply_key], timeout=min(left, _WAIT_SECONDS))
                if answer is not None:
                    return bytes(answer[1])
        raise SampleTimeout(f"no sampler answered within {timeout:g} s")

    def reply(self, reply_key: str, payload: bytes) -> None:
        """Answer a request for samples.

        Raises:
            BrokerUnavailable: the broker did not take it.
        """
        with _unavailable():
            pipeline = self._redis.pipeline(transaction=True)
            pipeline.rpush(reply_key, payload)
            pipeline.expire(reply_key, REPLY_SECONDS)
            pipeline.execute()

    def close(self) -> None:
        """Give the connections back."""
        self._redis.close()
        self._celery.close()

    def _send(self, task: str, queue: str, args: list[Any], expires: float | None = None) -> None:
        with _unavailable():
            self._celery.send_task(task, args=args, queue=queue, expires=expires, retry=False, ignore_result=True)


@contextmanager
def _unavailable() -> Iterator[None]:
    """The many ways in which two libraries say that the broker is down, as one."""
    try:
        yield
    except (redis.RedisError, OperationalError, OSError) as error:
        raise BrokerUnavailable(f"the broker does not answer: {error}") from error


def celery_app(url: str) -> Celery:
    """Make Celery's application on a broker. Over TLS it is verified: Celery by itself takes any certificate."""
    if not is_tls(url):
        return Celery("lethe", broker=url, set_as_current=False)
    app = Celery("lethe", broker=url.partition("?")[0], set_as_current=False)
    app.conf.broker_use_ssl = tls_settings(url)
    return app


def redis_client(url: str, **options: Any) -> redis.Redis:
    """Make redis-py's client of a broker, which is verified as Celery's is."""
    if is_tls(url):
        return redis.Redis.from_url(url.partition("?")[0], **tls_settings(url), **options)
    return redis.Redis.from_url(redis_url(url), **options)
