"""An api that is killed after it has stored a job and before it has sent it, and one that is killed before its commit:
what was accepted is sent by another, and what was not is nothing."""

from __future__ import annotations

import time
from collections.abc import Callable

from sqlalchemy import Engine, event

from jobs.broker import Broker
from jobs.database import make_engine
from jobs.dispatcher import Dispatcher
from jobs.store import JobStore
from tests.store.making import count, created
from tests.support.cut import forked, kill_itself
from tests.support.waiting import wait_for


def killed(database_url: str, before_commit: bool) -> None:
    """Submit a job in a process that is killed before its commit, or right after it."""

    def work() -> None:
        engine = make_engine(database_url)
        if before_commit:
            event.listen(engine, "commit", lambda _: kill_itself())
        created(JobStore(engine))
        kill_itself()

    assert forked(work) < 0


def test_killed_between_commit_and_send_and_before_the_commit(
    engine: Engine, database_url: str, broker_url: str, full: bool, figure: Callable[[str], None]
) -> None:
    times = 100 if full else 5
    for _ in range(times):
        killed(database_url, before_commit=False)
        killed(database_url, before_commit=True)
    assert count(engine, "jobs") == count(engine, "outbox") == times
    broker = Broker(broker_url)
    dispatcher = Dispatcher(engine, broker)
    began = time.monotonic()
    dispatcher.start()
    try:
        wait_for(lambda: broker.queue_length() == times, 30)
        figure(
            f"{times} of {times} committed were dispatched in {time.monotonic() - began:.1f} s, "
            f"0 of {times} rolled back"
        )
    finally:
        dispatcher.stop()
        broker.close()
