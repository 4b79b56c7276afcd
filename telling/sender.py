"""A thread of every api that sends what is due. Any number of processes may run one: each takes other deliveries."""

from __future__ import annotations

import logging
import threading

from sqlalchemy import Engine

from jobs import deliveries
from jobs.database import DATABASE_ERRORS
from jobs.deliveries import Due, Outcome
from jobs.sealing import Sealer, Unsealable
from telling.addresses import AddressRefused
from telling.kind import Destination, Means
from telling.kinds import KINDS
from telling.message import Message

logger = logging.getLogger("lethe.sender")

SWEEP_SECONDS = 2.0
LEASE_SECONDS = 60.0
"""Longer than any try takes. Of a sender that died, another takes what it had so much later."""
AT_ONCE = 8
"""Deliveries that one process sends at once, each in a thread of its own that mostly waits."""
MAX_BACKOFF_SECONDS = 30.0


class Sender(threading.Thread):
    """A thread that looks every two seconds for what is due, and sends it in threads of its own. It outlives an
    unreachable database and says so once an outage. What it was sending when it was stopped is sent again."""

    def __init__(self, engine: Engine, sealer: Sealer, means: Means, public_url: str | None = None) -> None:
        super().__init__(name="lethe-sender", daemon=True)
        self._engine = engine
        self._sealer = sealer
        self._means = means
        self._public_url = public_url
        self._wake = threading.Event()
        self._stopped = threading.Event()
        self._free = AT_ONCE
        self._changed = threading.Condition()
        self._failures = 0

    def nudge(self) -> None:
        """Say that there is something to send. Returns at once."""
        self._wake.set()

    def stop(self, timeout: float = 5) -> None:
        """End the thread; waits up to ``timeout`` seconds for what it is sending."""
        self._stopped.set()
        self._wake.set()
        with self._changed:
            self._changed.wait_for(lambda: self._free == AT_ONCE, timeout)
        if self.is_alive():
            self.join(timeout)

    def run(self) -> None:
        """Run until :meth:`stop`. Started by ``start()``."""
        while not self._stopped.is_set():
            if self._send_due():
                self._wake.wait(SWEEP_SECONDS)
            else:
                self._stopped.wait(min(MAX_BACKOFF_SECONDS, 0.5 * 2**self._failures))
            self._wake.clear()

    def _send_due(self) -> bool:
        """Start to send all that is due and there is room for; ``False`` if the database does not answer."""
        try:
            while not self._stopped.is_set() and self._free:
                found = deliveries.take_due(self._engine, self._free, LEASE_SECONDS)
                for due in found:
                    self._take(1)
                    threading.Thread(target=self._deliver, args=[due], name="lethe-delivery", daemon=True).start()
                if not found:
                    break
        except DATABASE_ERRORS as error:
            if self._failures == 0:
                logger.warning("cannot look for deliveries, will keep trying: %s", type(error).__name__)
            self._failures = min(self._failures + 1, 10)
            return False
        self._failures = 0
        return True

    def _deliver(self, due: Due) -> None:
        try:
            outcome = self.attempt(due)
            deliveries.finish(self._engine, due, outcome)
            said = outcome.error or outcome.response
            logger.info("%s to %s, try %d: %s", due.delivery.id, due.delivery.webhook_id, due.delivery.tries, said)
        except DATABASE_ERRORS as error:  # its lease runs out, and it is sent again with the same id
            logger.warning("%s: how it went could not be written: %s", due.delivery.id, type(error).__name__)
        finally:
            self._take(-1)
            self._wake.set()  # the next of this webhook

    def _take(self, places: int) -> None:
        with self._changed:
            self._free -= places
            self._changed.notify_all()

    def attempt(self, due: Due) -> Outcome:
        """Try once. Whatever goes wrong is an outcome: one delivery stops no other."""
        try:
            kind = KINDS[due.kind]
            secrets = tuple(map(self._sealer.open, due.sealed_secrets))
            to = Destination(self._sealer.open(due.sealed_url), secrets)
            return kind.send(Message.of(due.delivery, self._public_url), to, self._means)
        except (Unsealable, OSError) as error:
            logger.warning("%s cannot be sent: %s", due.delivery.id, error)
            return Outcome(error="the service cannot open this webhook's URL or secret: its operator's log says why")
        except AddressRefused as error:  # it was good when it was given, and what is allowed has changed
            return Outcome(error=str(error))
        except Exception as error:
            logger.exception("%s cannot be sent", due.delivery.id)
            return Outcome(error=f"the service failed: {type(error).__name__}")
