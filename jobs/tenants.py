"""Tenants: who has jobs, and how much of the service each may use."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Engine, Row, select, update
from sqlalchemy.dialects.postgresql import insert

from jobs import audit
from jobs.audit import OPERATOR, Action, Actor
from jobs.errors import TenantExists, TenantNotFound
from jobs.schema import tenants

DEFAULT = "default"
"""Whose everything is where there are no keys."""
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._@-]{0,63}")
MOST = 2**53
"""Of any limit: what every JSON reader holds exactly."""


@dataclass(frozen=True)
class Limits:
    """Limits of what a tenant may use. ``None``: as much as there is."""

    queued_jobs: int | None = None
    running_jobs: int | None = None
    training_minutes: int | None = None
    """A calendar month, by UTC: the time for which workers hold jobs."""
    stored_bytes: int | None = None
    samples_per_minute: int | None = None
    """Images."""

    def to_json(self) -> dict[str, int]:
        """Return it as it is stored: what is limited."""
        return {name: value for name, value in asdict(self).items() if value is not None}


LIMITS = tuple(field.name for field in fields(Limits))


@dataclass(frozen=True)
class Tenant:
    """A tenant as it is stored."""

    name: str
    limits: Limits
    created_at: datetime


def check_name(name: str) -> str:
    """Return ``name`` if a tenant can have it.

    Raises:
        ValueError: it is none.
    """
    if not _NAME.fullmatch(name):
        what = "1 to 64 letters, digits, '.', '_', '@' and '-', the first a letter or digit"
        raise ValueError(f"a tenant has {what}, not {name[:80]!r}")
    return name


def check_limits(values: Mapping[str, Any]) -> dict[str, int | None]:
    """Return ``values`` if they are limits by name; ``None`` lifts one.

    Raises:
        ValueError: with each that is none, and what would be right.
    """
    wrong = [f"{name!r} is no limit: there are {', '.join(LIMITS)}" for name in values if name not in LIMITS]
    wrong += [
        f"{name} must be a whole number from 0 to {MOST}, or none, not {value!r}"
        for name, value in values.items()
        if name in LIMITS and value is not None and (type(value) is not int or not 0 <= value <= MOST)
    ]
    if wrong:
        raise ValueError("; ".join(wrong))
    return dict(values)


def create(engine: Engine, name: str, limits: Mapping[str, Any] | None = None, by: Actor = OPERATOR) -> Tenant:
    """Make a tenant. One is also made by its first API key, without limits.

    Raises:
        ValueError: for a name or limits that are none.
        TenantExists: there is one of this name.
    """
    values = {"name": check_name(name), "limits": Limits(**check_limits(limits or {})).to_json()}
    with engine.begin() as connection:
        made = insert(tenants).values(values).on_conflict_do_nothing().returning(*tenants.c)
        row = connection.execute(made).one_or_none()
        if row is not None:
            audit.write(
                connection, by, Action.TENANT_CREATE, name, name, after=audit.digest(row.limits), details=row.limits
            )
    if row is None:
        raise TenantExists(f"there is a tenant {name!r} already: `lethe tenants limit` changes its limits")
    return _to_tenant(row)


def limit(engine: Engine, name: str, limits: Mapping[str, Any], by: Actor = OPERATOR) -> Tenant:
    """Replace some of a tenant's limits, effective with the next request and the next claim; ``None`` lifts one.

    Raises:
        ValueError: for limits that are none.
        TenantNotFound: there is no such tenant.
    """
    changed = check_limits(limits)
    with engine.begin() as connection:
        row = connection.execute(select(tenants).where(tenants.c.name == name).with_for_update()).one_or_none()
        if row is None:
            raise TenantNotFound(f"there is no tenant {name!r}: `lethe tenants list` shows all")
        written = Limits(**{**row.limits, **changed}).to_json()
        query = update(tenants).where(tenants.c.name == name).values(limits=written).returning(*tenants.c)
        changed_to = _to_tenant(connection.execute(query).one())
        audit.write(
            connection,
            by,
            Action.TENANT_LIMIT,
            name,
            name,
            before=audit.digest(row.limits),
            after=audit.digest(written),
            details=changed,
        )
    return changed_to


def list_tenants(engine: Engine) -> list[Tenant]:
    """List all tenants by name."""
    with engine.connect() as connection:
        return [_to_tenant(row) for row in connection.execute(select(tenants).order_by(tenants.c.name))]


def limits_of(connection: Connection, name: str) -> Limits:
    """Return the limits of a tenant; one that does not exist yet has none."""
    found = connection.execute(select(tenants.c.limits).where(tenants.c.name == name)).scalar_one_or_none()
    return Limits(**(found or {}))


def _to_tenant(row: Row[Any]) -> Tenant:
    return Tenant(row.name, Limits(**row.limits), row.created_at)
