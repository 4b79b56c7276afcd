"""A deletion that is killed between every two of its steps, in the database and at the disk: all of it is there, or a
tombstone is, and the next round of a reaper removes the files."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from pathlib import Path

import pytest
from sqlalchemy import Engine, event

from jobs import tombstones
from jobs.artifacts import ArtifactStore
from jobs.database import make_engine
from jobs.deleting import Order, delete_generator, delete_job
from jobs.errors import Deleted
from jobs.generators import GeneratorStore
from jobs.store import JobStore
from tests.store.test_random_deletions import many, named, stored
from tests.support.cut import Countdown, forked
from worker.deletion import remove_deleted

ORDER = Order("ci (key_1)", "the contract has ended: ticket T-456")


@pytest.mark.parametrize("kind", ["job", "generator"])
def test_a_kill_between_every_two_steps(
    engine: Engine, database_url: str, tmp_path: Path, full: bool, figure: Callable[[str], None], kind: str
) -> None:
    artifacts = ArtifactStore(f"file://{tmp_path}")
    untouched = buried = 0
    for at in itertools.count(1, 1 if full else 3):
        ((tenant, job, generator),) = many(engine, tmp_path, 1)
        deleted = job if kind == "job" else generator
        whole = named(engine)
        engine.dispose()  # a connection is not to be had by two processes

        def work(at: int = at, tenant: str = tenant, deleted: str = deleted) -> None:
            own, countdown = make_engine(database_url), Countdown(at)
            countdown.hear()
            event.listen(own, "before_cursor_execute", countdown.step)
            event.listen(own, "commit", countdown.step)
            (delete_job if kind == "job" else delete_generator)(own, deleted, tenant, ORDER)
            remove_deleted(own, artifacts)

        status = forked(work)
        with engine.connect() as connection:
            found = tombstones.find(connection, deleted)
        if found is None:
            assert status < 0
            untouched += 1
            assert named(engine) == stored(tmp_path) == whole
            assert GeneratorStore(engine).get(generator, tenant).job_id == JobStore(engine).get(job, tenant).id
        else:
            buried += status < 0
            with pytest.raises(Deleted):
                GeneratorStore(engine).get(generator, tenant)
            assert named(engine) <= stored(tmp_path)
            remove_deleted(engine, artifacts)
            assert named(engine) == stored(tmp_path), "the next round removes what is left, and no more"
            assert tombstones.get(engine, deleted, tenant).files_removed_at is not None
        delete_job(engine, job, tenant, ORDER)
        remove_deleted(engine, artifacts)
        assert stored(tmp_path) == set()
        if status == 0:
            break
    assert min(untouched, buried) >= 2
    kills = untouched + buried
    figure(f"{kind}: of {kills} kills {untouched} left all of it, {buried} a tombstone whose files went next")
