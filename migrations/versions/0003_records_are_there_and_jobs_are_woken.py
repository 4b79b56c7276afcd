"""Every generator has a record; the time at which a queued job was last announced has its right name."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision: str = "0003"
down_revision: str | None = "0002"


def upgrade() -> None:
    query = "SELECT count(*) FROM generators WHERE record IS NULL"
    if (without := op.get_bind().execute(sa.text(query)).scalar_one()) > 0:
        raise RuntimeError(f"{without} generators have no record: they are of a version before the first; delete them")
    op.alter_column("generators", "record", existing_type=sa.Text(), nullable=False)
    op.drop_constraint(op.f("ck_generators_release"), "generators")
    op.create_check_constraint(op.f("ck_generators_release"), "generators", "release IS NULL OR verdict <> 'pass'")
    op.alter_column("jobs", "hinted_at", new_column_name="woken_at")
    op.execute("ALTER INDEX ix_jobs_hinted_at RENAME TO ix_jobs_woken_at")


def downgrade() -> None:
    op.execute("ALTER INDEX ix_jobs_woken_at RENAME TO ix_jobs_hinted_at")
    op.alter_column("jobs", "woken_at", new_column_name="hinted_at")
    op.drop_constraint(op.f("ck_generators_release"), "generators")
    op.create_check_constraint(
        op.f("ck_generators_release"), "generators", "release IS NULL OR (verdict <> 'pass' AND record IS NOT NULL)"
    )
    op.alter_column("generators", "record", existing_type=sa.Text(), nullable=True)
