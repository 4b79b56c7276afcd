"""A thread that empties the outbox: at a nudge, and every two seconds for what nobody nudged it about."""

from __future__ import annotations

import logging
import threading
import time

from sqlalchemy import Engine

from jobs import outbox
from jobs.broker import Broker

logger = logging.getLogger("lethe.dispatcher")

SWEEP_SECONDS = 2.0
MAX_BACKOFF_SECONDS = 5.0
BATCH = 100
PRUNE_EVERY_SECONDS = 3600.0
KEEP_SENT_SECONDS = 24 * 3600.0


class Dispatcher(threading.Thread):
    """A thread that sends every committed wake-up message to the broker. Any number of processes may run one. It
    outlives both an unreachable broker and an unreachable database, and says so in the log once an outage, not once a
    try."""

    def __init__(self, engine: Engine, broker: Broker) -> None:
        super().__init__(name="lethe-dispatcher", daemon=True)
        self._engine = engine
        self._broker = broker
        self._wake = threading.Event()
        self._stopped = threading.Event()
        self._failures = 0
        self._next_prune = time.monotonic() + PRUNE_EVERY_SECONDS

    def nudge(self) -> None:
        """Say that there is something to send. Returns at once."""
        self._wake.set()

    def stop(self, timeout: float = 10) -> None:
        """End the thread; waits up to ``timeout`` seconds for what it is sending. What is left unsent stays in the
        outbox."""
        self._stopped.set()
        self._wake.set()
        if self.is_alive():
            self.join(timeout)

    def run(self) -> None:
        """Run until :meth:`stop`. Started by ``start()``."""
        while not self._stopped.is_set():
            if self._empty_outbox():
                self._wake.wait(SWEEP_SECONDS)
            else:
                # Nudges do not shorten this: a burst of submissions must not hammer a broker that is down.
                self._stopped.wait(min(MAX_BACKOFF_SECONDS, 0.1 * 2**self._failures))
            self._wake.clear()

    def _empty_outbox(self) -> bool:
        """Send all there is; ``False`` if that failed."""
        try:
            while (
                not self._stopped.is_set() and outbox.take_unsent(self._engine, BATCH, self._broker.send_job) == BATCH
            ):
                continue
            self._prune()
        except Exception as error:  # noqa: BLE001 - whatever it is, the next try may go better; the rows are safe
            if self._failures == 0:
                logger.warning("cannot dispatch jobs, will keep trying: %s: %s", type(error).__name__, error)
            # Bounded, because it is an exponent.
            self._failures = min(self._failures + 1, 10)
            return False
        if self._failures:
            logger.info("dispatching jobs again")
            self._failures = 0
        return True

    def _prune(self) -> None:
        if time.monotonic() >= self._next_prune:
            outbox.prune_sent(self._engine, KEEP_SENT_SECONDS)
            self._next_prune = time.monotonic() + PRUNE_EVERY_SECONDS
