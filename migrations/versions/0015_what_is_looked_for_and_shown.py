"""Jobs are found by the generator that they go on from, deliveries by their webhook, and these outlive their job; of a
webhook's URL its host alone stands in plain text.

The version before goes on beside it: what it writes until it ends shows a URL as it did.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision: str = "0015"
down_revision: str | None = "0014"

PARENT = "(request #>> '{parent,generator}')"
PENDING = sa.text("status = 'pending'")
HOST_OF = r"regexp_replace({url}, '^(https?://[^/?#]+).*$', '\1/...')"


def upgrade() -> None:
    op.execute("LOCK TABLE jobs, webhooks, deliveries IN ACCESS EXCLUSIVE MODE")
    continues = sa.text(f"{PARENT} IS NOT NULL")
    op.create_index("ix_jobs_parent", "jobs", ["tenant", sa.text(PARENT), "id"], postgresql_where=continues)
    op.drop_constraint(op.f("fk_deliveries_job_id"), "deliveries")
    op.drop_index(op.f("ix_deliveries_job_id"), "deliveries")
    op.drop_index("ix_deliveries_next_try_at", "deliveries")
    due, leased = ["webhook_id", "next_try_at", "id"], sa.text("lease_until IS NOT NULL")
    op.create_index("ix_deliveries_due", "deliveries", due, postgresql_where=PENDING)
    op.create_index("ix_deliveries_lease_until", "deliveries", ["lease_until"], postgresql_where=leased)
    op.execute(f"UPDATE webhooks SET shown_url = {HOST_OF.format(url='shown_url')} WHERE kind = 'webhook'")
    of_job = HOST_OF.format(url="webhook ->> 'url'")
    op.execute(f"UPDATE jobs SET webhook = jsonb_set(webhook, '{{url}}', to_jsonb({of_job})) WHERE webhook IS NOT NULL")


def downgrade() -> None:
    op.execute("LOCK TABLE jobs, webhooks, deliveries IN ACCESS EXCLUSIVE MODE")
    op.drop_index("ix_deliveries_lease_until", "deliveries")
    op.drop_index("ix_deliveries_due", "deliveries")
    op.create_index("ix_deliveries_next_try_at", "deliveries", ["next_try_at"], postgresql_where=PENDING)
    op.create_index(op.f("ix_deliveries_job_id"), "deliveries", ["job_id"])
    op.execute("DELETE FROM deliveries WHERE job_id NOT IN (SELECT id FROM jobs)")
    of_job = op.f("fk_deliveries_job_id")
    op.create_foreign_key(of_job, "deliveries", "jobs", ["job_id"], ["id"], ondelete="CASCADE")
    op.drop_index("ix_jobs_parent", "jobs")
