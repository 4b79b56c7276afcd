"""The second wall between tenants: row-level security. Behind it a transaction sees and writes the rows of one tenant
alone, whatever its queries say or forget.

The wall is a role, ``lethe_tenant``, and a setting, ``lethe.tenant``, that policies compare rows with. Both are set for
the transaction alone (``jobs.database``), so that a pooler may give the connection to anybody afterwards.
"""

from __future__ import annotations

from collections.abc import Mapping

from sqlalchemy import Connection, Engine

ROLE = "lethe_tenant"
"""What a transaction behind the wall runs as. It logs in nowhere and owns nothing."""
SETTING = "lethe.tenant"
NOBODY = ""
"""No tenant's name: behind the wall, nothing is seen."""
_OPTION = "lethe_tenant"


def behind(engine: Engine, tenant: str | None) -> Engine:
    """Return ``engine`` with the wall before every transaction, through which ``tenant`` alone is seen. ``None``: as
    it is. Connections are the same."""
    return engine if tenant is None else engine.execution_options(**{_OPTION: tenant})


def settings_of(connection: Connection) -> Mapping[str, str]:
    """Return what Postgres is to be told in each transaction of ``connection``."""
    tenant = connection.get_execution_options().get(_OPTION)
    return {} if tenant is None else {SETTING: tenant, "role": ROLE}
