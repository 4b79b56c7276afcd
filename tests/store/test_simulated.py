"""The simulated fleet does what workers and samplers do: its jobs end, and its requests are answered."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest
from sqlalchemy import Engine

from benchmarks.fleet import done_share
from benchmarks.shared.simulated import EVENT_SECONDS, Done, Fleet, answer_samples, ask_samples
from jobs.job import NewJob
from jobs.states import Status
from jobs.store import JobStore


def test_every_job_is_claimed_told_of_and_published(engine: Engine, store: JobStore) -> None:
    new = NewJob("default", {}, "simulated", "sha256:" + "0" * 64)
    jobs = [[store.create(new)[0].id] for _ in range(4)]
    url = engine.url.render_as_string(hide_password=False)
    done = Fleet(url, jobs, job_seconds=EVENT_SECONDS, name="w").run(4 * EVENT_SECONDS)
    assert done.failed == 0
    assert {kind: len(took) for kind, took in done.took.items()}["claims"] == 4
    assert store.counts()[Status.SUCCEEDED] == len(done.took["publications"]) == 4


def test_a_write_that_is_refused_is_counted(engine: Engine, store: JobStore) -> None:
    """The negative control: a fleet that holds nothing does not look like one that works."""
    job, _ = store.create(NewJob("default", {}, "simulated", "sha256:" + "0" * 64))
    fleet = Fleet(engine.url.render_as_string(hide_password=False), [[]], 10, "w")
    fleet._due[0][2].job, fleet._due[0][2].ends = (job.id, 7), float("inf")
    done = fleet.run(EVENT_SECONDS)
    assert done.failed == 1
    assert not done.took


@pytest.mark.parametrize(("beats", "share"), [(100, 1.0), (50, 0.5), (0, 0.0)])
def test_the_share_of_what_was_due(beats: int, share: float) -> None:
    assert done_share(Done(late=[0.0] * beats), size=10, seconds=10 * EVENT_SECONDS) == share


def test_samples_are_asked_for_and_answered(broker_url: str) -> None:
    with ThreadPoolExecutor(2) as pool:
        answering = pool.submit(answer_samples, broker_url, 2, 2.0)
        asked = pool.submit(ask_samples, broker_url, 2, 1.0).result()
        assert answering.result() >= len(asked.took["samples"]) > 0
    assert asked.failed == 0
