"""Generators carry their unlearning record, and what an administrator's release of a withheld one said.

A generator from before has no record and gets none: what it would have to say was not kept. Its ``record`` is null.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision: str = "0002"
down_revision: str | None = "0001"


def upgrade() -> None:
    op.add_column("generators", sa.Column("record", sa.Text()))
    op.add_column("generators", sa.Column("release", postgresql.JSONB()))
    op.drop_constraint(op.f("ck_generators_status"), "generators")
    op.create_check_constraint(
        op.f("ck_generators_status"),
        "generators",
        "status IN ('published', 'withheld') AND (status = 'published') = (verdict = 'pass' OR release IS NOT NULL)",
    )
    op.create_check_constraint(
        op.f("ck_generators_release"), "generators", "release IS NULL OR (verdict <> 'pass' AND record IS NOT NULL)"
    )


def downgrade() -> None:
    op.drop_constraint(op.f("ck_generators_release"), "generators")
    op.drop_constraint(op.f("ck_generators_status"), "generators")
    # The schema before knows no release: what was released is withheld again.
    op.execute("UPDATE generators SET status = 'withheld' WHERE verdict <> 'pass'")
    op.create_check_constraint(
        op.f("ck_generators_status"),
        "generators",
        "status IN ('published', 'withheld') AND (status = 'published') = (verdict = 'pass')",
    )
    op.drop_column("generators", "release")
    op.drop_column("generators", "record")
