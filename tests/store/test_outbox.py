"""Wake-up messages to the workers: sent after commit, sent again after a crash, never lost while the broker is away."""

from __future__ import annotations

import base64
import json
import logging
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import redis
from sqlalchemy import Engine, update

from jobs import schema
from jobs.broker import QUEUE_JOBS, Broker
from jobs.database import make_engine
from jobs.dispatcher import Dispatcher
from jobs.errors import BrokerUnavailable
from jobs.outbox import prune_sent, take_unsent
from jobs.rows import from_now
from jobs.settings import Settings
from jobs.states import Status
from jobs.store import JobStore
from jobs.urls import redis_url
from local.services import some_services
from tests.store.making import LEASE, at_once, claimed, count, created, in_state, unsent
from tests.support.waiting import wait_for
from worker.reaper import Reaper


class CountingBroker(Broker):
    """A broker that knows how often it was tried."""

    tries = 0

    def send_job(self, job_id: str) -> None:
        self.tries += 1
        super().send_job(job_id)


def age_wake_ups(engine: Engine, seconds: float) -> None:
    """Let every wake-up message have been written that long ago."""
    with engine.begin() as connection:
        connection.execute(update(schema.jobs).values(woken_at=from_now(-seconds)))


def requeued(store: JobStore, in_queue: int = 0, limit: int = 1000) -> int:
    """How many wake-up messages are written again where the broker has so many."""
    return store.requeue_wake_ups(60, lambda: in_queue, limit)


def in_the_queue(client: redis.Redis) -> list[str]:  # type: ignore[type-arg]
    """The jobs of which there is a message in the broker, the next first."""
    messages: list[Any] = client.lrange(QUEUE_JOBS, 0, -1)  # type: ignore[assignment]
    bodies = [json.loads(base64.b64decode(json.loads(message)["body"])) for message in reversed(messages)]
    return [arguments[0] for arguments, *_ in bodies]


@contextmanager
def dispatching(engine: Engine, broker: Broker) -> Iterator[Dispatcher]:
    dispatcher = Dispatcher(engine, broker)
    dispatcher.start()
    try:
        yield dispatcher
    finally:
        dispatcher.stop()
        assert not dispatcher.is_alive()


def test_what_was_committed_is_sent_once_in_order(store: JobStore, engine: Engine) -> None:
    ids = [created(store).id for _ in range(5)]
    sent: list[str] = []
    assert take_unsent(engine, 3, sent.append) == 3
    assert take_unsent(engine, 3, sent.append) == 2
    assert take_unsent(engine, 3, sent.append) == 0
    assert sent == ids


def test_a_send_that_fails_leaves_the_rest_waiting(store: JobStore, engine: Engine) -> None:
    ids = [created(store).id for _ in range(4)]
    sent: list[str] = []

    def send(job_id: str) -> None:
        if len(sent) == 2:
            raise ConnectionError("broker is gone")
        sent.append(job_id)

    with pytest.raises(ConnectionError, match="broker is gone"):
        take_unsent(engine, 10, send)
    assert sent == ids[:2]
    assert unsent(engine) == ids[2:]


def test_nothing_is_sent_past_one_that_failed(store: JobStore, engine: Engine) -> None:
    """Though the broker came back at once: the order of the rows is that of the sends."""
    ids = [created(store).id for _ in range(3)]
    tried: list[str] = []

    def send(job_id: str) -> None:
        tried.append(job_id)
        if len(tried) == 2:
            raise ConnectionError("broker is gone")

    with pytest.raises(ConnectionError):
        take_unsent(engine, 10, send)
    assert take_unsent(engine, 10, send) == 2
    assert tried == [ids[0], ids[1], ids[1], ids[2]]


def test_a_crash_between_send_and_commit_sends_again(store: JobStore, engine: Engine) -> None:
    job = created(store)
    sent: list[str] = []

    def send_and_die(job_id: str) -> None:
        sent.append(job_id)
        raise KeyboardInterrupt  # as a kill would: no handler runs, the transaction is rolled back

    with pytest.raises(KeyboardInterrupt):
        take_unsent(engine, 10, send_and_die)
    assert take_unsent(engine, 10, sent.append) == 1
    assert sent == [job.id, job.id]


def test_dispatchers_at_once_send_each_row_once(store: JobStore, engine: Engine) -> None:
    ids = [created(store).id for _ in range(40)]
    sent: list[str] = []
    at_once(4, lambda _: [take_unsent(engine, 5, sent.append) for _ in range(10)])
    assert sorted(sent) == ids


def test_a_row_that_somebody_else_is_sending_is_left_to_him(store: JobStore, engine: Engine, database_url: str) -> None:
    """And nobody waits for him: another takes the rows after his."""
    ids = [created(store).id for _ in range(4)]
    other = make_engine(database_url, lock_timeout_seconds=2)
    sent: list[str] = []

    def send(job_id: str) -> None:
        if len(sent) == 0:
            sent.append(job_id)
            assert take_unsent(other, 1, sent.append) == 1
        else:
            sent.append(job_id)

    assert take_unsent(engine, 2, send) == 2
    assert sent == [ids[0], ids[2], ids[1]]
    assert unsent(engine) == [ids[3]]
    other.dispose()


def test_sent_rows_are_pruned_and_waiting_ones_kept(store: JobStore, engine: Engine) -> None:
    created(store)
    take_unsent(engine, 10, lambda _: None)
    waiting = created(store)
    assert prune_sent(engine, 3600) == 0
    with engine.begin() as connection:
        connection.execute(update(schema.outbox).values(created_at=from_now(-7200)))
        connection.execute(
            update(schema.outbox).where(schema.outbox.c.sent_at.is_not(None)).values(sent_at=from_now(-7200))
        )
    assert prune_sent(engine, 3600) == 1
    assert unsent(engine) == [waiting.id]


def test_forgotten_jobs_get_another_wake_up_message(store: JobStore, engine: Engine) -> None:
    ids = [created(store).id for _ in range(3)]
    claimed(store)
    take_unsent(engine, 10, lambda _: None)
    assert requeued(store) == 0, "their messages are fresh"
    age_wake_ups(engine, 120)
    before = store.get(ids[0])
    assert requeued(store, in_queue=3) == 0, "they are in the queue"
    assert requeued(store, in_queue=2, limit=2) == 1
    assert requeued(store, limit=1) == 1
    assert requeued(store) == 1
    assert unsent(engine) == ids, "the running job is not among them"
    assert store.get(ids[0]).version == before.version
    age_wake_ups(engine, 120)
    assert requeued(store) == 0, "their messages have not even been sent"


@pytest.mark.parametrize("status", [s for s in Status if s is not Status.QUEUED])
def test_only_queued_jobs_get_a_wake_up_message(store: JobStore, engine: Engine, status: Status) -> None:
    in_state(store, status)
    take_unsent(engine, 10, lambda _: None)
    age_wake_ups(engine, 120)
    assert requeued(store) == 0


def test_the_dispatcher_sends_at_a_nudge(store: JobStore, engine: Engine, broker_url: str) -> None:
    broker = Broker(broker_url)
    with dispatching(engine, broker) as dispatcher:
        for n in range(1, 4):
            created(store)
            dispatcher.nudge()
            wait_for(lambda n=n: broker.queue_length() == n, 1.5)  # type: ignore[misc] # less than a sweep
    assert unsent(engine) == []


def test_the_dispatcher_sweeps_what_nobody_nudged_it_about(store: JobStore, engine: Engine, broker_url: str) -> None:
    broker = Broker(broker_url)
    with dispatching(engine, broker):
        wait_for(lambda: engine.pool.checkedout() == 0)  # type: ignore[attr-defined]
        for _ in range(100):
            created(store)  # by an api that died between commit and send
        wait_for(lambda: broker.queue_length() == 100)


def test_a_broker_that_forgot_everything_is_told_again(store: JobStore, engine: Engine, broker_url: str) -> None:
    broker = Broker(broker_url)
    ids = [created(store).id for _ in range(100)]
    with dispatching(engine, broker) as dispatcher, redis.Redis.from_url(redis_url(broker_url)) as client:
        wait_for(lambda: broker.queue_length() == 100)
        wait_for(lambda: not unsent(engine))
        client.flushdb()
        age_wake_ups(engine, 120)
        assert store.requeue_wake_ups(60, broker.queue_length) == 100
        dispatcher.nudge()
        wait_for(lambda: broker.queue_length() == 100)
    assert all(store.claim(job_id, "worker-1", LEASE) for job_id in ids)
    assert not any(store.claim(job_id, "worker-1", LEASE) for job_id in ids), "however many messages there were"


def test_the_dispatcher_outlives_the_broker(
    store: JobStore, engine: Engine, tmp_path_factory: pytest.TempPathFactory, caplog: pytest.LogCaptureFixture
) -> None:
    root = Path(tmp_path_factory.mktemp("valkey"))
    with some_services(root, ["valkey"]) as (valkey,):
        url = valkey.url
        broker = CountingBroker(url)
        with dispatching(engine, broker) as dispatcher:
            created(store)
            dispatcher.nudge()
            wait_for(lambda: broker.queue_length() == 1)
            # Stopped under its feet, with its connections open.
            with redis.Redis.from_url(redis_url(url)) as client:
                client.delete(QUEUE_JOBS)
            valkey.running.stop()
            with caplog.at_level(logging.INFO, "lethe.dispatcher"):
                ids = [created(store).id for _ in range(20)]
                dispatcher.nudge()
                wait_for(lambda: broker.tries >= 4)
                assert unsent(engine) == ids
                valkey.running.ensure()
                wait_for(lambda: broker.queue_length() >= 20, 15)
                wait_for(lambda: len(caplog.records) == 2)
            assert unsent(engine) == []
    assert [record.levelname for record in caplog.records] == ["WARNING", "INFO"], "once an outage"


def test_the_dispatcher_outlives_the_database(
    store: JobStore, engine: Engine, database_url: str, broker_url: str
) -> None:
    broker = Broker(broker_url)
    own = make_engine(database_url, application_name="dispatcher")
    with dispatching(own, broker) as dispatcher:
        created(store)
        dispatcher.nudge()
        wait_for(lambda: not unsent(engine))
        with engine.connect() as connection:
            killed = connection.exec_driver_sql(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'dispatcher'"
            ).all()
        assert killed
        created(store)
        dispatcher.nudge()
        wait_for(lambda: broker.queue_length() == 2)
    own.dispose()


def test_a_dispatcher_stops_at_once_though_the_broker_is_down(store: JobStore, engine: Engine, tmp_path: Path) -> None:
    created(store)
    with dispatching(engine, Broker(f"redis+socket://{tmp_path}/no.sock?virtual_host=0")) as dispatcher:
        dispatcher.nudge()
    assert count(engine, "outbox") == 1


def test_a_broker_that_forgot_everything_is_told_again_while_new_jobs_come(
    store: JobStore, engine: Engine, broker_url: str
) -> None:
    """The queue is never empty. What was lost is sent again, the oldest first, and what comes is sent once."""
    broker = Broker(broker_url)
    old = [created(store).id for _ in range(100)]
    with dispatching(engine, broker) as dispatcher, redis.Redis.from_url(redis_url(broker_url)) as client:

        def all_sent() -> None:
            dispatcher.nudge()
            wait_for(lambda: not unsent(engine))

        all_sent()
        client.flushdb()
        age_wake_ups(engine, 120)
        new = []
        for _ in range(4):  # rounds of the reaper, each with new jobs before it
            new += [created(store).id for _ in range(5)]
            all_sent()
            again = store.requeue_wake_ups(20, broker.queue_length, limit=40)
            all_sent()
            found = in_the_queue(client)
            assert [job_id for job_id in found if job_id in old] == old[: len(found) - len(new)]
            assert len(found) == len(set(found)), "nothing twice"
        assert again == 0
        assert sorted(found) == sorted(old + new)


def test_what_was_not_lost_hides_nothing_for_long(store: JobStore, engine: Engine, broker_url: str) -> None:
    """Of ten messages every second one is lost; those that are sent again need not be the ones. As the queue is taken
    from, each job gets its turn."""
    broker = Broker(broker_url)
    ids = [created(store).id for _ in range(10)]
    with dispatching(engine, broker) as dispatcher, redis.Redis.from_url(redis_url(broker_url)) as client:
        wait_for(lambda: broker.queue_length() == 10)
        messages: list[Any] = client.lrange(QUEUE_JOBS, 0, -1)  # type: ignore[assignment]
        for message in messages[::2]:
            client.lrem(QUEUE_JOBS, 1, message)
        ran: list[str] = []
        for _ in range(100):
            wait_for(lambda: not unsent(engine))
            if (taken := next(iter(in_the_queue(client)), None)) is not None:
                client.rpop(QUEUE_JOBS)
                if store.claim(taken, "worker-1", LEASE) is not None:
                    ran.append(taken)
            age_wake_ups(engine, 120)
            store.requeue_wake_ups(20, broker.queue_length)
            dispatcher.nudge()
            if len(ran) == len(ids):
                break
    assert sorted(ran) == ids


def test_reapers_at_once_send_what_was_lost_once(store: JobStore, engine: Engine) -> None:
    ids = [created(store).id for _ in range(20)]
    take_unsent(engine, 100, lambda _: None)
    age_wake_ups(engine, 120)
    at_once(4, lambda _: store.requeue_wake_ups(60, lambda: 10, limit=1000))
    assert unsent(engine) == ids[:10]
    with pytest.raises(BrokerUnavailable):
        store.requeue_wake_ups(60, Broker("redis://127.0.0.1:1/0").queue_length)


def test_the_reaper_does_not_wait_for_an_empty_queue(
    store: JobStore, engine: Engine, database_url: str, broker_url: str, tmp_path: Path
) -> None:
    settings = Settings(database_url=database_url, broker_url=broker_url, data_dir=tmp_path)
    broker = Broker(broker_url)
    old = [created(store).id for _ in range(100)]
    take_unsent(engine, 100, lambda _: None)  # and the broker has forgotten them
    age_wake_ups(engine, 120)
    new = created(store).id
    take_unsent(engine, 100, broker.send_job)
    Reaper(settings, store, engine, broker).sweep()
    assert take_unsent(engine, 1000, broker.send_job) == 100
    with redis.Redis.from_url(redis_url(broker_url)) as client:
        assert in_the_queue(client) == [new, *old]
