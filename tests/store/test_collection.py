"""What nobody needs any more is collected, and nothing that something refers to."""

from __future__ import annotations

from pathlib import Path

import pytest
from sqlalchemy import Engine, update

from jobs import schema, storage
from jobs.artifacts import ArtifactStore
from jobs.broker import Broker
from jobs.deleting import Order, delete_job
from jobs.errors import Deleted, IdempotencyConflict
from jobs.ids import new_id
from jobs.job import attempt_prefix
from jobs.retention import DAY
from jobs.rows import from_now
from jobs.settings import MAX_DAYS, Settings
from jobs.states import TERMINAL, EventType, Phase, Status
from jobs.store import JobStore
from tests.store.making import DIVERGED, LEASE, claimed, created, in_state, new_job, publication
from tests.support.waiting import wait_for
from worker.collection import collect, remove_unpublished
from worker.reaper import Reaper

SETTINGS = Settings()
KEYS_SECONDS = SETTINGS.keep_idempotency_keys_days * DAY
PROGRESS_SECONDS = SETTINGS.keep_progress_days * DAY


@pytest.fixture
def artifacts(tmp_path: Path) -> ArtifactStore:
    return ArtifactStore(f"file://{tmp_path / 'artifacts'}")


def left(tmp_path: Path, job_id: str, attempt: int) -> Path:
    """What a publication that was killed leaves: a whole file that no row names, and half of one."""
    folder = tmp_path / "artifacts" / attempt_prefix(job_id, attempt)
    folder.mkdir(parents=True, exist_ok=True)
    (folder / ("a" * 64)).write_bytes(b"whole")
    (folder / ".new-x1y2z3").write_bytes(b"half")
    return folder


@pytest.mark.parametrize("status", list(Status))
def test_files_of_attempts_that_are_over(
    store: JobStore, artifacts: ArtifactStore, tmp_path: Path, status: Status
) -> None:
    job = in_state(store, status)
    folder = left(tmp_path, job.id, 1)
    removed = remove_unpublished(store, artifacts)
    wasted = status in TERMINAL and status is not Status.SUCCEEDED and job.attempt == 1
    assert removed == ([attempt_prefix(job.id, 1)] if wasted else [])
    assert folder.exists() != wasted


def test_of_many_attempts_the_published_and_the_newest_stay(
    store: JobStore, artifacts: ArtifactStore, tmp_path: Path
) -> None:
    job = created(store)
    for attempt in (1, 2):
        assert claimed(store, job).attempt == attempt
        store.release(job.id, attempt)
    folders = {attempt: left(tmp_path, job.id, attempt) for attempt in (1, 2, 3, 4)}
    third = claimed(store, job)
    assert remove_unpublished(store, artifacts) == [attempt_prefix(job.id, attempt) for attempt in (1, 2)]
    store.enter_phase(job.id, third.attempt, Phase.PUBLISHING)
    assert remove_unpublished(store, artifacts) == [], "the one that publishes"
    store.publish(job.id, third.attempt, publication())
    assert remove_unpublished(store, artifacts) == []
    assert [attempt for attempt, folder in folders.items() if folder.exists()] == [3, 4], "one that began since, too"


def test_an_attempt_that_failed_goes_while_the_next_runs(
    store: JobStore, artifacts: ArtifactStore, tmp_path: Path
) -> None:
    job = created(store)
    store.give_up(job.id, claimed(store, job).attempt, DIVERGED, 3)
    store.retry(job.id)
    assert store.claim(job.id, "worker-2", LEASE) is not None
    first, second = left(tmp_path, job.id, 1), left(tmp_path, job.id, 2)
    collect(store, artifacts, SETTINGS)
    assert (first.exists(), second.exists()) == (False, True)


def test_what_belongs_to_another_service_or_to_no_attempt_is_left_alone(
    store: JobStore, artifacts: ArtifactStore, tmp_path: Path
) -> None:
    job = in_state(store, Status.FAILED)
    stranger = left(tmp_path, new_id("job"), 1)
    for name in ("notes", f"{job.id}/notes"):
        (tmp_path / "artifacts" / "attempts" / name).mkdir(parents=True)
    assert remove_unpublished(store, artifacts) == []
    assert stranger.exists()
    assert (tmp_path / "artifacts" / "attempts" / job.id / "notes").exists()


def test_where_nothing_was_ever_stored_there_is_nothing_to_collect(store: JobStore, artifacts: ArtifactStore) -> None:
    in_state(store, Status.FAILED)
    collect(store, artifacts, SETTINGS)
    assert artifacts.jobs() == []


def test_idempotency_keys_are_known_for_their_time(store: JobStore, artifacts: ArtifactStore, engine: Engine) -> None:
    def submitted(key: str, body: str) -> tuple[str, bool]:
        job, new = store.create(new_job(idempotency_key=key, body_sha256=body))
        return job.id, new

    first, _ = submitted("old", "1")
    age(engine, schema.idempotency_keys, KEYS_SECONDS + 60)
    kept, _ = submitted("young", "1")
    collect(store, artifacts, SETTINGS)
    assert submitted("young", "1") == (kept, False)
    with pytest.raises(IdempotencyConflict):
        submitted("young", "2")
    again, new = submitted("old", "2")
    assert (new, again != first) == (True, True)
    assert store.get(first).status is Status.QUEUED


def age(engine: Engine, table: object, seconds: float) -> None:
    """Move the clock: every row of a table was written that long ago."""
    with engine.begin() as connection:
        connection.execute(update(table).values(created_at=from_now(-seconds)))  # type: ignore[arg-type]


def test_progress_of_jobs_that_are_over_is_kept_for_its_time(
    store: JobStore, artifacts: ArtifactStore, engine: Engine
) -> None:
    over, running = claimed(store), claimed(store)
    told = [(EventType.PROGRESS, {"images": 1}), (EventType.METRICS, {"images": 1}), (EventType.CHECKPOINT, {})] * 20
    for claim in (over, running):
        store.progress(claim.job.id, claim.attempt, {"of": 1}, told)
    store.publish(over.job.id, over.attempt, publication())
    before = {claim.job.id: store.events(claim.job.id, limit=1000) for claim in (over, running)}
    age(engine, schema.events, PROGRESS_SECONDS - 60)
    collect(store, artifacts, SETTINGS)
    assert len(store.events(over.job.id, limit=1000)) == len(before[over.job.id])
    age(engine, schema.events, PROGRESS_SECONDS + 60)
    collect(store, artifacts, SETTINGS)
    kept = [(event.seq, event.type) for event in store.events(over.job.id, limit=1000)]
    gone = {EventType.PROGRESS, EventType.CHECKPOINT}
    assert kept == [(event.seq, event.type) for event in before[over.job.id] if event.type not in gone]
    assert len(store.events(running.job.id, limit=1000)) == len(before[running.job.id])


def test_more_than_one_batch_is_collected_at_once(
    store: JobStore, artifacts: ArtifactStore, engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("worker.collection._ROWS_AT_ONCE", 4)
    for i in range(9):
        store.create(new_job(idempotency_key=f"key-{i}", body_sha256="1"))
    age(engine, schema.idempotency_keys, KEYS_SECONDS + 60)
    collect(store, artifacts, SETTINGS)
    with engine.connect() as connection:
        assert connection.exec_driver_sql("SELECT count(*) FROM idempotency_keys").scalar_one() == 0


def test_the_reaper_collects(
    store: JobStore, artifacts: ArtifactStore, engine: Engine, database_url: str, broker_url: str, tmp_path: Path
) -> None:
    job = in_state(store, Status.FAILED)
    folder = left(tmp_path, job.id, 1)
    settings = Settings(
        database_url=database_url,
        broker_url=broker_url,
        data_dir=tmp_path,
        artifacts_url=f"file://{tmp_path / 'artifacts'}",
        keep_unsuccessful_days=1,
    )
    overdue, queued = in_state(store, Status.CANCELLED), created(store)
    with engine.begin() as connection:
        old = update(schema.jobs).where(schema.jobs.c.id == overdue.id).values(finished_at=from_now(-2 * DAY))
        connection.execute(old)
    checkpoints = settings.work_dir / queued.id / "attempt-1"
    checkpoints.mkdir(parents=True)
    (checkpoints / "weights").write_bytes(b"12345")
    told: list[str] = []
    reaper = Reaper(settings, store, engine, Broker(broker_url), forget=lambda: told.append("forget"))
    reaper.sweep()
    assert not folder.exists()
    assert storage.usage(engine, "acme")["work"] == storage.Stored(1, 5)
    with pytest.raises(Deleted, match="by the service: older than LETHE_KEEP_UNSUCCESSFUL_DAYS=1 says"):
        store.get(overdue.id)
    left(tmp_path, job.id, 1)
    reaper.sweep()
    assert folder.exists(), "not at every sweep: a store may have a million folders"
    delete_job(engine, job.id, "acme", Order("somebody", "no reason"))
    reaper.sweep()
    assert not folder.exists(), "what was deleted goes at the next sweep"
    assert told == ["forget"] * 3


def test_a_sweep_that_fails_is_followed_by_another(
    store: JobStore, engine: Engine, broker_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What nobody has thought of ends no reaper."""
    failed = iter([OverflowError("date value out of range")])

    def fails_once(*_: object) -> None:
        for error in failed:
            raise error

    monkeypatch.setattr("worker.reaper.remove_leftovers", fails_once)
    alive = tmp_path / "alive"
    settings = Settings(data_dir=tmp_path, alive_file=alive, lease_seconds=0.4, renew_seconds=0.1)
    reaper = Reaper(settings, store, engine, Broker(broker_url))
    reaper.start()
    try:
        wait_for(alive.exists)
    finally:
        reaper.stop()
        reaper.join(10)


def test_the_longest_that_anything_is_kept_is_a_date(
    store: JobStore, engine: Engine, broker_url: str, tmp_path: Path
) -> None:
    kept = {
        "keep_withheld_days": MAX_DAYS,
        "keep_unsuccessful_days": MAX_DAYS,
        "keep_progress_days": MAX_DAYS,
        "keep_idempotency_keys_days": MAX_DAYS,
    }
    settings = Settings(data_dir=tmp_path, alive_file=tmp_path / "alive", **kept)  # type: ignore[arg-type]
    Reaper(settings, store, engine, Broker(broker_url)).sweep()
    assert (tmp_path / "alive").exists()
