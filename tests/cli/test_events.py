"""The event stream over connections that break and a service that is restarted: none missing, none twice."""

from __future__ import annotations

import itertools
import random
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from client import Event, Lethe, NotFound, Unauthenticated, Unreachable
from client.event_stream import follow
from client.transport import Transport
from jobs import keys
from tests.cli.proxy import GOOD, Line, proxy
from tests.cli.service import Service, claim, free_port, publish, train
from tests.support.waiting import wait_for

FORGET = {"Sneaker": "Sandal"}


@contextmanager
def reading(lethe: Lethe, job_id: str, after: int = 0) -> Iterator[list[Event]]:
    """Reads the stream in a thread; the list grows as events come, and is whole when the context is left."""
    events: list[Event] = []
    errors: list[Exception] = []

    def read() -> None:
        try:
            for event in lethe.events(job_id, after):
                events.append(event)
        except Exception as error:
            errors.append(error)
            raise

    reader = threading.Thread(target=read, daemon=True)
    reader.start()
    yield events
    reader.join(30)
    assert not reader.is_alive(), "the stream did not end with the job"
    assert not errors


def test_events_come_as_they_happen(api: Service, lethe: Lethe) -> None:
    job = lethe.submit("fashion", FORGET, images=6400)
    with reading(lethe, job.id) as events:
        wait_for(lambda: [event.type for event in events] == ["job.queued"])
        taken = claim(api.store, job.id)
        wait_for(lambda: events[-1].type == "job.started")
        train(api.store, taken, steps=2)
        wait_for(lambda: events[-1].data.get("images") == 6400)
        publish(api, taken)
    assert [event.seq for event in events] == list(range(1, len(events) + 1))
    assert (events[-1].type, events[-1].data["verdict"]) == ("job.succeeded", "pass")
    assert events[1].attempt == 1
    assert events[1].created_at is not None


def test_a_job_that_is_over(lethe: Lethe) -> None:
    job = lethe.submit("fashion", FORGET, images=6400)
    lethe.cancel(job.id)
    assert [event.seq for event in lethe.events(job.id)] == [1, 2]
    assert [event.seq for event in lethe.events(job.id, after=1)] == [2]
    assert list(lethe.events(job.id, after=2)) == []


@pytest.mark.parametrize("seed", range(2))
def test_a_stream_cut_at_random_places(api: Service, lethe: Lethe, key: str, seed: int) -> None:
    job = lethe.submit("fashion", FORGET, images=6400)
    taken = claim(api.store, job.id)
    train(api.store, taken, steps=150)
    dice = random.Random(seed)
    lines = [Line(cut_after=dice.randrange(0, 6_000)) for _ in range(6)]
    with proxy(api.url, lines) as bad, Lethe(bad.url, key) as client, reading(client, job.id) as events:
        bad.wait_for_connections(6)
        publish(api, taken)
    last = lethe.job(job.id).raw
    assert last["status"] == "succeeded"
    assert [event.seq for event in events] == list(range(1, len(events) + 1))
    assert [event.type for event in events].count("job.progress") == 150
    assert events[-1].type == "job.succeeded"
    assert bad.connections >= 6


def test_the_service_is_restarted_in_the_middle(api: Service, lethe: Lethe) -> None:
    job = lethe.submit("fashion", FORGET, images=6400)
    taken = claim(api.store, job.id)
    with reading(lethe, job.id) as events:
        train(api.store, taken, steps=5)
        wait_for(lambda: len(events) == 8)
        api.stop()
        train(api.store, taken, steps=5)
        api.start()
        publish(api, taken)
    assert [event.seq for event in events] == list(range(1, 16))


def test_a_retry_after_the_end_is_followed_by_wait(api: Service, lethe: Lethe) -> None:
    """The stream ends with the first end of the job; ``wait`` sees that it is not over and goes on."""
    job = lethe.submit("fashion", FORGET, images=6400)
    seen: list[str] = []

    def on_progress(event: Event) -> None:
        seen.append(event.type)
        if event.type == "job.cancelled" and "job.retried" not in seen:
            lethe.retry(job.id)
            publish(api, claim(api.store, job.id))

    lethe.cancel(job.id)
    assert lethe.wait(job.id, on_progress).passed
    assert seen == ["job.queued", "job.cancelled", "job.retried", "job.started", "job.succeeded"]


def test_the_service_stays_away() -> None:
    transport = Transport(f"http://127.0.0.1:{free_port()}", None, timeout=5, retries=0)
    with pytest.raises(Unreachable):
        list(follow(transport, "/v1/jobs/x/events", 0, patience=0.3))


def test_what_is_refused_is_not_tried_again(api: Service, lethe: Lethe, tenant: str) -> None:
    with pytest.raises(NotFound):
        list(lethe.events("job_" + "0" * 32))
    job = lethe.submit("fashion", FORGET, images=6400)
    key, secret = keys.create(api.engine, tenant, "short-lived", ["read"])
    with Lethe(api.url, secret) as client:
        events = client.events(job.id)
        assert next(events).type == "job.queued"
        keys.revoke(api.engine, key.id)
        with pytest.raises(Unauthenticated, match="revoked"):
            next(events)


def test_events_that_were_seen_are_not_given_again(api: Service, lethe: Lethe, key: str) -> None:
    """The same bytes again, as from a service that does not heed Last-Event-ID."""
    job = lethe.submit("fashion", FORGET, images=6400)
    lethe.cancel(job.id)
    first, second = (event.raw for event in lethe.events(job.id))
    said = b"".join(
        f'id: {raw["seq"]}\ndata: {{"seq": {raw["seq"]}, "type": "{raw["type"]}"}}\n\n'.encode()
        for raw in (first, first, second)
    )
    head = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nConnection: close\r\n\r\n"
    lines = itertools.chain([Line(says=head + said[:40]), Line(says=head + said)], itertools.repeat(GOOD))
    with proxy(api.url, lines) as odd, Lethe(odd.url, key) as client:
        assert [event.seq for event in client.events(job.id)] == [1, 2]
