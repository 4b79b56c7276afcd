"""Random deletions, with an artefact store that fails and reapers that are killed: no file goes that a row still names,
and none stays that no row names."""

from __future__ import annotations

import hashlib
import random
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from sqlalchemy import Engine, insert, select

from jobs import schema, storage, tombstones
from jobs.artifacts import ArtifactStore
from jobs.deleting import Order, delete_generator, delete_job
from jobs.ids import new_id
from jobs.job import StoredFile, attempt_prefix
from jobs.rows import from_now
from jobs.store import JobStore
from tests.store.making import count
from worker.collection import remove_unpublished
from worker.deletion import remove_deleted

ORDER = Order("ci (key_1)", "the contract has ended: ticket T-456")


def many(engine: Engine, folder: Path, jobs: int) -> Iterator[tuple[str, str, str]]:
    """So many published jobs of three tenants, each with three files of its own, one of which its report has too; the
    contents are the same for all. Yields (tenant, job, generator)."""
    contents = {hashlib.sha256(text).hexdigest(): text for text in (b"weights", b"card", b"report", b"fake score")}
    weights, card, report, pair = (StoredFile(sha256, len(text)).to_json() for sha256, text in contents.items())
    made = [(f"tenant-{i % 3}", new_id("job"), new_id("gen"), ("published", "withheld")[i % 2]) for i in range(jobs)]
    ended = {
        "status": "succeeded",
        "base_model": "fashion",
        "base_model_digest": "d",
        "attempt": 1,
        "request": {"forget": []},
    }
    with engine.begin() as connection:
        connection.execute(
            insert(schema.jobs).values(finished_at=from_now(0)),
            [
                {**ended, "id": job, "tenant": tenant, "verdict": "pass", "generator_id": gen}
                for tenant, job, gen, _ in made
            ],
        )
        connection.execute(
            insert(schema.generators),
            [
                {
                    **{"id": gen, "tenant": tenant, "job_id": job, "attempt": 1, "status": status},
                    **{"verdict": "pass" if status == "published" else "fail", "base_model": "fashion"},
                    **{
                        "base_model_digest": "d",
                        "forget": [],
                        "figures": {},
                        "digest": "d",
                        "record": '{"signatures": []}',
                    },
                    "files": {"w": weights, "README.md": card, "again": weights},
                    "pair": {"w": pair},
                }
                for tenant, job, gen, status in made
            ],
        )
        connection.execute(
            insert(schema.reports),
            [
                {"job_id": job, "attempt": 1, "report": {}, "files": {"report.json": report, "card.md": card}}
                for _, job, _, _ in made
            ],
        )
    for tenant, job, gen, _ in made:
        at = folder / attempt_prefix(job, 1)
        at.mkdir(parents=True)
        for sha256, text in contents.items():
            (at / sha256).write_bytes(text)
        yield tenant, job, gen


def named(engine: Engine) -> set[str]:
    """Where every file lies that a row names."""
    found = set()
    with engine.connect() as connection:
        for column in (schema.generators.c.files, schema.generators.c.pair, schema.reports.c.files):
            table = column.table
            for job, attempt, files in connection.execute(select(table.c.job_id, table.c.attempt, column)):
                found |= {f"{attempt_prefix(job, attempt)}/{file['sha256']}" for file in files.values()}
    return found


def stored(folder: Path) -> set[str]:
    """Where every file lies."""
    return {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}


def sizes(engine: Engine) -> dict[str, int]:
    """What is stored by kind, counted file by file as it is written down."""
    with engine.connect() as connection:
        found = dict.fromkeys(storage.KINDS, 0)
        for row in connection.execute(select(schema.generators)):
            found[row.status] += sum(file["size"] for files in (row.files, row.pair) for file in files.values())
        for files in connection.execute(select(schema.reports.c.files)).scalars():
            found["reports"] += sum(file["size"] for file in files.values())
        waiting = select(schema.tombstones.c.bytes).where(schema.tombstones.c.files_removed_at.is_(None))
        found["leftovers"] = sum(connection.execute(waiting).scalars())
    return found


class Failing(ArtifactStore):
    """An artefact store that fails now and then, before or after a file is gone."""

    def __init__(self, url: str, dice: random.Random) -> None:
        super().__init__(url)
        self.dice = dice

    def remove(self, prefix: str) -> None:
        self._or_not(lambda: super(Failing, self).remove(prefix))

    def remove_file(self, prefix: str, sha256: str) -> None:
        self._or_not(lambda: super(Failing, self).remove_file(prefix, sha256))

    def _or_not(self, work: object) -> None:
        drawn = self.dice.random()
        if drawn < 0.1:
            raise OSError("before it")
        work()  # type: ignore[operator]
        if drawn > 0.9:
            raise OSError("after it")


def test_random_deletions(
    store: JobStore, engine: Engine, tmp_path: Path, full: bool, figure: Callable[[str], None]
) -> None:
    """Of a thousand jobs of three tenants whose files have the same digests."""
    dice = random.Random(7)
    folder = tmp_path / "artifacts"
    artifacts = Failing(f"file://{folder}", dice)
    all_of_it = list(many(engine, folder, 1000))
    assert named(engine) == stored(folder)
    for tenant, job, gen in dice.sample(all_of_it, 700 if full else 100):
        for what in dice.choice(("job", "generator", "generator job", "job generator", "generator generator")).split():
            if what == "job":
                delete_job(engine, job, tenant, ORDER)
            else:
                delete_generator(engine, gen, tenant, ORDER)
        if dice.random() < 0.1:
            with pytest.MonkeyPatch.context() as patch:
                if dice.random() < 0.5:  # killed before it could say what it had removed
                    patch.setattr(tombstones, "removed", lambda *_: (_ for _ in ()).throw(OSError("killed")))
                try:
                    remove_deleted(engine, artifacts)
                    remove_unpublished(store, artifacts)
                except OSError:
                    pass
            assert named(engine) <= stored(folder), "a file is gone that a row names"
            assert {kind: each.bytes for kind, each in storage.usage(engine).items()} == sizes(engine)
    assert named(engine) < stored(folder), "control: something is left to remove"
    whole = ArtifactStore(f"file://{folder}")
    while remove_deleted(engine, whole):
        pass
    remove_unpublished(store, whole)
    assert named(engine) == stored(folder)
    storage.add_up(engine)
    assert count(engine, "storage_counts") <= 4 * 3
    assert {kind: each.bytes for kind, each in storage.usage(engine).items()} == sizes(engine)
    by_tenant = [storage.usage(engine, f"tenant-{i}") for i in range(3)]
    assert sum(each["reports"].bytes for each in by_tenant) == sizes(engine)["reports"] > 0
    assert sizes(engine)["leftovers"] == 0
    figure(f"1000 jobs, {count(engine, 'tombstones')} deletions: what a row names is there, and nothing else")
