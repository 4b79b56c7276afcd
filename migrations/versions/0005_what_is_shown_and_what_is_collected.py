"""Indexes for what a job's page shows of a million events, and for what the reaper collects by its age."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision: str = "0005"
down_revision: str | None = "0004"

IS_MOMENT = "type NOT IN ('job.checkpoint', 'job.metrics', 'job.progress')"
IS_METRICS = "type = 'job.metrics'"
IS_PASSING = "type IN ('job.checkpoint', 'job.progress')"


def upgrade() -> None:
    op.create_index("ix_events_moments", "events", ["job_id", "seq"], postgresql_where=sa.text(IS_MOMENT))
    op.create_index("ix_events_metrics", "events", ["job_id", "seq"], postgresql_where=sa.text(IS_METRICS))
    op.create_index("ix_events_passing", "events", ["created_at"], postgresql_where=sa.text(IS_PASSING))
    op.create_index(op.f("ix_idempotency_keys_created_at"), "idempotency_keys", ["created_at"])


def downgrade() -> None:
    op.drop_index(op.f("ix_idempotency_keys_created_at"), "idempotency_keys")
    for name in ("ix_events_passing", "ix_events_metrics", "ix_events_moments"):
        op.drop_index(name, "events")
