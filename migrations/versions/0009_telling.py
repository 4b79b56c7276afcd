"""Webhooks, and what is told to them.

The version before goes on beside it: a trigger writes what is to be told of the events that it writes, in its own
transaction.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision: str = "0009"
down_revision: str | None = "0008"

ROLE = "lethe_tenant"
OWN = "tenant = current_setting('lethe.tenant', true)"
TABLES = ("webhooks", "deliveries")
# RFC 9562, section 5.7, from a UUIDv4's random digits: Postgres makes one by itself from 18 on.
NEW_ID = """'dlv_' || lpad(to_hex(floor(extract(epoch FROM clock_timestamp()) * 1000)::bigint), 12, '0') || '7'
           || substr(replace(gen_random_uuid()::text, '-', ''), 14)"""
TELL = f"""
    CREATE FUNCTION tell_webhooks() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
        INSERT INTO deliveries (id, tenant, webhook_id, job_id, seq, type, attempt, data, occurred_at)
        SELECT {NEW_ID},
               hooks.tenant, hooks.id, NEW.job_id, NEW.seq, NEW.type, NEW.attempt,
               jsonb_strip_nulls(jsonb_build_object(
                   'verdict', NEW.data -> 'verdict', 'generator', NEW.data -> 'generator',
                   'error', NEW.data #> '{{error,code}}')),
               NEW.created_at
          FROM (SELECT webhooks.* FROM webhooks WHERE webhooks.job_id = NEW.job_id
                UNION ALL
                SELECT webhooks.* FROM webhooks
                  JOIN jobs ON jobs.id = NEW.job_id AND jobs.tenant = webhooks.tenant
                 WHERE webhooks.job_id IS NULL) AS hooks
         WHERE NEW.type = ANY (hooks.events) AND hooks.disabled_at IS NULL AND hooks.deleted_at IS NULL;
        RETURN NULL;
    END $$
"""
# What is written many times a second, and never told.
MANY = "('job.progress', 'job.metrics', 'job.checkpoint', 'job.phase')"


def upgrade() -> None:
    time, now, identifier = sa.DateTime(timezone=True), sa.text("now()"), sa.Text(collation="C")
    op.create_table(
        "webhooks",
        sa.Column("id", identifier, nullable=False),
        sa.Column("tenant", sa.Text(), nullable=False),
        sa.Column("job_id", identifier),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("shown_url", sa.Text(), nullable=False),
        sa.Column("sealed_url", sa.Text()),
        sa.Column("sealed_secret", sa.Text()),
        sa.Column("sealed_secret_before", sa.Text()),
        sa.Column("secret_before_until", time),
        sa.Column("events", postgresql.ARRAY(sa.Text()), nullable=False),
        sa.Column("description", sa.Text(), server_default=sa.text("''"), nullable=False),
        sa.Column("created_at", time, server_default=now, nullable=False),
        sa.Column("updated_at", time, server_default=now, nullable=False),
        sa.Column("disabled_at", time),
        sa.Column("disabled_because", sa.Text()),
        sa.Column("deleted_at", time),
        sa.CheckConstraint("cardinality(events) > 0", name=op.f("ck_webhooks_events")),
        sa.CheckConstraint("(disabled_at IS NULL) = (disabled_because IS NULL)", name=op.f("ck_webhooks_disabled")),
        sa.CheckConstraint(
            "(sealed_secret_before IS NULL) = (secret_before_until IS NULL)", name=op.f("ck_webhooks_secret_before")
        ),
        sa.CheckConstraint(
            "(deleted_at IS NULL) = (sealed_url IS NOT NULL) AND (deleted_at IS NULL OR sealed_secret IS NULL)",
            name=op.f("ck_webhooks_deleted"),
        ),
        sa.ForeignKeyConstraint(["tenant"], ["tenants.name"], name=op.f("fk_webhooks_tenant")),
        sa.ForeignKeyConstraint(["job_id"], ["jobs.id"], name=op.f("fk_webhooks_job_id"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_webhooks")),
    )
    op.create_index("ix_webhooks_tenant_id", "webhooks", ["tenant", "id"], postgresql_where=sa.text("job_id IS NULL"))
    op.create_index("ix_webhooks_job_id", "webhooks", ["job_id"], postgresql_where=sa.text("job_id IS NOT NULL"))
    op.create_table(
        "deliveries",
        sa.Column("id", identifier, nullable=False),
        sa.Column("tenant", sa.Text(), nullable=False),
        sa.Column("webhook_id", identifier, nullable=False),
        sa.Column("job_id", identifier, nullable=False),
        sa.Column("seq", sa.Integer(), nullable=False),
        sa.Column("type", sa.Text(), nullable=False),
        sa.Column("attempt", sa.Integer(), nullable=False),
        sa.Column("data", postgresql.JSONB(), nullable=False),
        sa.Column("occurred_at", time, nullable=False),
        sa.Column("status", sa.Text(), server_default=sa.text("'pending'"), nullable=False),
        sa.Column("tries", sa.Integer(), server_default=sa.text("0"), nullable=False),
        sa.Column("tries_before", sa.Integer(), server_default=sa.text("0"), nullable=False),
        sa.Column("next_try_at", time, server_default=now),
        sa.Column("lease_until", time),
        sa.Column("tried_at", time),
        sa.Column("response", sa.Integer()),
        sa.Column("error", sa.Text()),
        sa.Column("created_at", time, server_default=now, nullable=False),
        sa.Column("ended_at", time),
        sa.CheckConstraint("status IN ('pending', 'delivered', 'failed')", name=op.f("ck_deliveries_status")),
        sa.CheckConstraint("(status = 'pending') = (next_try_at IS NOT NULL)", name=op.f("ck_deliveries_pending")),
        sa.CheckConstraint("(status = 'pending') = (ended_at IS NULL)", name=op.f("ck_deliveries_ended")),
        sa.CheckConstraint("status = 'pending' OR lease_until IS NULL", name=op.f("ck_deliveries_lease")),
        sa.CheckConstraint("tries >= tries_before AND tries_before >= 0", name=op.f("ck_deliveries_tries")),
        sa.ForeignKeyConstraint(
            ["webhook_id"], ["webhooks.id"], name=op.f("fk_deliveries_webhook_id"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(["job_id"], ["jobs.id"], name=op.f("fk_deliveries_job_id"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_deliveries")),
        sa.UniqueConstraint("webhook_id", "job_id", "seq", name=op.f("uq_deliveries_webhook_id_job_id_seq")),
    )
    op.create_index(op.f("ix_deliveries_webhook_id_id"), "deliveries", ["webhook_id", "id"])
    op.create_index(op.f("ix_deliveries_job_id"), "deliveries", ["job_id"])
    pending, ended = sa.text("status = 'pending'"), sa.text("ended_at IS NOT NULL")
    op.create_index("ix_deliveries_next_try_at", "deliveries", ["next_try_at"], postgresql_where=pending)
    op.create_index("ix_deliveries_ended_at", "deliveries", ["ended_at"], postgresql_where=ended)
    op.execute("CREATE TRIGGER add_tenant BEFORE INSERT ON webhooks FOR EACH ROW EXECUTE FUNCTION add_tenant()")
    for table in TABLES:
        op.execute(f"GRANT SELECT, INSERT, UPDATE ON {table} TO {ROLE}")
        op.execute(f"ALTER TABLE {table} ENABLE ROW LEVEL SECURITY")
        op.execute(f"CREATE POLICY tenant ON {table} TO {ROLE} USING ({OWN})")
    op.execute(TELL)
    op.execute(
        f"CREATE TRIGGER tell_webhooks AFTER INSERT ON events FOR EACH ROW WHEN (NEW.type NOT IN {MANY}) "
        "EXECUTE FUNCTION tell_webhooks()"
    )


def downgrade() -> None:
    op.execute("DROP TRIGGER tell_webhooks ON events")
    op.execute("DROP FUNCTION tell_webhooks()")
    for table in reversed(TABLES):
        op.drop_table(table)
