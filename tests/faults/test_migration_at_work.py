"""The newest migration up and down while the version before it works: its api and its workers go on as they are.

The code of that version comes from the history: the commit before the one that brought the migration.
"""

from __future__ import annotations

import io
import os
import subprocess
import sys
import tarfile
from collections.abc import Callable
from pathlib import Path

import pytest
from sqlalchemy import create_engine, text

from jobs.database import downgrade, head, migrate
from tests.support.waiting import wait_for

ROOT = Path(__file__).resolve().parents[2]
AT_WORK = """
import sys
from pathlib import Path
from jobs.broker import Broker
from jobs.database import make_engine
from jobs.settings import Settings
from jobs.states import EventType, Phase
from jobs.store import JobError, JobStore
from tests.store.making import created, expire, publication
from worker.reaper import Reaper

url, folder = sys.argv[1], Path(sys.argv[2])
engine = make_engine(url)
store = JobStore(engine)
reaper = Reaper(Settings(database_url=url, data_dir=folder), store, engine, Broker("redis://127.0.0.1:1/0"))
rounds = 0
while not (folder / "over").exists():
    published, released, lost, cancelled = (created(store) for _ in range(4))
    for job in (published, released, lost, cancelled):
        claim = store.claim(job.id, "worker-1", 60)
        assert claim is not None, "not to be claimed"
        store.enter_phase(job.id, claim.attempt, Phase.TRAINING)
        store.progress(job.id, claim.attempt, {"images": 1}, [(EventType.PROGRESS, {"images": 1})])
        store.renew(job.id, claim.attempt, 60)
    assert store.publish(published.id, 1, publication()).status == "succeeded"
    assert store.release(released.id, 1).status == "queued"
    expire(engine, lost.id)
    reaper.sweep()
    assert store.get(lost.id).status == "queued"
    assert store.request_cancel(cancelled.id).status == "cancelling"
    assert store.cancelled(cancelled.id, 1).status == "cancelled"
    for job in (released, lost):
        assert store.request_cancel(job.id).status == "cancelled"
    assert len(store.list("acme", limit=20).data) >= 4
    assert len(store.events(published.id)) >= 5
    rounds += 1
    (folder / "rounds").write_text(str(rounds))
"""
"""What the version before does all the time, each with an answer that it expects."""


def git(*arguments: str) -> subprocess.CompletedProcess[bytes]:
    return subprocess.run(["git", "-C", str(ROOT), *arguments], capture_output=True)


@pytest.fixture(scope="module")
def before(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """The version before the newest migration, in a folder, and the revision that it knows."""
    newest = next((ROOT / "migrations/versions").glob(f"{head()}_*.py"))
    brought = git("log", "--diff-filter=A", "--format=%H", "--", str(newest)).stdout.decode().split()
    archive = git("archive", f"{brought[-1]}^") if brought else None
    if archive is None or archive.returncode:
        pytest.skip("this checkout has no history to take the version before from")
    folder = tmp_path_factory.mktemp("before")
    with tarfile.open(fileobj=io.BytesIO(archive.stdout)) as files:
        files.extractall(folder, filter="data")
    known = sorted(path.name[:4] for path in (folder / "migrations/versions").glob("0*.py"))[-1]
    return folder, known


def test_the_version_before_goes_on(
    before: tuple[Path, str], empty_database_url: str, tmp_path: Path, full: bool, figure: Callable[[str], None]
) -> None:
    code, known = before
    url = empty_database_url
    migrate(url, known)
    environment = {**os.environ, "PYTHONPATH": str(code)}
    command = [sys.executable, "-c", AT_WORK, url, str(tmp_path)]
    worker = subprocess.Popen(command, cwd=code, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)

    def rounds() -> int:
        assert worker.poll() is None, worker.stdout.read().decode()  # type: ignore[union-attr]
        path = tmp_path / "rounds"
        return int(path.read_text() or 0) if path.exists() else 0

    def some_more() -> None:
        reached = rounds() + 2
        wait_for(lambda: rounds() >= reached, 60)

    times = 10 if full else 2
    try:
        for _ in range(times):
            some_more()
            migrate(url)
            some_more()
            downgrade(url, known)
        some_more()
        (tmp_path / "over").touch()
        assert worker.wait(60) == 0, worker.stdout.read().decode()  # type: ignore[union-attr]
    finally:
        worker.kill()
        worker.wait()
    with create_engine(url).connect() as connection:
        rows = connection.execute(text("SELECT status, count(*) FROM jobs GROUP BY status")).all()
    found = {row.status: row.count for row in rows}
    assert set(found) == {"succeeded", "cancelled"}
    figure(f"{known} to {head()} and back {times} times beside {sum(found.values())} jobs: 0 failed")
