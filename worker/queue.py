"""The workers' Celery application: its settings, each with its reason, and its two tasks.

A message only wakes a worker up. Postgres is the job; a message that is lost is sent again, one that comes twice
finds nothing to claim.
"""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, Any

from celery import Celery

from jobs.broker import TASK_RUN, TASK_SAMPLE, celery_app

if TYPE_CHECKING:
    from worker.runner import Runner
    from worker.sampler import Sampler


def make_app(broker_url: str) -> Celery:
    """Make a Celery application without tasks."""
    app = celery_app(broker_url)
    app.conf.update(
        # A job is acknowledged before it runs: a redelivery after visibility_timeout would run it twice, and the
        # lease in Postgres, not the broker, is what brings a lost job back.
        task_acks_late=False,
        # Nobody reads results: the job's row has them.
        task_ignore_result=True,
        worker_concurrency=1,
        worker_prefetch_multiplier=1,
        # A broker that is down at the start or goes away is waited for, as long as it takes.
        broker_connection_retry_on_startup=True,
        broker_connection_max_retries=None,
        # A restarted broker is noticed even on a connection that looks alive.
        broker_transport_options={"health_check_interval": 10, "socket_keepalive": True},
        # No revoke, no remote control, no events: cancelling is a flag in the row.
        worker_enable_remote_control=False,
        worker_send_task_events=False,
        # Logs are the process's own.
        worker_hijack_root_logger=False,
        task_serializer="json",
        accept_content=["json"],
    )
    return app


def register_run(app: Celery, runner: Runner) -> None:
    """Answer wake-up messages with ``runner``: one job a worker and none taken in advance, since one that waits in a
    busy worker is one that an idle worker does not get. (Without prefetch Celery looks for work once a second: nothing
    beside a training, too long for a request for samples.)"""
    app.conf.worker_disable_prefetch = True

    @app.task(name=TASK_RUN)  # type: ignore[untyped-decorator]
    def run_job(_: str) -> None:  # the job that waits; which one runs is the database's to say
        runner.run()


def register_sample(app: Celery, sampler: Sampler) -> None:
    """Answer requests for samples with ``sampler``."""

    @app.task(name=TASK_SAMPLE)  # type: ignore[untyped-decorator]
    def sample(generator_id: str, request: dict[str, Any], reply_key: str) -> None:
        # An asker that is gone by now has had its 503; there is nobody to tell.
        with contextlib.suppress(ConnectionError):
            sampler.answer(generator_id, request, reply_key)
