"""What jobs took, for estimates of those to come, and how many GPUs a worker trains a job on.

The version before goes on beside it: it writes no rates, and its workers are taken to train on one device.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision: str = "0013"
down_revision: str | None = "0012"


def upgrade() -> None:
    op.create_table(
        "rates",
        sa.Column("job_id", sa.Text(collation="C"), nullable=False),
        sa.Column("base_model", sa.Text(), nullable=False),
        sa.Column("device", sa.Text(), nullable=False),
        sa.Column("gpus", sa.Integer(), nullable=False),
        sa.Column("work", postgresql.JSONB(), nullable=False),
        sa.Column("images", sa.BigInteger(), nullable=False),
        sa.Column("passed", sa.Boolean(), nullable=False),
        sa.Column("seconds", postgresql.JSONB(), nullable=False),
        sa.Column("stored_bytes", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["job_id"], ["jobs.id"], name=op.f("fk_rates_job_id"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("job_id", name=op.f("pk_rates")),
    )
    op.create_index(op.f("ix_rates_base_model_device_job_id"), "rates", ["base_model", "device", "job_id"])
    op.create_index(op.f("ix_rates_device_job_id"), "rates", ["device", "job_id"])
    op.add_column("workers", sa.Column("gpus", sa.Integer(), server_default=sa.text("1"), nullable=False))
    op.create_check_constraint(op.f("ck_workers_gpus"), "workers", "gpus >= 1")


def downgrade() -> None:
    op.drop_constraint(op.f("ck_workers_gpus"), "workers")
    op.drop_column("workers", "gpus")
    op.drop_table("rates")
