"""The case behind a job, when it is overdue, and its priority; what generators are found by.

The version before goes on beside it: what it submits has no case and the priority ``normal``, and triggers keep what
follows from a case. It claims by age alone.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision: str = "0012"
down_revision: str | None = "0011"

# From when on a job is overdue: its due time, until a generator is served or the job is cancelled. Within the
# transaction that publishes, the generator is there before its job moves. As the tables' owner: a request that corrects
# a case does not see a generator that was deleted, and what was answered stays answered.
KEEP_DUE = """
    CREATE FUNCTION keep_due() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER SET search_path = {schema}, pg_temp
    AS $$
    BEGIN
        NEW.due_at = CAST(NEW."case" ->> 'due_at' AS timestamptz);
        NEW.overdue_from = NEW.due_at;
        IF NEW.due_at IS NOT NULL AND (NEW.status = 'cancelled' OR EXISTS (
            SELECT FROM generators WHERE job_id = NEW.id AND status = 'published'
        )) THEN
            NEW.overdue_from = NULL;
        END IF;
        RETURN NEW;
    END $$
"""
ANSWER_JOB = """
    CREATE FUNCTION answer_job() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
        UPDATE jobs SET overdue_from = NULL WHERE id = NEW.job_id AND overdue_from IS NOT NULL;
        RETURN NULL;
    END $$
"""
# As label_job() makes them (0008).
LABELS = """
    SELECT {job}.tenant, sha256(convert_to(char_length(name) || ':' || name || value, 'UTF8')), {job}.id
      FROM (VALUES ('case.ticket', {job}."case" ->> 'ticket'), ('generator', right({job}.generator_id, 6)))
           AS said (name, value)
     WHERE value IS NOT NULL
"""
# A case is corrected by requests, whose role may delete nothing: so it runs as the tables' owner.
LABEL_CASE = f"""
    CREATE FUNCTION label_case() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER SET search_path = {{schema}}, pg_temp
    AS $$
    BEGIN
        IF TG_OP = 'UPDATE' THEN
            DELETE FROM job_labels WHERE (tenant, label, job_id) IN ({LABELS.format(job="OLD")});
        END IF;
        INSERT INTO job_labels (tenant, label, job_id) {LABELS.format(job="NEW")} ON CONFLICT DO NOTHING;
        RETURN NULL;
    END $$
"""


def upgrade() -> None:
    time = sa.DateTime(timezone=True)
    op.execute("LOCK TABLE jobs, generators IN ACCESS EXCLUSIVE MODE")
    op.add_column("jobs", sa.Column("case", postgresql.JSONB()))
    op.add_column("jobs", sa.Column("due_at", time))
    op.add_column("jobs", sa.Column("overdue_from", time))
    op.add_column("jobs", sa.Column("priority", sa.Text(), server_default=sa.text("'normal'"), nullable=False))
    op.create_check_constraint(op.f("ck_jobs_priority"), "jobs", "priority IN ('low', 'normal', 'urgent')")
    schema = op.get_bind().execute(sa.text("SELECT quote_ident(current_schema())")).scalar_one()
    op.execute(KEEP_DUE.format(schema=schema))
    op.execute(ANSWER_JOB)
    op.execute(LABEL_CASE.format(schema=schema))
    op.execute(
        'CREATE TRIGGER keep_due BEFORE INSERT OR UPDATE OF "case", status ON jobs '
        "FOR EACH ROW EXECUTE FUNCTION keep_due()"
    )
    op.execute(
        "CREATE TRIGGER answer_job AFTER UPDATE OF status ON generators FOR EACH ROW "
        "WHEN (NEW.status = 'published') EXECUTE FUNCTION answer_job()"
    )
    op.execute(
        'CREATE TRIGGER label_case AFTER INSERT OR UPDATE OF "case", generator_id ON jobs '
        "FOR EACH ROW EXECUTE FUNCTION label_case()"
    )
    there = LABELS.format(job="jobs")
    op.execute(f"INSERT INTO job_labels (tenant, label, job_id) SELECT said.* FROM jobs, LATERAL ({there}) AS said")
    known, open_ = sa.text("due_at IS NOT NULL"), sa.text("overdue_from IS NOT NULL")
    op.create_index("ix_jobs_due", "jobs", ["tenant", "due_at", "id"], postgresql_where=known)
    op.create_index("ix_jobs_overdue", "jobs", ["tenant", "overdue_from", "id"], postgresql_where=open_)
    waits = sa.text("status = 'queued'")
    op.create_index("ix_jobs_turn", "jobs", ["tenant", "priority", "id"], postgresql_where=waits)
    op.create_index(op.f("ix_generators_tenant_verdict_id"), "generators", ["tenant", "verdict", "id"])
    op.create_index(op.f("ix_generators_tenant_base_model_id"), "generators", ["tenant", "base_model", "id"])
    both = ["tenant", "status", "verdict", "id"]
    op.create_index(op.f("ix_generators_tenant_status_verdict_id"), "generators", both)


def downgrade() -> None:
    op.execute("LOCK TABLE jobs, generators IN ACCESS EXCLUSIVE MODE")
    there = LABELS.format(job="jobs")
    op.execute(
        f"DELETE FROM job_labels WHERE (tenant, label, job_id) IN (SELECT said.* FROM jobs, LATERAL ({there}) AS said)"
    )
    for table, name in (("jobs", "keep_due"), ("generators", "answer_job"), ("jobs", "label_case")):
        op.execute(f"DROP TRIGGER {name} ON {table}")
        op.execute(f"DROP FUNCTION {name}()")
    op.drop_index(op.f("ix_generators_tenant_status_verdict_id"), "generators")
    op.drop_index(op.f("ix_generators_tenant_base_model_id"), "generators")
    op.drop_index(op.f("ix_generators_tenant_verdict_id"), "generators")
    for index in ("ix_jobs_turn", "ix_jobs_overdue", "ix_jobs_due"):
        op.drop_index(index, "jobs")
    op.drop_constraint(op.f("ck_jobs_priority"), "jobs")
    for column in ("priority", "overdue_from", "due_at", "case"):
        op.drop_column("jobs", column)
