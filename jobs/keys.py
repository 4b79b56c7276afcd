"""API keys: made, checked, replaced, revoked. The secret is shown once and never stored.

What is stored is its plain SHA-256. A password needs a slow, salted hash because people choose guessable ones; these
secrets are 240 random bits, which nobody guesses from the hash however fast it is, and a fast hash lets every request
be checked against the table itself, so that a revocation holds from the next request on.
"""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Literal, get_args

from sqlalchemy import Connection, Engine, Row, Select, func, insert, select, update

from jobs import audit, rows
from jobs.audit import OPERATOR, Action, Actor
from jobs.errors import InvalidKey, KeyConflict, KeyNotFound
from jobs.ids import is_id, new_id
from jobs.schema import api_keys
from jobs.tenants import check_name

Scope = Literal["submit", "read", "admin", "metrics"]
"""``admin`` is everything within a tenant; ``metrics`` are the whole service's, and nobody's beside."""
SCOPES: frozenset[str] = frozenset(get_args(Scope))

SECRET_PREFIX = "lethe_"
"""What secret scanners can look for."""
_SECRET_BYTES = 30  # 40 characters
_SHOWN = len(SECRET_PREFIX) + 6
MOST_OVERLAP = timedelta(days=366)
_LAST_USED_PRECISION = timedelta(minutes=1)


@dataclass(frozen=True)
class ApiKey:
    """A key as it is stored. ``prefix``: the start of the secret, to tell keys apart. ``replaced_by``: the id of the
    key that :func:`rotate` made in its place."""

    id: str
    tenant: str
    name: str
    prefix: str
    scopes: frozenset[str]
    created_at: datetime
    expires_at: datetime | None
    revoked_at: datetime | None
    last_used_at: datetime | None
    replaced_by: str | None

    def allows(self, scope: Scope) -> bool:
        """Return whether the key may be used for ``scope``."""
        return allowed(self.scopes, scope)


def allowed(scopes: frozenset[str], scope: Scope) -> bool:
    """Return whether a key with ``scopes`` may be used for ``scope``."""
    return scope in scopes or ("admin" in scopes and scope != "metrics")


def create(
    engine: Engine,
    tenant: str,
    name: str,
    scopes: Iterable[str],
    expires_at: datetime | None = None,
    by: Actor = OPERATOR,
) -> tuple[ApiKey, str]:
    """Make a key. The second value is its secret, which cannot be had again. The first key of a tenant makes the
    tenant, without limits.

    Raises:
        ValueError: for a tenant or a name that is none, no scope or an unknown one, or an ``expires_at`` without a time
            zone.
    """
    check_name(tenant)
    if not 1 <= len(name) <= 100 or not name.isprintable():
        raise ValueError(f"a key's name has 1 to 100 characters, none of them a line end, not {name[:120]!r}")
    wanted = frozenset(scopes)
    if not wanted or wanted - SCOPES:
        raise ValueError(
            f"scopes must be some of {', '.join(sorted(SCOPES))}, not {', '.join(sorted(wanted)) or 'none'}"
        )
    if expires_at is not None and expires_at.tzinfo is None:
        raise ValueError("expires_at needs a time zone")
    with engine.begin() as connection:
        key, secret = _insert(connection, tenant, name, sorted(wanted), expires_at)
        _write(connection, by, Action.KEY_CREATE, key)
    return key, secret


def rotate(
    engine: Engine, which: str, tenant: str, overlap: timedelta, by: Actor = OPERATOR
) -> tuple[ApiKey, ApiKey, str]:
    """Make a key in the place of another, with its name, its scopes and as long a life. The other one goes on for
    ``overlap``, or until it expires if that is sooner. Returns the new key, the old one and the new one's secret.

    Args:
        which: the id of a key of any tenant, or the name of the one key of ``tenant`` that is valid and has it.

    Raises:
        ValueError: ``overlap`` is less than nothing, or more than a year.
        KeyNotFound: there is no such key.
        KeyConflict: it has ended or was replaced already, or several have this name.
    """
    if not timedelta(0) <= overlap <= MOST_OVERLAP:
        raise ValueError(f"the overlap must be from 0 to {MOST_OVERLAP.days * 24} hours")
    with engine.begin() as connection:
        old = _to_rotate(connection, which, tenant)
        expires_at = None if old.expires_at is None else func.now() + (old.expires_at - old.created_at)
        new, secret = _insert(connection, old.tenant, old.name, old.scopes, expires_at)
        ends = func.least(api_keys.c.expires_at, rows.from_now(overlap.total_seconds()))  # which leaves null out
        query = update(api_keys).where(api_keys.c.id == old.id).values(replaced_by=new.id, expires_at=ends)
        replaced = _to_key(connection.execute(query.returning(*api_keys.c)).one())
        _write(connection, by, Action.KEY_ROTATE, replaced)
    return new, replaced, secret


def _to_rotate(connection: Connection, which: str, tenant: str) -> Row[*tuple[Any, ...]]:
    by_id = is_id("key", which)
    named = (api_keys.c.id == which,) if by_id else (api_keys.c.tenant == tenant, api_keys.c.name == which)
    ended = (api_keys.c.revoked_at.is_not(None) | (api_keys.c.expires_at <= func.now())).label("ended")
    found = connection.execute(select(*api_keys.c, ended).where(*named).with_for_update()).all()
    usable = [row for row in found if not row.ended and row.replaced_by is None]
    if not found:
        raise KeyNotFound(f"there is no API key {which!r}" + ("" if by_id else f" of tenant {tenant!r}"))
    if not usable:
        replaced = next((row.replaced_by for row in found if row.replaced_by is not None), None)
        why = "has ended" if replaced is None else f"was replaced by {replaced}"
        raise KeyConflict(f"the API key {which!r} {why}: `lethe keys create` makes another")
    if len(usable) > 1:
        raise KeyConflict(
            f"several API keys have the name {which!r}: give the id, of {', '.join(r.id for r in usable)}"
        )
    (only,) = usable
    return only


def _insert(
    connection: Connection, tenant: str, name: str, scopes: Iterable[str], expires_at: Any
) -> tuple[ApiKey, str]:
    secret = SECRET_PREFIX + secrets.token_urlsafe(_SECRET_BYTES)
    values = {
        "id": new_id("key"),
        "tenant": tenant,
        "name": name,
        "prefix": secret[:_SHOWN],
        "key_sha256": digest(secret),
        "scopes": list(scopes),
        "expires_at": expires_at,
    }
    return _to_key(connection.execute(insert(api_keys).values(values).returning(*api_keys.c)).one()), secret


def authenticate(engine: Engine, secret: str) -> ApiKey:
    """Find the key of a secret.

    Raises:
        InvalidKey: it is unknown, revoked or expired.
    """
    return unrevoked(engine, select(api_keys).where(api_keys.c.key_sha256 == digest(secret)))


def unrevoked(engine: Engine, query: Select[Any]) -> ApiKey:
    """Return the key that ``query`` finds, and note that it was used, to the minute.

    Raises:
        InvalidKey: it finds none, or one that is revoked or expired.
    """
    expired = (api_keys.c.expires_at <= func.now()).label("expired")
    unnoted = func.coalesce(api_keys.c.last_used_at < func.now() - _LAST_USED_PRECISION, True).label("unnoted")
    with engine.begin() as connection:
        row = connection.execute(query.add_columns(expired, unnoted)).one_or_none()
        if row is None:
            raise InvalidKey("the API key is not known", reason="unknown")
        if row.revoked_at is not None:
            raise InvalidKey("the API key was revoked", reason="revoked")
        if row.expired:
            raise InvalidKey("the API key has expired", reason="expired")
        if row.unnoted:
            connection.execute(update(api_keys).where(api_keys.c.id == row.id).values(last_used_at=func.now()))
    return _to_key(row)


def revoke(engine: Engine, key_id: str, tenant: str | None = None, by: Actor = OPERATOR) -> ApiKey:
    """Revoke a key, effective from the next request. Revoking it twice keeps the first time.

    Raises:
        KeyNotFound: there is none, or it is another tenant's.
    """
    query = update(api_keys).where(api_keys.c.id == key_id)
    if tenant is not None:
        query = query.where(api_keys.c.tenant == tenant)
    query = query.values(revoked_at=func.coalesce(api_keys.c.revoked_at, func.now()))
    ended_now = (api_keys.c.revoked_at == func.now()).label("ended_now")
    if is_id("key", key_id):
        with engine.begin() as connection:
            row = connection.execute(query.returning(*api_keys.c, ended_now)).one_or_none()
            if row is not None:
                key = _to_key(row)
                if row.ended_now:
                    _write(connection, by, Action.KEY_REVOKE, key)
                return key
    raise KeyNotFound(f"there is no API key {key_id!r}")


def list_keys(engine: Engine, tenant: str | None = None) -> list[ApiKey]:
    """List the keys of a tenant (``None``: of all), newest first, those that ended included."""
    query = select(api_keys).order_by(api_keys.c.id.desc())
    if tenant is not None:
        query = query.where(api_keys.c.tenant == tenant)
    with engine.connect() as connection:
        return [_to_key(row) for row in connection.execute(query)]


def _write(connection: Connection, by: Actor, action: Action, key: ApiKey) -> None:
    """Tell the audit log of a key: what it is now."""
    ends = None if key.expires_at is None else key.expires_at.isoformat()
    scopes = ", ".join(sorted(key.scopes))
    said = {"name": key.name, "scopes": scopes, "expires_at": ends, "replaced_by": key.replaced_by}
    audit.write(connection, by, action, key.tenant, key.id, details=said)


def digest(secret: str) -> str:
    """Return what is stored of a secret: its SHA-256 in hexadecimal."""
    return hashlib.sha256(secret.encode("utf-8", "surrogatepass")).hexdigest()


def _to_key(row: Row[Any]) -> ApiKey:
    return ApiKey(
        row.id,
        row.tenant,
        row.name,
        row.prefix,
        frozenset(row.scopes),
        row.created_at,
        row.expires_at,
        row.revoked_at,
        row.last_used_at,
        row.replaced_by,
    )
