"""Sessions of the dashboard, keys that read metrics, and jobs counted as they change."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision: str = "0004"
down_revision: str | None = "0003"


def upgrade() -> None:
    now = sa.func.now()
    op.create_table(
        "sessions",
        sa.Column("token_sha256", sa.Text(), primary_key=True),
        sa.Column("key_id", sa.Text(collation="C"), sa.ForeignKey("api_keys.id", ondelete="CASCADE"), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False, server_default=now),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
    )
    op.create_index("ix_sessions_expires_at", "sessions", ["expires_at"])
    op.drop_constraint(op.f("ck_api_keys_scopes"), "api_keys")
    op.create_check_constraint(
        op.f("ck_api_keys_scopes"),
        "api_keys",
        "cardinality(scopes) > 0 AND scopes <@ ARRAY['submit', 'read', 'admin', 'metrics']",
    )
    op.create_table(
        "job_counts",
        sa.Column("id", sa.BigInteger(), sa.Identity(), primary_key=True),
        sa.Column("status", sa.Text(), nullable=False),
        sa.Column("jobs", sa.BigInteger(), nullable=False),
    )
    op.execute("LOCK TABLE jobs IN SHARE ROW EXCLUSIVE MODE")
    op.execute("INSERT INTO job_counts (status, jobs) SELECT status, count(*) FROM jobs GROUP BY status")
    op.execute(
        """
        CREATE FUNCTION count_jobs() RETURNS trigger LANGUAGE plpgsql AS $$
        BEGIN
            IF TG_OP <> 'INSERT' THEN
                INSERT INTO job_counts (status, jobs) VALUES (OLD.status, -1);
            END IF;
            IF TG_OP <> 'DELETE' THEN
                INSERT INTO job_counts (status, jobs) VALUES (NEW.status, 1);
            END IF;
            RETURN NULL;
        END $$
        """
    )
    op.execute(
        "CREATE TRIGGER count_jobs AFTER INSERT OR DELETE OR UPDATE OF status ON jobs "
        "FOR EACH ROW EXECUTE FUNCTION count_jobs()"
    )


def downgrade() -> None:
    op.execute("DROP TRIGGER count_jobs ON jobs")
    op.execute("DROP FUNCTION count_jobs()")
    op.drop_table("job_counts")
    op.drop_constraint(op.f("ck_api_keys_scopes"), "api_keys")
    # The schema before knows no such scope: a key with nothing else is of no use to it.
    op.execute("DELETE FROM api_keys WHERE scopes = ARRAY['metrics']")
    op.execute("UPDATE api_keys SET scopes = array_remove(scopes, 'metrics')")
    op.create_check_constraint(
        op.f("ck_api_keys_scopes"),
        "api_keys",
        "cardinality(scopes) > 0 AND scopes <@ ARRAY['submit', 'read', 'admin']",
    )
    op.drop_table("sessions")
