"""Deletion: tombstones, generators without contents, and what tenants have stored by kind.

The version before goes on beside it: triggers count the files of what it publishes and releases; of a generator that
was deleted its reaper still sees the row, and so leaves the report of the same attempt alone; and what the policies
hide of a tenant does not exist for its api.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision: str = "0011"
down_revision: str | None = "0010"

ROLE = "lethe_tenant"
OWN = "tenant = current_setting('lethe.tenant', true)"
BYTES = "coalesce((SELECT sum((value ->> 'size')::bigint) FROM jsonb_each({files})), 0)"
# Of whatever column names files, also one that is added later.
OF_ROW = "(SELECT sum({each}) FROM (VALUES ('files'), ('pair')) AS named (name))".format(
    each=BYTES.format(files="coalesce(to_jsonb({row}) -> name, '{{}}')")
)
COUNT_GENERATOR = f"""
    CREATE FUNCTION count_generator_files() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
        IF TG_OP <> 'INSERT' AND OLD.deleted_at IS NULL THEN
            INSERT INTO storage_counts (tenant, kind, objects, bytes)
            VALUES (OLD.tenant, OLD.status, -1, -{OF_ROW.format(row="OLD")});
        END IF;
        IF TG_OP <> 'DELETE' AND NEW.deleted_at IS NULL THEN
            INSERT INTO storage_counts (tenant, kind, objects, bytes)
            VALUES (NEW.tenant, NEW.status, 1, {OF_ROW.format(row="NEW")});
        END IF;
        RETURN NULL;
    END $$
"""
# A report's tenant is its job's, which is still there: deleting the job comes after.
COUNT_REPORT = f"""
    CREATE FUNCTION count_report_files() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
        IF TG_OP = 'INSERT' THEN
            INSERT INTO storage_counts (tenant, kind, objects, bytes)
            SELECT tenant, 'reports', 1, {BYTES.format(files="NEW.files")} FROM jobs WHERE id = NEW.job_id;
        ELSE
            INSERT INTO storage_counts (tenant, kind, objects, bytes)
            SELECT tenant, 'reports', -1, -{BYTES.format(files="OLD.files")} FROM jobs WHERE id = OLD.job_id;
        END IF;
        RETURN NULL;
    END $$
"""
COUNT_LEFTOVERS = """
    CREATE FUNCTION count_leftovers() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
        IF TG_OP <> 'INSERT' AND OLD.files_removed_at IS NULL THEN
            INSERT INTO storage_counts (tenant, kind, objects, bytes) VALUES (OLD.tenant, 'leftovers', -1, -OLD.bytes);
        END IF;
        IF TG_OP <> 'DELETE' AND NEW.files_removed_at IS NULL THEN
            INSERT INTO storage_counts (tenant, kind, objects, bytes) VALUES (NEW.tenant, 'leftovers', 1, NEW.bytes);
        END IF;
        RETURN NULL;
    END $$
"""
THERE = f"""
    INSERT INTO storage_counts (tenant, kind, objects, bytes)
    SELECT tenant, kind, count(*), sum(bytes)
      FROM (SELECT tenant, status AS kind, {BYTES.format(files="generators.files")} AS bytes FROM generators
             WHERE tenant <> ''
            UNION ALL
            SELECT jobs.tenant, 'reports', {BYTES.format(files="reports.files")}
              FROM reports JOIN jobs ON jobs.id = reports.job_id) AS stored
     GROUP BY tenant, kind
"""
TRIGGERS = {
    "count_generator_files": ("generators", "INSERT OR DELETE OR UPDATE OF status, deleted_at"),
    "count_report_files": ("reports", "INSERT OR DELETE"),
    "count_leftovers": ("tombstones", "INSERT OR DELETE OR UPDATE OF files_removed_at"),
}


def upgrade() -> None:
    time, now = sa.DateTime(timezone=True), sa.text("now()")
    ident = sa.Text(collation="C")
    op.create_table(
        "tombstones",
        sa.Column("id", ident, nullable=False),
        sa.Column("tenant", sa.Text(), nullable=False),
        sa.Column("deleted", ident, nullable=False),
        sa.Column("job_id", ident, nullable=False),
        sa.Column("attempt", sa.Integer()),
        sa.Column("deleted_at", time, server_default=now, nullable=False),
        sa.Column("statement", sa.Text(), nullable=False),
        sa.Column("bytes", sa.BigInteger(), nullable=False),
        sa.Column("files_removed_at", time),
        sa.CheckConstraint("bytes >= 0", name=op.f("ck_tombstones_bytes")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_tombstones")),
        sa.UniqueConstraint("deleted", name=op.f("uq_tombstones_deleted")),
    )
    op.create_index(op.f("ix_tombstones_tenant_id"), "tombstones", ["tenant", "id"])
    op.create_index("ix_tombstones_files", "tombstones", ["id"], postgresql_where=sa.text("files_removed_at IS NULL"))
    op.create_table(
        "storage_counts",
        sa.Column("id", sa.BigInteger(), sa.Identity(), nullable=False),
        sa.Column("tenant", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("objects", sa.BigInteger(), nullable=False),
        sa.Column("bytes", sa.BigInteger(), nullable=False),
        sa.CheckConstraint(
            "kind IN ('published', 'withheld', 'reports', 'leftovers')", name=op.f("ck_storage_counts_kind")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_storage_counts")),
    )
    op.create_index(op.f("ix_storage_counts_tenant"), "storage_counts", ["tenant"])
    op.create_table(
        "work_folders",
        sa.Column("place", sa.Text(), nullable=False),
        sa.Column("tenant", sa.Text(), nullable=False),
        sa.Column("objects", sa.BigInteger(), nullable=False),
        sa.Column("bytes", sa.BigInteger(), nullable=False),
        sa.Column("measured_at", time, server_default=now, nullable=False),
        sa.PrimaryKeyConstraint("place", "tenant", name=op.f("pk_work_folders")),
    )
    op.execute("LOCK TABLE generators, reports, idempotency_keys IN ACCESS EXCLUSIVE MODE")
    op.add_column("generators", sa.Column("deleted_at", time))
    op.create_check_constraint(
        op.f("ck_generators_deleted"),
        "generators",
        "deleted_at IS NULL OR (files = '{}' AND forget = '[]' AND record = '')",
    )
    op.create_index(op.f("ix_idempotency_keys_job_id"), "idempotency_keys", ["job_id"])
    op.execute(THERE)
    for function in (COUNT_GENERATOR, COUNT_REPORT, COUNT_LEFTOVERS):
        op.execute(function)
    for name, (table, when) in TRIGGERS.items():
        op.execute(f"CREATE TRIGGER {name} AFTER {when} ON {table} FOR EACH ROW EXECUTE FUNCTION {name}()")
    op.execute(f"ALTER POLICY tenant ON generators USING ({OWN} AND deleted_at IS NULL)")
    op.execute(f"GRANT SELECT ON tombstones, work_folders TO {ROLE}")
    op.execute(f"GRANT SELECT, INSERT ON storage_counts TO {ROLE}")  # a release moves a generator's files
    for table in ("tombstones", "storage_counts", "work_folders"):
        op.execute(f"ALTER TABLE {table} ENABLE ROW LEVEL SECURITY")
        op.execute(f"CREATE POLICY tenant ON {table} TO {ROLE} USING ({OWN})")


def downgrade() -> None:
    op.execute("LOCK TABLE generators, reports, idempotency_keys IN ACCESS EXCLUSIVE MODE")
    op.execute(f"ALTER POLICY tenant ON generators USING ({OWN})")
    for name, (table, _) in TRIGGERS.items():
        op.execute(f"DROP TRIGGER {name} ON {table}")
        op.execute(f"DROP FUNCTION {name}()")
    # The version before would show a generator without contents, and without its row its reaper would remove the report
    # of the same attempt: so the row becomes nobody's.
    op.execute("UPDATE generators SET tenant = '' WHERE deleted_at IS NOT NULL")
    op.drop_index(op.f("ix_idempotency_keys_job_id"), "idempotency_keys")
    op.drop_constraint(op.f("ck_generators_deleted"), "generators")
    op.drop_column("generators", "deleted_at")
    for table in ("work_folders", "storage_counts", "tombstones"):
        op.drop_table(table)
