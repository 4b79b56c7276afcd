"""The tables. A row that makes no sense cannot be written: what the state machine promises stands here as CHECKs.

Ids sort bytewise (collation ``C``) whatever the database's locale, because their order is their time.
Timestamps are the database's own clock, never a client's.
"""

from __future__ import annotations

from enum import StrEnum
from typing import get_args

from sqlalchemy import (
    ARRAY,
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    DateTime,
    Double,
    FetchedValue,
    ForeignKey,
    Identity,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    PrimaryKeyConstraint,
    Table,
    Text,
    UniqueConstraint,
    func,
    text,
)
from sqlalchemy.dialects.postgresql import JSONB

from jobs.priorities import Priority
from jobs.states import Phase, Status
from sfd_core.evaluation.verdict import Verdict

metadata = MetaData(
    naming_convention={
        "pk": "pk_%(table_name)s",
        "fk": "fk_%(table_name)s_%(column_0_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "ck": "ck_%(table_name)s_%(constraint_name)s",
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
    }
)

_ID = Text(collation="C")
_TIME = DateTime(timezone=True)


def _one_of(column: str, values: type[StrEnum] | tuple[str, ...]) -> str:
    listed = ", ".join(f"'{value}'" for value in values)
    return f"{column} IN ({listed})"


tenants = Table(
    "tenants",
    metadata,
    Column("name", Text, primary_key=True),
    # What is limited, by name (``jobs.tenants.Limits``).
    Column("limits", JSONB, nullable=False, server_default=text("'{}'")),
    Column("created_at", _TIME, nullable=False, server_default=func.now()),
    CheckConstraint("jsonb_typeof(limits) = 'object'", name="limits"),
)
"""A trigger writes the row of a tenant whose first key or job comes before anybody has made it."""

tenant_usage = Table(
    "tenant_usage",
    metadata,
    Column("tenant", Text, ForeignKey("tenants.name", ondelete="CASCADE"), nullable=False),
    Column("measure", Text, nullable=False),
    Column("since", _TIME, nullable=False),
    Column("amount", Double, nullable=False),
    PrimaryKeyConstraint("tenant", "measure", "since"),
    CheckConstraint("measure IN ('training_seconds', 'samples')", name="measure"),
)
"""What a tenant has used of what is counted by time: a row a month (``training_seconds``, written by a trigger whenever
a worker lets go of a job) or a minute (``samples``), from ``since`` on."""

# As an index has it, and a query must to be answered from it: the generator that a job goes on from.
PARENT = "(request #>> '{parent,generator}')"

jobs = Table(
    "jobs",
    metadata,
    Column("id", _ID, primary_key=True),
    Column("tenant", Text, ForeignKey("tenants.name"), nullable=False),
    Column("status", Text, nullable=False),
    Column("phase", Text),
    Column("verdict", Text),
    Column("attempt", Integer, nullable=False, server_default=text("0")),
    Column("failures", Integer, nullable=False, server_default=text("0")),
    Column("lease_until", _TIME),
    Column("worker", Text),
    Column("cancel_requested_at", _TIME),
    Column("base_model", Text, nullable=False),
    Column("base_model_digest", Text, nullable=False),
    Column("request", JSONB, nullable=False),
    Column("webhook", JSONB(none_as_null=True)),
    Column("metadata", JSONB, nullable=False, server_default=text("'{}'")),
    Column("progress", JSONB, nullable=False, server_default=text("'{}'")),
    Column("error", JSONB(none_as_null=True)),
    # No foreign key: generators.job_id is the link, unique and with one; this spares every list a join.
    Column("generator_id", _ID),
    Column("created_at", _TIME, nullable=False, server_default=func.now()),
    Column("started_at", _TIME),
    Column("finished_at", _TIME),
    Column("updated_at", _TIME, nullable=False, server_default=func.now()),
    Column("version", Integer, nullable=False, server_default=text("1")),
    Column("last_seq", Integer, nullable=False, server_default=text("0")),
    Column("woken_at", _TIME, nullable=False, server_default=func.now()),
    # Since when a worker holds it; by trigger, so that no way to let go of a job forgets to count.
    Column("held_since", _TIME),
    # Of a device, at the least, to train it (``sfd_core.families.memory``); null where that is not known.
    Column("memory_bytes", BigInteger),
    # The request for removal that it answers (``jobs.case``). By trigger: when it is due, and from when on the job is
    # overdue, null once a generator is served or the job is cancelled.
    Column("case", JSONB(none_as_null=True)),
    Column("due_at", _TIME),
    Column("overdue_from", _TIME),
    Column("priority", Text, nullable=False, server_default=text(f"'{Priority.NORMAL}'")),
    CheckConstraint(_one_of("status", Status), name="status"),
    CheckConstraint(_one_of("phase", Phase), name="phase"),
    CheckConstraint(_one_of("verdict", get_args(Verdict)), name="verdict"),
    CheckConstraint("attempt >= 0 AND failures >= 0 AND version >= 1 AND last_seq >= 0", name="counters"),
    # A worker, its lease and a phase come and go together.
    CheckConstraint(
        "(status IN ('running', 'cancelling')) = (lease_until IS NOT NULL) AND (lease_until IS NULL) = (worker IS NULL)"
        " AND (lease_until IS NULL) = (phase IS NULL)",
        name="held",
    ),
    CheckConstraint(
        "(status IN ('succeeded', 'failed', 'cancelled')) = (finished_at IS NOT NULL)",
        name="finished",
    ),
    CheckConstraint(
        "(status IN ('cancelling', 'cancelled')) = (cancel_requested_at IS NOT NULL)", name="cancel_requested"
    ),
    CheckConstraint(
        "(status = 'succeeded') = (verdict IS NOT NULL) AND (verdict IS NULL) = (generator_id IS NULL)",
        name="succeeded",
    ),
    CheckConstraint("(status = 'failed') = (error IS NOT NULL)", name="failed"),
    CheckConstraint("memory_bytes > 0", name="memory"),
    CheckConstraint(_one_of("priority", Priority), name="priority"),
    # The lists, newest first, with each filter that they have.
    Index(None, "tenant", "id"),
    Index(None, "tenant", "status", "id"),
    Index(None, "tenant", "base_model", "id"),
    Index(None, "tenant", "status", "base_model", "id"),
    Index(None, "tenant", "verdict", "id"),
    # The lists by when they are due.
    Index("ix_jobs_due", "tenant", "due_at", "id", postgresql_where=text("due_at IS NOT NULL")),
    Index("ix_jobs_overdue", "tenant", "overdue_from", "id", postgresql_where=text("overdue_from IS NOT NULL")),
    # The oldest of each priority that waits.
    Index("ix_jobs_turn", "tenant", "priority", "id", postgresql_where=text("status = 'queued'")),
    # What goes on from a generator; of few jobs.
    Index("ix_jobs_parent", "tenant", text(PARENT), "id", postgresql_where=text(f"{PARENT} IS NOT NULL")),
    # Counting by status without reading the rows.
    Index(None, "status"),
    # What the reaper looks for; both are small whatever the table's size.
    Index("ix_jobs_lease_until", "lease_until", postgresql_where=text("lease_until IS NOT NULL")),
    Index("ix_jobs_woken_at", "woken_at", postgresql_where=text("status = 'queued'")),
)

job_labels = Table(
    "job_labels",
    metadata,
    Column("tenant", Text, nullable=False),
    Column("label", LargeBinary, nullable=False),
    Column("job_id", _ID, ForeignKey("jobs.id", ondelete="CASCADE"), nullable=False),
    PrimaryKeyConstraint("tenant", "label", "job_id"),
    Index(None, "job_id"),
)
"""What jobs and generators are found by, beside their own columns (``jobs.finding``); written by triggers."""

# As an index has them, and a query must to be answered from it. Of a million events some hundred are neither progress
# nor checkpoints: a page shows those.
IS_MOMENT = "type NOT IN ('job.checkpoint', 'job.metrics', 'job.progress')"
IS_METRICS = "type = 'job.metrics'"
IS_PASSING = "type IN ('job.checkpoint', 'job.progress')"

events = Table(
    "events",
    metadata,
    Column("job_id", _ID, ForeignKey("jobs.id", ondelete="CASCADE"), nullable=False),
    Column("seq", Integer, nullable=False),
    Column("type", Text, nullable=False),
    Column("data", JSONB, nullable=False),
    Column("attempt", Integer, nullable=False),
    Column("created_at", _TIME, nullable=False, server_default=func.now()),
    PrimaryKeyConstraint("job_id", "seq"),
    CheckConstraint("seq >= 1", name="seq"),
    Index("ix_events_moments", "job_id", "seq", postgresql_where=text(IS_MOMENT)),
    Index("ix_events_metrics", "job_id", "seq", postgresql_where=text(IS_METRICS)),
    # What the reaper collects.
    Index("ix_events_passing", "created_at", postgresql_where=text(IS_PASSING)),
)

outbox = Table(
    "outbox",
    metadata,
    Column("id", BigInteger, Identity(), primary_key=True),
    Column("job_id", _ID, ForeignKey("jobs.id", ondelete="CASCADE"), nullable=False),
    Column("created_at", _TIME, nullable=False, server_default=func.now()),
    Column("sent_at", _TIME),
    Index("ix_outbox_unsent", "id", postgresql_where=text("sent_at IS NULL")),
    Index("ix_outbox_job_id", "job_id", postgresql_where=text("sent_at IS NULL")),
    Index("ix_outbox_sent_at", "sent_at", postgresql_where=text("sent_at IS NOT NULL")),
)

idempotency_keys = Table(
    "idempotency_keys",
    metadata,
    Column("tenant", Text, nullable=False),
    Column("key", Text, nullable=False),
    Column("body_sha256", Text, nullable=False),
    # Checked at commit: the key is taken first, so that of two equal requests only one goes on to write a job.
    Column(
        "job_id", _ID, ForeignKey("jobs.id", ondelete="CASCADE", deferrable=True, initially="DEFERRED"), nullable=False
    ),
    Column("created_at", _TIME, nullable=False, server_default=func.now()),
    PrimaryKeyConstraint("tenant", "key"),
    Index(None, "created_at"),
    # What goes with its job.
    Index(None, "job_id"),
)

generators = Table(
    "generators",
    metadata,
    Column("id", _ID, primary_key=True),
    Column("tenant", Text, nullable=False),
    Column("job_id", _ID, ForeignKey("jobs.id"), nullable=False),
    Column("attempt", Integer, nullable=False),
    Column("status", Text, nullable=False),
    Column("verdict", Text, nullable=False),
    Column("base_model", Text, nullable=False),
    Column("base_model_digest", Text, nullable=False),
    Column("forget", JSONB, nullable=False),
    Column("figures", JSONB, nullable=False),
    Column("files", JSONB, nullable=False),
    Column("digest", Text, nullable=False),
    Column("created_at", _TIME, nullable=False, server_default=func.now()),
    # The signed envelope as it was written, byte for byte.
    Column("record", Text, nullable=False),
    Column("release", JSONB(none_as_null=True)),
    # What it was is in its tombstone. The row stays, without contents, for as long as its job's report: by it a reaper
    # knows that the attempt was published. No tenant sees it (a policy).
    Column("deleted_at", _TIME),
    # What another run can go on from; by name, as ``files``.
    Column("pair", JSONB, nullable=False, server_default=text("'{}'")),
    # At most one generator a job: whatever else goes wrong, the database refuses a second publication.
    UniqueConstraint("job_id"),
    CheckConstraint(_one_of("verdict", get_args(Verdict)), name="verdict"),
    CheckConstraint(
        "status IN ('published', 'withheld') AND (status = 'published') = (verdict = 'pass' OR release IS NOT NULL)",
        name="status",
    ),
    # A release overrules a verdict, and says so in the record.
    CheckConstraint("release IS NULL OR verdict <> 'pass'", name="release"),
    CheckConstraint("deleted_at IS NULL OR (files = '{}' AND forget = '[]' AND record = '')", name="deleted"),
    Index(None, "tenant", "status", "id"),
    Index(None, "tenant", "id"),
    Index(None, "tenant", "verdict", "id"),
    Index(None, "tenant", "base_model", "id"),
    # Released ones are the few that are published whatever their verdict.
    Index(None, "tenant", "status", "verdict", "id"),
)

reports = Table(
    "reports",
    metadata,
    Column("job_id", _ID, ForeignKey("jobs.id"), primary_key=True),
    Column("attempt", Integer, nullable=False),
    Column("report", JSONB, nullable=False),
    Column("files", JSONB, nullable=False),
)

tombstones = Table(
    "tombstones",
    metadata,
    Column("id", _ID, primary_key=True),
    Column("tenant", Text, nullable=False),
    # The id of the job or the generator that is no more: no foreign key, as there is no row.
    Column("deleted", _ID, nullable=False),
    Column("job_id", _ID, nullable=False),
    # The attempt that a generator's files lie under; null of a job, of which every attempt's go.
    Column("attempt", Integer),
    Column("deleted_at", _TIME, nullable=False, server_default=func.now()),
    # The signed envelope as it was written, byte for byte.
    Column("statement", Text, nullable=False),
    # Of the files that went, or are to go.
    Column("bytes", BigInteger, nullable=False),
    Column("files_removed_at", _TIME),
    UniqueConstraint("deleted"),
    CheckConstraint("bytes >= 0", name="bytes"),
    Index(None, "tenant", "id"),
    # What a reaper still has to remove.
    Index("ix_tombstones_files", "id", postgresql_where=text("files_removed_at IS NULL")),
)
"""What is kept of a job or a generator that was deleted."""

storage_counts = Table(
    "storage_counts",
    metadata,
    Column("id", BigInteger, Identity(), primary_key=True),
    Column("tenant", Text, nullable=False),
    Column("kind", Text, nullable=False),
    Column("objects", BigInteger, nullable=False),
    Column("bytes", BigInteger, nullable=False),
    CheckConstraint("kind IN ('published', 'withheld', 'reports', 'leftovers')", name="kind"),
    Index(None, "tenant"),
)
"""What tenants have in the artefact store by kind, as differences to be added up: triggers write one whenever a row
that names files comes, changes or goes. As ``job_counts``; the reaper adds them up (``jobs.storage``)."""

work_folders = Table(
    "work_folders",
    metadata,
    Column("place", Text, nullable=False),
    Column("tenant", Text, nullable=False),
    Column("objects", BigInteger, nullable=False),
    Column("bytes", BigInteger, nullable=False),
    Column("measured_at", _TIME, nullable=False, server_default=func.now()),
    PrimaryKeyConstraint("place", "tenant"),
)
"""What lies in the work folder of each place (host and path) by tenant, as a reaper there measured it last."""

api_keys = Table(
    "api_keys",
    metadata,
    Column("id", _ID, primary_key=True),
    Column("tenant", Text, ForeignKey("tenants.name"), nullable=False),
    Column("name", Text, nullable=False),
    Column("prefix", Text, nullable=False),
    Column("key_sha256", Text, nullable=False),
    Column("scopes", ARRAY(Text), nullable=False),
    Column("created_at", _TIME, nullable=False, server_default=func.now()),
    Column("expires_at", _TIME),
    Column("revoked_at", _TIME),
    Column("last_used_at", _TIME),
    # The key that was made in its place.
    Column("replaced_by", _ID, ForeignKey("api_keys.id")),
    UniqueConstraint("key_sha256"),
    CheckConstraint("cardinality(scopes) > 0 AND scopes <@ ARRAY['submit', 'read', 'admin', 'metrics']", name="scopes"),
    Index(None, "tenant", "id"),
)

sessions = Table(
    "sessions",
    metadata,
    Column("token_sha256", Text, primary_key=True),
    Column("key_id", _ID, ForeignKey("api_keys.id", ondelete="CASCADE"), nullable=False),
    Column("created_at", _TIME, nullable=False, server_default=func.now()),
    Column("expires_at", _TIME, nullable=False),
    Index("ix_sessions_expires_at", "expires_at"),
)

audit_log = Table(
    "audit_log",
    metadata,
    Column("tenant", Text, nullable=False),
    # These four a trigger fills in, whoever inserts.
    Column("seq", BigInteger, FetchedValue(), nullable=False),
    Column("at", _TIME, FetchedValue(), nullable=False),
    # An API key's id, or one of ``jobs.audit.entries.Actor``.
    Column("actor", Text, nullable=False),
    Column("actor_name", Text),
    Column("action", Text, nullable=False),
    Column("object_id", Text, nullable=False),
    Column("before", Text),
    Column("after", Text),
    Column("request_id", Text),
    Column("details", JSONB, nullable=False, server_default=text("'{}'")),
    Column("previous", Text, FetchedValue(), nullable=False),
    Column("hash", Text, FetchedValue(), nullable=False),
    PrimaryKeyConstraint("tenant", "seq"),
    CheckConstraint("jsonb_typeof(details) = 'object'", name="details"),
    # What a list is asked for.
    Index(None, "tenant", "action", "seq"),
    Index(None, "tenant", "actor", "seq"),
    Index(None, "tenant", "object_id", "seq"),
    Index(None, "tenant", "at"),
)
"""Who did what: a chain for each tenant (``jobs.audit``). A trigger refuses every change but adding to it. No foreign
key: entries stay where what they tell of is deleted."""

workers = Table(
    "workers",
    metadata,
    Column("name", Text, primary_key=True),
    Column("version", Text, nullable=False),
    Column("host", Text, nullable=False),
    Column("device", Text, nullable=False),
    # Of the device, for a job; null where it is not known.
    Column("memory_bytes", BigInteger),
    # That train one job together.
    Column("gpus", Integer, nullable=False, server_default=text("1")),
    Column("started_at", _TIME, nullable=False, server_default=func.now()),
    Column("seen_at", _TIME, nullable=False, server_default=func.now()),
    CheckConstraint("memory_bytes > 0", name="memory"),
    CheckConstraint("gpus >= 1", name="gpus"),
)
"""Workers that train, as they state themselves every few seconds. What one runs at the moment its job says
(``jobs.worker``)."""

webhooks = Table(
    "webhooks",
    metadata,
    Column("id", _ID, primary_key=True),
    Column("tenant", Text, ForeignKey("tenants.name"), nullable=False),
    # Null: told of every job of the tenant.
    Column("job_id", _ID, ForeignKey("jobs.id", ondelete="CASCADE")),
    # A file in telling/kinds. Which there are is not said here: a new one needs no migration.
    Column("kind", Text, nullable=False),
    # The URL as it may be shown. As it is used, and the secret, they are sealed (``jobs.sealing``).
    Column("shown_url", Text, nullable=False),
    Column("sealed_url", Text),
    Column("sealed_secret", Text),
    Column("sealed_secret_before", Text),
    Column("secret_before_until", _TIME),
    Column("events", ARRAY(Text), nullable=False),
    Column("description", Text, nullable=False, server_default=text("''")),
    Column("created_at", _TIME, nullable=False, server_default=func.now()),
    Column("updated_at", _TIME, nullable=False, server_default=func.now()),
    Column("disabled_at", _TIME),
    Column("disabled_because", Text),
    Column("deleted_at", _TIME),
    CheckConstraint("cardinality(events) > 0", name="events"),
    CheckConstraint("(disabled_at IS NULL) = (disabled_because IS NULL)", name="disabled"),
    CheckConstraint("(sealed_secret_before IS NULL) = (secret_before_until IS NULL)", name="secret_before"),
    # What is deleted keeps neither address nor secret.
    CheckConstraint(
        "(deleted_at IS NULL) = (sealed_url IS NOT NULL) AND (deleted_at IS NULL OR sealed_secret IS NULL)",
        name="deleted",
    ),
    Index("ix_webhooks_tenant_id", "tenant", "id", postgresql_where=text("job_id IS NULL")),
    Index("ix_webhooks_job_id", "job_id", postgresql_where=text("job_id IS NOT NULL")),
)

deliveries = Table(
    "deliveries",
    metadata,
    Column("id", _ID, primary_key=True),
    Column("tenant", Text, nullable=False),
    Column("webhook_id", _ID, ForeignKey("webhooks.id", ondelete="CASCADE"), nullable=False),
    # The event that is told, without its text. No foreign key: that a job has ended is told also where it was deleted.
    Column("job_id", _ID, nullable=False),
    Column("seq", Integer, nullable=False),
    Column("type", Text, nullable=False),
    Column("attempt", Integer, nullable=False),
    Column("data", JSONB, nullable=False),
    Column("occurred_at", _TIME, nullable=False),
    Column("status", Text, nullable=False, server_default=text("'pending'")),
    Column("tries", Integer, nullable=False, server_default=text("0")),
    # Those before it was last asked for: its pauses begin anew.
    Column("tries_before", Integer, nullable=False, server_default=text("0")),
    Column("next_try_at", _TIME, server_default=func.now()),
    Column("lease_until", _TIME),
    Column("tried_at", _TIME),
    Column("response", Integer),
    Column("error", Text),
    Column("created_at", _TIME, nullable=False, server_default=func.now()),
    Column("ended_at", _TIME),
    UniqueConstraint("webhook_id", "job_id", "seq"),
    CheckConstraint("status IN ('pending', 'delivered', 'failed')", name="status"),
    CheckConstraint("(status = 'pending') = (next_try_at IS NOT NULL)", name="pending"),
    CheckConstraint("(status = 'pending') = (ended_at IS NULL)", name="ended"),
    CheckConstraint("status = 'pending' OR lease_until IS NULL", name="lease"),
    CheckConstraint("tries >= tries_before AND tries_before >= 0", name="tries"),
    Index(None, "webhook_id", "id"),
    # What the sender looks for: of a webhook the longest due, and what is being sent.
    Index("ix_deliveries_due", "webhook_id", "next_try_at", "id", postgresql_where=text("status = 'pending'")),
    Index("ix_deliveries_lease_until", "lease_until", postgresql_where=text("lease_until IS NOT NULL")),
    # What the reaper collects.
    Index("ix_deliveries_ended_at", "ended_at", postgresql_where=text("ended_at IS NOT NULL")),
)
"""What is told to webhooks: a row an event and webhook, written by a trigger in the event's own transaction."""

rates = Table(
    "rates",
    metadata,
    Column("job_id", _ID, ForeignKey("jobs.id", ondelete="CASCADE"), primary_key=True),
    Column("base_model", Text, nullable=False),
    Column("device", Text, nullable=False),
    Column("gpus", Integer, nullable=False),
    # What was asked, as far as time depends on it (``jobs.work``).
    Column("work", JSONB, nullable=False),
    Column("images", BigInteger, nullable=False),
    Column("passed", Boolean, nullable=False),
    Column("seconds", JSONB, nullable=False),
    Column("stored_bytes", BigInteger, nullable=False),
    Index(None, "base_model", "device", "job_id"),
    Index(None, "device", "job_id"),
)
"""What each job took that succeeded in one attempt, written in the transaction that publishes it (``jobs.rates``)."""

job_counts = Table(
    "job_counts",
    metadata,
    Column("id", BigInteger, Identity(), primary_key=True),
    Column("status", Text, nullable=False),
    Column("jobs", BigInteger, nullable=False),
)
"""How many jobs have a status, as differences to be added up: a trigger writes one whenever a job comes, moves or goes.
Nobody waits for another's row, as for a counter of each status; the reaper adds them up (``jobs.counting``)."""
