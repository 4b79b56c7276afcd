"""Sessions of the dashboard: opened with an API key, ended by signing out, by the clock or with their key.

A browser's cookie holds a session's token, never the key; of the token too only the SHA-256 is stored.
"""

from __future__ import annotations

import secrets
from typing import Any

from sqlalchemy import Connection, Engine, Row, delete, func, insert, select

from jobs import audit, rows
from jobs.audit import Action, Actor
from jobs.keys import ApiKey, digest, unrevoked
from jobs.schema import api_keys, sessions

_TOKEN_BYTES = 30


def start(engine: Engine, key: ApiKey, seconds: float, request_id: str | None = None) -> str:
    """Open a session with ``key`` for at most so many seconds. Returns its token, which cannot be had again.
    ``request_id``: of the request that signs in, for the audit log."""
    token = secrets.token_urlsafe(_TOKEN_BYTES)
    values = {"token_sha256": digest(token), "key_id": key.id, "expires_at": rows.from_now(seconds)}
    with engine.begin() as connection:
        connection.execute(insert(sessions).values(values))
        _write(connection, Action.SESSION_START, key, request_id)
    return token


def authenticate(engine: Engine, token: str) -> ApiKey:
    """Find the key that a session was opened with.

    Raises:
        InvalidKey: the session is unknown or has ended, or its key is revoked or expired.
    """
    of_session = select(api_keys).join(sessions, sessions.c.key_id == api_keys.c.id)
    lasts = sessions.c.expires_at > func.now()
    return unrevoked(engine, of_session.where(sessions.c.token_sha256 == digest(token), lasts))


def end(engine: Engine, token: str, request_id: str | None = None) -> None:
    """End a session, if there is one of this token. ``request_id``: of the request that signs out."""
    ended = delete(sessions).where(sessions.c.token_sha256 == digest(token)).returning(sessions.c.key_id)
    with engine.begin() as connection:
        key_id = connection.execute(ended).scalar_one_or_none()
        if key_id is not None:
            key = connection.execute(select(api_keys).where(api_keys.c.id == key_id)).one()
            _write(connection, Action.SESSION_END, key, request_id)


def remove_ended(engine: Engine) -> int:
    """Remove the rows of sessions whose time is over. Returns how many."""
    with engine.begin() as connection:
        return connection.execute(delete(sessions).where(sessions.c.expires_at <= func.now())).rowcount


def _write(connection: Connection, action: Action, key: ApiKey | Row[Any], request_id: str | None) -> None:
    audit.write(connection, Actor(key.id, key.name, request_id), action, key.tenant, key.id)
