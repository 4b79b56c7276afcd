"""Every generator has a record."""

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


def downgrade() -> None:
    op.drop_constraint(op.f("ck_generators_release"), "generators")
    op.create_check_constraint(
        op.f("ck_generators_release"), "generators", "release IS NULL OR (verdict <> 'pass' AND record IS NOT NULL)"
    )
    op.alter_column("generators", "record", existing_type=sa.Text(), nullable=True)
