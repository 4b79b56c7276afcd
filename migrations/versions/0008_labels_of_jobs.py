"""Labels of jobs: what their metadata say, which concepts they forget and how their ids end, to be found by.

The version before goes on beside it: a trigger labels the jobs that it writes.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision: str = "0008"
down_revision: str | None = "0007"

ROLE = "lethe_tenant"
# By digest: a value of 500 characters may be too long for an index. The length parts the name from the value.
LABELS = """
    SELECT DISTINCT {job}.tenant, sha256(convert_to(char_length(name) || ':' || name || value, 'UTF8')), {job}.id
      FROM (SELECT 'concept' AS name, item ->> 'concept' AS value
              FROM jsonb_array_elements({job}.request -> 'forget') AS item
            UNION ALL SELECT 'metadata.' || key, value FROM jsonb_each_text({job}.metadata)
            UNION ALL SELECT 'id', right({job}.id, 6)) AS said
     WHERE value IS NOT NULL
"""
LABEL_JOB = f"""
    CREATE FUNCTION label_job() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
        INSERT INTO job_labels (tenant, label, job_id) {LABELS.format(job="NEW")};
        RETURN NULL;
    END $$
"""


def upgrade() -> None:
    op.create_table(
        "job_labels",
        sa.Column("tenant", sa.Text(), nullable=False),
        sa.Column("label", postgresql.BYTEA(), nullable=False),
        sa.Column("job_id", sa.Text(collation="C"), nullable=False),
        sa.ForeignKeyConstraint(["job_id"], ["jobs.id"], name=op.f("fk_job_labels_job_id"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("tenant", "label", "job_id", name=op.f("pk_job_labels")),
    )
    op.execute("LOCK TABLE jobs IN SHARE ROW EXCLUSIVE MODE")
    op.execute(LABEL_JOB)
    op.execute("CREATE TRIGGER label_job AFTER INSERT ON jobs FOR EACH ROW EXECUTE FUNCTION label_job()")
    there = LABELS.format(job="jobs")
    op.execute(f"INSERT INTO job_labels (tenant, label, job_id) SELECT said.* FROM jobs, LATERAL ({there}) AS said")
    # What is deleted by job; the primary key begins with the tenant.
    op.create_index(op.f("ix_job_labels_job_id"), "job_labels", ["job_id"])
    op.create_index(op.f("ix_jobs_tenant_verdict_id"), "jobs", ["tenant", "verdict", "id"])
    op.execute(f"GRANT SELECT, INSERT ON job_labels TO {ROLE}")
    op.execute("ALTER TABLE job_labels ENABLE ROW LEVEL SECURITY")
    op.execute(f"CREATE POLICY tenant ON job_labels TO {ROLE} USING (tenant = current_setting('lethe.tenant', true))")


def downgrade() -> None:
    op.execute("DROP TRIGGER label_job ON jobs")
    op.execute("DROP FUNCTION label_job()")
    op.drop_index(op.f("ix_jobs_tenant_verdict_id"), "jobs")
    op.drop_table("job_labels")
