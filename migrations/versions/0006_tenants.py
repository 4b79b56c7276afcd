"""Tenants as rows with limits, what they use, keys that are replaced, and row-level security.

The version before goes on beside it: a trigger makes the tenant of a key or a job that it writes, another counts the
time for which its workers hold jobs, and as the tables' owner it is not subject to the policies.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision: str = "0006"
down_revision: str | None = "0005"

ROLE = "lethe_tenant"
OWN = "tenant = current_setting('lethe.tenant', true)"
OF_OWN_JOB = "EXISTS (SELECT FROM jobs WHERE jobs.id = {table}.job_id)"
"""A job that the policy of ``jobs`` lets through."""
POLICIES = {
    "tenants": "name = current_setting('lethe.tenant', true)",
    "tenant_usage": OWN,
    "jobs": OWN,
    "idempotency_keys": OWN,
    "generators": OWN,
    "events": OF_OWN_JOB,
    "reports": OF_OWN_JOB,
    "outbox": OF_OWN_JOB,
}
RIGHTS = {
    "tenants": "SELECT, INSERT (name)",
    "tenant_usage": "SELECT, INSERT, UPDATE",
    "jobs": "SELECT, INSERT, UPDATE",
    "idempotency_keys": "SELECT, INSERT",
    "generators": "SELECT, UPDATE",
    "events": "SELECT, INSERT",
    "reports": "SELECT",
    "outbox": "SELECT, INSERT",
    "job_counts": "INSERT",
}
"""What a request of a tenant does. Nothing is deleted, and keys and sessions are not looked at."""

# Another database of this server may make it at the same time, or have made it.
MAKE_ROLE = f"""
    DO $$
    BEGIN
        IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = '{ROLE}') THEN
            BEGIN
                CREATE ROLE {ROLE} NOLOGIN;
            EXCEPTION WHEN duplicate_object OR unique_violation THEN NULL;
            END;
        END IF;
        IF NOT pg_has_role(current_user, '{ROLE}', 'MEMBER') THEN
            EXECUTE format('GRANT {ROLE} TO %I', current_user);
        END IF;
        EXECUTE format('GRANT USAGE ON SCHEMA %I TO {ROLE}', current_schema());
    EXCEPTION WHEN insufficient_privilege THEN
        RAISE EXCEPTION 'this user may make no roles: have an administrator run '
            '"CREATE ROLE {ROLE} NOLOGIN; GRANT {ROLE} TO %;" once, then migrate again', quote_ident(current_user);
    END $$
"""
ADD_TENANT = """
    CREATE FUNCTION add_tenant() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
        IF NOT EXISTS (SELECT FROM tenants WHERE name = NEW.tenant) THEN
            INSERT INTO tenants (name) VALUES (NEW.tenant) ON CONFLICT DO NOTHING;
        END IF;
        RETURN NEW;
    END $$
"""
COUNT_TRAINING = """
    CREATE FUNCTION count_training() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
        IF NEW.lease_until IS NULL AND OLD.held_since IS NOT NULL THEN
            INSERT INTO tenant_usage (tenant, measure, since, amount)
            VALUES (OLD.tenant, 'training_seconds', date_trunc('month', now(), 'UTC'),
                    extract(epoch FROM now() - OLD.held_since))
            ON CONFLICT (tenant, measure, since) DO UPDATE SET amount = tenant_usage.amount + EXCLUDED.amount;
            NEW.held_since = NULL;
        ELSIF NEW.lease_until IS NOT NULL AND OLD.lease_until IS NULL THEN
            NEW.held_since = now();
        END IF;
        RETURN NEW;
    END $$
"""


def upgrade() -> None:
    op.execute(MAKE_ROLE)
    time, now = sa.DateTime(timezone=True), sa.text("now()")
    op.create_table(
        "tenants",
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("limits", postgresql.JSONB(), server_default=sa.text("'{}'"), nullable=False),
        sa.Column("created_at", time, server_default=now, nullable=False),
        sa.CheckConstraint("jsonb_typeof(limits) = 'object'", name=op.f("ck_tenants_limits")),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_tenants")),
    )
    op.create_table(
        "tenant_usage",
        sa.Column("tenant", sa.Text(), nullable=False),
        sa.Column("measure", sa.Text(), nullable=False),
        sa.Column("since", time, nullable=False),
        sa.Column("amount", sa.Double(), nullable=False),
        sa.CheckConstraint("measure IN ('training_seconds', 'samples')", name=op.f("ck_tenant_usage_measure")),
        sa.ForeignKeyConstraint(["tenant"], ["tenants.name"], name=op.f("fk_tenant_usage_tenant"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("tenant", "measure", "since", name=op.f("pk_tenant_usage")),
    )
    op.execute("LOCK TABLE jobs, api_keys IN ACCESS EXCLUSIVE MODE")
    op.execute(
        """
        INSERT INTO tenants (name, created_at)
        SELECT tenant, min(created_at)
          FROM (SELECT tenant, created_at FROM jobs UNION ALL SELECT tenant, created_at FROM api_keys
                UNION ALL SELECT 'default', now()) AS known
         GROUP BY tenant
        """
    )
    op.add_column("api_keys", sa.Column("replaced_by", sa.Text(collation="C")))
    op.create_foreign_key(op.f("fk_api_keys_replaced_by"), "api_keys", "api_keys", ["replaced_by"], ["id"])
    op.add_column("jobs", sa.Column("held_since", time))
    op.execute("UPDATE jobs SET held_since = now() WHERE lease_until IS NOT NULL")
    op.execute(ADD_TENANT)
    for table in ("jobs", "api_keys"):
        op.create_foreign_key(op.f(f"fk_{table}_tenant"), table, "tenants", ["tenant"], ["name"])
        op.execute(f"CREATE TRIGGER add_tenant BEFORE INSERT ON {table} FOR EACH ROW EXECUTE FUNCTION add_tenant()")
    op.execute(COUNT_TRAINING)
    op.execute(
        "CREATE TRIGGER count_training BEFORE UPDATE OF lease_until ON jobs "
        "FOR EACH ROW EXECUTE FUNCTION count_training()"
    )
    for table, rights in RIGHTS.items():
        op.execute(f"GRANT {rights} ON {table} TO {ROLE}")
    for table, sees in POLICIES.items():
        op.execute(f"ALTER TABLE {table} ENABLE ROW LEVEL SECURITY")
        op.execute(f"CREATE POLICY tenant ON {table} TO {ROLE} USING ({sees.format(table=table)})")


def downgrade() -> None:
    for table in POLICIES:
        op.execute(f"DROP POLICY tenant ON {table}")
        op.execute(f"ALTER TABLE {table} DISABLE ROW LEVEL SECURITY")
    for table in RIGHTS:
        op.execute(f"REVOKE ALL ON {table} FROM {ROLE}")
    op.execute(f"REVOKE INSERT (name) ON tenants FROM {ROLE}")
    op.execute("DROP TRIGGER count_training ON jobs")
    op.execute("DROP FUNCTION count_training()")
    for table in ("jobs", "api_keys"):
        op.execute(f"DROP TRIGGER add_tenant ON {table}")
        op.drop_constraint(op.f(f"fk_{table}_tenant"), table)
    op.execute("DROP FUNCTION add_tenant()")
    op.drop_column("jobs", "held_since")
    op.drop_column("api_keys", "replaced_by")
    op.drop_table("tenant_usage")
    op.drop_table("tenants")
    # The role stays: other databases of this server may use it.
