"""The reaper: a thread of every worker that brings back what was lost. Leases that ran out are taken, wake-up messages
that the broker lost are written again, those that the api could not send are sent (the dispatcher), what nobody needs
any more is removed (files of what was deleted, work folders that outlived their job, sessions that are over, every few
minutes what is older than the settings say and what ``worker.collection`` finds), and jobs and files are counted. It
also states that its worker lives."""

from __future__ import annotations

import logging
import socket
import threading
import time
from collections.abc import Callable

from sqlalchemy import Engine

from jobs import counting, sessions, storage, workers
from jobs.artifacts import ArtifactStore
from jobs.broker import Broker
from jobs.database import DATABASE_ERRORS
from jobs.dispatcher import Dispatcher
from jobs.errors import BrokerUnavailable, SigningKeyMissing
from jobs.retention import delete_overdue
from jobs.settings import Settings
from jobs.store import JobStore
from jobs.workers import Worker
from worker.collection import collect
from worker.deletion import remove_deleted
from worker.leftovers import remove_leftovers, sizes

logger = logging.getLogger("lethe.reaper")

SWEEP_SECONDS = 5.0
COLLECT_SECONDS = 600.0
"""How often what nobody needs any more is looked for."""
WAKE_UP_SECONDS = 20.0
"""Where the broker has lost wake-up messages, a queued job whose own is older than this may get another."""


class Reaper(threading.Thread):
    """A thread that sweeps every few seconds until :meth:`stop`. Any number may run at once: each takes other rows.
    ``worker``: the one that it belongs to, and states to live; None: one that trains nothing. ``forget``: has its
    process forget what was deleted."""

    def __init__(
        self,
        settings: Settings,
        store: JobStore,
        engine: Engine,
        broker: Broker,
        worker: Worker | None = None,
        forget: Callable[[], object] = lambda: None,
    ) -> None:
        super().__init__(name="lethe-reaper", daemon=True)
        self.worker, self.forget = worker, forget
        self.settings, self.store, self.engine, self.broker = settings, store, engine, broker
        self.artifacts = ArtifactStore(settings.artifacts_url)
        self.signer = settings.signer()
        self.dispatcher = Dispatcher(engine, broker)
        self._next_collection = time.monotonic()
        self.stopped = threading.Event()

    def run(self) -> None:
        self.dispatcher.start()
        while not self.stopped.is_set():
            try:
                self.sweep()
            except Exception:  # whatever it is: without its reaper a service brings back no job and deletes nothing
                logger.exception("a sweep failed")
            self.stopped.wait(min(SWEEP_SECONDS, self.settings.lease_seconds / 4))
        self._leave()
        self.dispatcher.stop()

    def sweep(self) -> None:
        """Run one round. A database or a broker that is away is met again in the next one."""
        try:
            if self.worker is not None:
                workers.state(self.engine, self.worker)
            self.forget()
            for expired in self.store.expire_leases(max_failures=self.settings.max_failures):
                logger.warning("lease ran out: %s is %s", expired.job_id, expired.outcome)
            if again := self.store.requeue_wake_ups(WAKE_UP_SECONDS, self.broker.queue_length):
                logger.warning("%d wake-up messages were lost and are sent again", again)
            remove_leftovers(self.settings.work_dir, self.store)
            self._remove_deleted()
            sessions.remove_ended(self.engine)
            counting.add_up(self.engine)
            storage.add_up(self.engine)
            self._collect()
            self.dispatcher.nudge()
            if self.settings.alive_file is not None:
                self.settings.alive_file.touch()
        except DATABASE_ERRORS as error:
            logger.warning("the database does not answer: %s", error)
        except BrokerUnavailable as error:
            logger.warning("%s", error)

    def _leave(self) -> None:
        """Say that the worker is gone. It may still run a job to its checkpoint, but takes no other."""
        try:
            if self.worker is not None:
                workers.leave(self.engine, self.worker.name)
        except DATABASE_ERRORS as error:
            logger.warning("the database does not answer: %s", error)

    def _remove_deleted(self) -> None:
        try:
            remove_deleted(self.engine, self.artifacts)
        except OSError as error:
            logger.warning("the artefact store does not answer: %s", error)

    def _collect(self) -> None:
        if time.monotonic() >= self._next_collection:
            self._next_collection = time.monotonic() + COLLECT_SECONDS
            workers.forget_gone(self.engine)
            folder = self.settings.work_dir
            storage.measured(self.engine, f"{socket.gethostname()}:{folder}", sizes(folder))
            try:
                for tombstone in delete_overdue(self.engine, self.settings, self.signer):
                    logger.warning("deleted %s: %s", tombstone.deleted, tombstone.deletion.reason)
            except SigningKeyMissing as error:
                logger.error("what is overdue is not deleted: %s", error)
            try:
                collect(self.store, self.artifacts, self.settings)
            except OSError as error:
                logger.warning("the artefact store does not answer: %s", error)

    def stop(self) -> None:
        self.stopped.set()
