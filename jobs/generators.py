"""Generators and reports, as the publishing transaction left them. One thing can happen to them afterwards: a withheld
generator is released, once, by somebody who says why."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, cast

from sqlalchemy import ColumnElement, Engine, Row, select, update

from jobs import audit, rows, tombstones, wall
from jobs.audit import SERVICE, Action, Actor
from jobs.errors import GeneratorNotFound, GeneratorNotWithheld, JobNotFound, ReportNotReady
from jobs.finding_generators import ALL_GENERATORS, GeneratorStatus, WantedGenerators
from jobs.ids import is_id
from jobs.job import JsonObject, StoredFile, attempt_prefix
from jobs.paging import Page, check_limit, page, read_cursor
from jobs.schema import generators, jobs, reports
from sfd_core.evaluation.verdict import Verdict


@dataclass(frozen=True)
class Generator:
    """A trained generator. ``withheld``: it did not pass, so it is neither sampled nor handed out.

    ``record``: its unlearning record, as it was signed. ``release``: by whom, why and
    when it was released although its verdict is not ``pass``. ``pair``: files that another run can go on from, which
    are handed out to nobody.
    """

    id: str
    tenant: str
    job_id: str
    attempt: int
    status: GeneratorStatus
    verdict: Verdict
    base_model: str
    base_model_digest: str
    forget: Sequence[JsonObject]
    figures: JsonObject
    files: Mapping[str, StoredFile]
    digest: str
    created_at: datetime
    record: str
    release: JsonObject | None
    pair: Mapping[str, StoredFile]

    @property
    def prefix(self) -> str:
        """Where its files lie in the artefact store."""
        return attempt_prefix(self.job_id, self.attempt)

    @property
    def takes_prompts(self) -> bool:
        """Whether it makes images of a prompt: it has a text encoder."""
        return "text_encoder/config.json" in self.files

    def to_release(self) -> str:
        """Return the record that a release is to be written into.

        Raises:
            GeneratorNotWithheld: it is published, by its verdict or by an earlier release.
        """
        if self.status != "withheld":
            why = "its evaluation passed" if self.release is None else f"it was released at {self.release.get('at')}"
            raise GeneratorNotWithheld(f"generator {self.id} is not withheld: {why}")
        return self.record


@dataclass(frozen=True)
class Report:
    """A job's report, and the files that go with it (``report.html``, pictures) by name."""

    job_id: str
    attempt: int
    report: JsonObject
    files: Mapping[str, StoredFile]

    @property
    def prefix(self) -> str:
        """Where its files lie in the artefact store."""
        return attempt_prefix(self.job_id, self.attempt)


class GeneratorStore:
    """Generators and reports in Postgres. With a ``tenant``, a method knows that tenant's only: its queries say so, and
    Postgres sees to it (``jobs.wall``)."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def get(self, generator_id: str, tenant: str | None = None) -> Generator:
        """Return one generator, withheld or not.

        Raises:
            GeneratorNotFound: there is none, or it is another tenant's.
            Deleted: it was deleted.
        """
        if not is_id("gen", generator_id):
            raise GeneratorNotFound(generator_id)
        found = self._one(generators.c.id == generator_id, tenant)
        if found is None:
            with self._of(tenant).connect() as connection:
                raise tombstones.missing(connection, generator_id, tenant, GeneratorNotFound(generator_id))
        return found

    def existing(self, ids: Collection[str]) -> frozenset[str]:
        """Return which of these generators, of whatever tenant, were not deleted."""
        there = select(generators.c.id).where(generators.c.id.in_(ids), _THERE)
        with self._engine.connect() as connection:
            return frozenset(connection.execute(there).scalars())

    def for_job(self, job_id: str, tenant: str | None = None) -> Generator | None:
        """Return the generator that a job published or withheld; ``None`` if it has none."""
        return self._one(generators.c.job_id == job_id, tenant) if is_id("job", job_id) else None

    def release(
        self, generator_id: str, tenant: str, release: JsonObject, record: str, by: Actor = SERVICE
    ) -> Generator:
        """Serve a withheld generator from now on. Its verdict stays what it is. Of several releases at once, one wins.

        Args:
            release: by whom, why and when.
            record: the record that says so, in place of the one before.
            by: whom the audit log names.

        Raises:
            GeneratorNotFound: there is none, or it is another tenant's.
            GeneratorNotWithheld: it is published, by its verdict or by an earlier release.
        """
        withheld = (
            generators.c.id == generator_id,
            generators.c.tenant == tenant,
            generators.c.status == "withheld",
            _THERE,
        )
        values = {"status": "published", "release": dict(release), "record": record}
        if is_id("gen", generator_id):
            with self._of(tenant).begin() as connection:
                # The job first, which a trigger answers: as whoever deletes the generator or corrects the job's case.
                of_job = select(generators.c.job_id).where(*withheld).scalar_subquery()
                rows.lock(connection, jobs.c.id == of_job)
                before = connection.execute(
                    select(generators.c.record).where(*withheld).with_for_update()
                ).scalar_one_or_none()
                if before is not None:
                    change = update(generators).where(*withheld).values(values).returning(*generators.c)
                    row = connection.execute(change).one()
                    audit.write(
                        connection,
                        by,
                        Action.GENERATOR_RELEASE,
                        tenant,
                        generator_id,
                        before=audit.text_digest(before),
                        after=audit.text_digest(record),
                    )
                    return _to_generator(row)
        self.get(generator_id, tenant).to_release()
        raise AssertionError("what is withheld was released above")

    def report(self, job_id: str, tenant: str | None = None) -> Report:
        """Return the report of a job.

        Raises:
            JobNotFound: there is no such job, or it is another tenant's.
            Deleted: the job was deleted.
            ReportNotReady: the job has not succeeded.
        """
        if not is_id("job", job_id):
            raise JobNotFound(job_id)
        query = (
            select(jobs.c.status, reports.c.attempt, reports.c.report, reports.c.files)
            .select_from(jobs.outerjoin(reports, reports.c.job_id == jobs.c.id))
            .where(jobs.c.id == job_id, *_owned(jobs.c.tenant, tenant))
        )
        with self._of(tenant).connect() as connection:
            row = connection.execute(query).one_or_none()
            if row is None:
                raise tombstones.missing(connection, job_id, tenant, JobNotFound(job_id))
        if row.report is None:
            raise ReportNotReady(f"job {job_id} is {row.status}: a report comes with success", status=row.status)
        return Report(job_id, row.attempt, row.report, _files(row.files))

    def list(
        self,
        tenant: str,
        wanted: WantedGenerators = ALL_GENERATORS,
        limit: int = 20,
        after: str | None = None,
    ) -> Page[Generator]:
        """Return a page of the tenant's generators, newest first.

        Raises:
            BadCursor: ``after`` is not the ``next`` of an earlier page.
        """
        where = (*wanted.conditions(tenant), _THERE)
        if after is not None:
            where += (generators.c.id < read_cursor("gen", after),)
        newest = select(generators).where(*where).order_by(generators.c.id.desc()).limit(check_limit(limit) + 1)
        with self._of(tenant).connect() as connection:
            found: tuple[Row[Any], ...] = tuple(connection.execute(newest))
        return page(found, limit, _to_generator)

    def _of(self, tenant: str | None) -> Engine:
        return wall.behind(self._engine, tenant)

    def _one(self, which: ColumnElement[bool], tenant: str | None) -> Generator | None:
        with self._of(tenant).connect() as connection:
            row = connection.execute(
                select(generators).where(which, _THERE, *_owned(generators.c.tenant, tenant))
            ).one_or_none()
        return None if row is None else _to_generator(row)


_THERE = generators.c.deleted_at.is_(None)
"""A generator that was not deleted. Behind the wall no other is seen."""


def _owned(column: ColumnElement[str], tenant: str | None) -> tuple[ColumnElement[bool], ...]:
    return () if tenant is None else (column == tenant,)


def _to_generator(row: Row[Any]) -> Generator:
    values = cast("dict[str, Any]", dict(row._mapping)) | {"files": _files(row.files), "pair": _files(row.pair)}
    del values["deleted_at"]
    return Generator(**values)


def _files(raw: Mapping[str, Mapping[str, Any]]) -> dict[str, StoredFile]:
    return {name: StoredFile(**stored) for name, stored in raw.items()}
