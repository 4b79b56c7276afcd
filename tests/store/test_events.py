"""A job's events: gapless and in order whoever writes, and complete for a reader that comes back again and again."""

from __future__ import annotations

import threading
from itertools import pairwise

import pytest

from jobs.states import EventType, Phase
from jobs.store import Event, JobStore
from tests.store.making import at_once, claimed, created, publication


def test_events_written_at_once_have_no_gap(store: JobStore) -> None:
    job = claimed(store).job
    at_once(
        20, lambda i: [store.progress(job.id, 1, {"images": i}, [("job.progress", {"by": i})] * 2) for _ in "12345"]
    )
    events = store.events(job.id, limit=1000)
    assert [event.seq for event in events] == list(range(1, 203))
    assert store.get(job.id).last_seq == 202
    by = [event.data["by"] for event in events[2:]]
    assert all(first == second for first, second in zip(by[::2], by[1::2], strict=True)), "one write's stay together"


def test_a_reader_beside_writers_misses_and_repeats_nothing(store: JobStore) -> None:
    job = claimed(store).job
    writers, rounds = 4, 40
    done = threading.Event()
    seen: list[Event] = []

    def write(i: int) -> None:
        for n in range(rounds):
            store.progress(job.id, 1, {}, [("job.progress", {"by": i, "n": n})])

    def read() -> None:
        last = 0
        while True:
            finished = done.is_set()
            new = store.events(job.id, after_seq=last, limit=7)
            seen.extend(new)
            if new:
                last = new[-1].seq
            elif finished:
                return

    reader = threading.Thread(target=read)
    reader.start()
    at_once(writers, write)
    done.set()
    reader.join(30)
    assert [event.seq for event in seen] == list(range(1, 3 + writers * rounds))
    for i in range(writers):
        assert [e.data["n"] for e in seen if e.data.get("by") == i] == list(range(rounds))


def test_reading_after_a_number(store: JobStore) -> None:
    job = claimed(store).job
    store.enter_phase(job.id, 1, Phase.TRAINING)
    store.publish(job.id, 1, publication())
    everything = store.events(job.id)
    assert [event.type for event in everything] == [
        EventType.QUEUED,
        EventType.STARTED,
        EventType.PHASE,
        EventType.SUCCEEDED,
    ]
    assert [event.attempt for event in everything] == [0, 1, 1, 1]
    assert all(a.created_at <= b.created_at for a, b in pairwise(everything))
    for after in range(6):
        assert store.events(job.id, after_seq=after) == everything[after:]
        assert store.events(job.id, after_seq=after, limit=1) == everything[after : after + 1]


def test_each_job_counts_its_own(store: JobStore) -> None:
    first, second = created(store), created(store)
    store.request_cancel(first.id)
    assert [event.seq for event in store.events(first.id)] == [1, 2]
    assert [event.seq for event in store.events(second.id)] == [1]


@pytest.mark.parametrize("limit", [0, -1, 1001])
def test_an_absurd_limit_is_refused(store: JobStore, limit: int) -> None:
    with pytest.raises(ValueError, match="from 1 to 1000"):
        store.events(created(store).id, limit=limit)
