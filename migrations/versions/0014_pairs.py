"""What of a generator another job can go on from.

The version before goes on beside it: what it publishes keeps nothing of the kind.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision: str = "0014"
down_revision: str | None = "0011"


def upgrade() -> None:
    pair = sa.Column("pair", postgresql.JSONB(), server_default=sa.text("'{}'"), nullable=False)
    op.add_column("generators", pair)


def downgrade() -> None:
    op.drop_column("generators", "pair")
