"""The audit log: a hash-chained list for each tenant of who did what, to which nothing is done but adding.

The version before goes on beside it and writes no entries: what it does while a new one is rolled out is in no list.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision: str = "0010"
down_revision: str | None = "0008"

ROLE = "lethe_tenant"
WRITTEN = "tenant, actor, actor_name, action, object_id, before, after, request_id, details"
"""What a request may say of an entry. The rest is the chain's own."""
# Any number that nobody else uses for an advisory lock of this database, beside a tenant's own.
LOCK = 0x1E82
# RFC 8785: sorted keys, no spaces. What lies in ``details`` is text, whole numbers, booleans and null.
AUDIT_JSON = """
    CREATE FUNCTION audit_json(entry audit_log) RETURNS text LANGUAGE sql STABLE AS $$
        SELECT concat(
            '{"action":', to_json(entry.action),
            ',"actor":', to_json(entry.actor),
            ',"actor_name":', coalesce(to_json(entry.actor_name)::text, 'null'),
            ',"after":', coalesce(to_json(entry.after)::text, 'null'),
            ',"at":"', to_char(entry.at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"'),
            '","before":', coalesce(to_json(entry.before)::text, 'null'),
            ',"details":{', (SELECT string_agg(concat(to_json(key), ':', value), ',' ORDER BY key COLLATE "C")
                               FROM jsonb_each(entry.details)),
            '},"object":"audit_entry","object_id":', to_json(entry.object_id),
            ',"previous":', to_json(entry.previous),
            ',"request_id":', coalesce(to_json(entry.request_id)::text, 'null'),
            ',"seq":', entry.seq,
            ',"tenant":', to_json(entry.tenant), '}')
    $$
"""
# As the tables' owner, whoever inserts: the end of the chain is found, and nobody else has a say in it. Those who write
# into one tenant's chain take turns, each until its transaction ends.
CHAIN = f"""
    CREATE FUNCTION chain_audit_entry() RETURNS trigger LANGUAGE plpgsql
        SECURITY DEFINER SET search_path = %s, pg_temp AS $$
    BEGIN
        PERFORM pg_advisory_xact_lock({LOCK}, hashtext(NEW.tenant));
        SELECT seq, hash INTO NEW.seq, NEW.previous
          FROM audit_log WHERE tenant = NEW.tenant ORDER BY seq DESC LIMIT 1;
        NEW.seq = coalesce(NEW.seq, 0) + 1;
        NEW.previous = coalesce(NEW.previous, repeat('0', 64));
        NEW.at = clock_timestamp();
        NEW.hash = encode(sha256(convert_to(audit_json(NEW), 'UTF8')), 'hex');
        RETURN NEW;
    END $$
"""
REFUSE = """
    CREATE FUNCTION refuse_audit_change() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
        RAISE EXCEPTION 'the audit log is added to and never changed: % is refused', TG_OP
            USING ERRCODE = 'insufficient_privilege';
    END $$
"""


def upgrade() -> None:
    text, time = sa.Text(), sa.DateTime(timezone=True)
    op.create_table(
        "audit_log",
        sa.Column("tenant", text, nullable=False),
        sa.Column("seq", sa.BigInteger(), nullable=False),
        sa.Column("at", time, nullable=False),
        sa.Column("actor", text, nullable=False),
        sa.Column("actor_name", text),
        sa.Column("action", text, nullable=False),
        sa.Column("object_id", text, nullable=False),
        sa.Column("before", text),
        sa.Column("after", text),
        sa.Column("request_id", text),
        sa.Column("details", postgresql.JSONB(), server_default=sa.text("'{}'"), nullable=False),
        sa.Column("previous", text, nullable=False),
        sa.Column("hash", text, nullable=False),
        sa.CheckConstraint("jsonb_typeof(details) = 'object'", name=op.f("ck_audit_log_details")),
        sa.PrimaryKeyConstraint("tenant", "seq", name=op.f("pk_audit_log")),
    )
    for columns in (("action", "seq"), ("actor", "seq"), ("object_id", "seq"), ("at",)):
        op.create_index(op.f(f"ix_audit_log_tenant_{'_'.join(columns)}"), "audit_log", ["tenant", *columns])
    op.execute(AUDIT_JSON)
    schema = op.get_bind().execute(sa.text("SELECT quote_ident(current_schema())")).scalar_one()
    op.execute(CHAIN % schema)
    op.execute(
        "CREATE TRIGGER chain_audit_entry BEFORE INSERT ON audit_log FOR EACH ROW EXECUTE FUNCTION chain_audit_entry()"
    )
    op.execute(REFUSE)
    op.execute(
        "CREATE TRIGGER audit_log_is_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON audit_log "
        "FOR EACH STATEMENT EXECUTE FUNCTION refuse_audit_change()"
    )
    # Also where somebody has asked for no triggers: there is one way to lift it, and it names this one.
    op.execute("ALTER TABLE audit_log ENABLE ALWAYS TRIGGER audit_log_is_append_only")
    op.execute(f"GRANT SELECT, INSERT ({WRITTEN}) ON audit_log TO {ROLE}")
    op.execute("ALTER TABLE audit_log ENABLE ROW LEVEL SECURITY")
    op.execute(f"CREATE POLICY tenant ON audit_log TO {ROLE} USING (tenant = current_setting('lethe.tenant', true))")


def downgrade() -> None:
    op.execute("DROP FUNCTION audit_json(audit_log)")
    op.drop_table("audit_log")
    op.execute("DROP FUNCTION chain_audit_entry()")
    op.execute("DROP FUNCTION refuse_audit_change()")
