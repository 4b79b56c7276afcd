"""What a job needs in memory, and the workers that live with what they have.

The version before goes on beside it: it writes jobs whose need is not known, which fit every worker, and its workers
claim as they did; of them no row is there.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision: str = "0007"
down_revision: str | None = "0006"


def upgrade() -> None:
    time, now = sa.DateTime(timezone=True), sa.text("now()")
    op.create_table(
        "workers",
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("version", sa.Text(), nullable=False),
        sa.Column("host", sa.Text(), nullable=False),
        sa.Column("device", sa.Text(), nullable=False),
        sa.Column("memory_bytes", sa.BigInteger()),
        sa.Column("started_at", time, server_default=now, nullable=False),
        sa.Column("seen_at", time, server_default=now, nullable=False),
        sa.CheckConstraint("memory_bytes > 0", name=op.f("ck_workers_memory")),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_workers")),
    )
    op.add_column("jobs", sa.Column("memory_bytes", sa.BigInteger()))
    op.create_check_constraint(op.f("ck_jobs_memory"), "jobs", "memory_bytes > 0")


def downgrade() -> None:
    op.drop_constraint(op.f("ck_jobs_memory"), "jobs")
    op.drop_column("jobs", "memory_bytes")
    op.drop_table("workers")
