"""What a job's page tells of its events: all of a short job, and no more of a long one than it shows (how many rows
that takes, ``tests/store/test_long_jobs.py`` counts)."""

from __future__ import annotations

from api.dashboard.story import Stories
from jobs.states import EventType, Phase
from jobs.store import JobStore
from tests.api.making import LEASE, submitted, train
from tests.support.serving import Service


def test_what_is_told_of_a_short_job_is_all_of_it(service: Service) -> None:
    store: JobStore = service.store
    job_id = submitted(service)
    attempt = train(store, job_id, 5120)
    stories = Stories(store)
    points, moments = stories.of(store.get(job_id))
    assert [point.images for point in points] == list(range(256, 5121, 256))
    store.enter_phase(job_id, attempt, Phase.EVALUATING)
    points_again, moments_again = stories.of(store.get(job_id))
    assert points_again == points
    assert moments_again[0].data == {"phase": "evaluating"}
    assert moments_again[1:] == moments
    # Another attempt begins again at its checkpoint: what the first did beyond it did not count.
    store.release(job_id, attempt)
    claim = store.claim(job_id, "worker-2", LEASE)
    assert claim is not None
    store.progress(job_id, claim.attempt, {"of": 6400}, [(EventType.METRICS, {"images": 2048})])
    points, _ = stories.of(store.get(job_id))
    assert [point.images for point in points] == [*range(256, 2048, 256), 2048]


def test_what_is_told_of_a_long_job_is_what_is_shown(service: Service) -> None:
    store: JobStore = service.store
    job_id = submitted(service)
    attempt = train(store, job_id, 0)
    told = [(EventType.METRICS, {"images": i}) for i in range(1, 5001)]
    for start in range(0, 5000, 1000):
        store.progress(job_id, attempt, {"of": 6400}, told[start : start + 1000])
    stories = Stories(store)
    points, moments = stories.of(store.get(job_id))
    images = [point.images for point in points]
    assert 500 <= len(images) <= 600
    assert images == sorted(images)
    assert images[0] < 20
    assert images[-1] > 4980
    assert [event.type for event in moments] == [EventType.PHASE, EventType.STARTED, EventType.QUEUED]
    assert stories.of(store.get(job_id)) == (points, moments), "nothing is read twice"
