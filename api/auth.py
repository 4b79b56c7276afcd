"""Who asks, and whether they may: by an API key as bearer token, or by a session of the dashboard in its cookie.

With ``LETHE_AUTH=none`` everybody on this machine is the tenant ``default`` and may do everything. Then the browser is
the one stranger: any web page can make it send requests to a local address, so a request that a browser marks as
another site's is refused, and so is one for a host name that is not this machine's (DNS rebinding).
"""

from __future__ import annotations

import hashlib
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Annotated, Literal
from urllib.parse import urlsplit

from fastapi import Depends, Request
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from starlette.concurrency import run_in_threadpool

from api.logs import request_id
from api.problems import Problem
from jobs.audit import ANYBODY as ANY_ACTOR
from jobs.audit import Actor
from jobs.errors import InvalidKey
from jobs.keys import ApiKey, Scope, allowed
from jobs.settings import is_loopback

COOKIE = "lethe_session"
"""Holds the token of a session (``jobs.sessions``): HttpOnly and SameSite=Strict, so no script reads it and no other
site sends it. Looked up at every request, as a bearer token is, so signing out or revoking the key ends the session."""
REMEMBER_SECONDS = 2.0
"""For how long a key that was found good is not looked up again: the most that a revocation can lag."""
_REMEMBER_KEYS = 1000
_SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})


@dataclass(frozen=True)
class Credential:
    """The secret that somebody shows: an API key, or the token of a session."""

    kind: Literal["key", "session"]
    secret: str = field(repr=False)


@dataclass(frozen=True)
class Identity:
    """The one who asks. ``shown``: what with, to be checked again while a stream is open. ``key``: the API key behind
    it."""

    tenant: str
    scopes: frozenset[str]
    key: ApiKey | None = None
    shown: Credential | None = None

    def may(self, scope: Scope) -> bool:
        """Return whether this identity has the scope."""
        return allowed(self.scopes, scope)

    def named(self) -> str:
        """Return who it is, as a person and as a program can tell: a key's name may be given twice, its id is not."""
        if self.key is None:
            return "anybody on the service's machine (it asks for no API key)"
        return f"{self.key.name} ({self.key.id})"

    @property
    def actor(self) -> Actor:
        """Who the audit log says it was, in the request that is answered."""
        who = ANY_ACTOR if self.key is None else Actor(self.key.id, self.key.name)
        return replace(who, request_id=request_id())


ANYBODY = Identity("default", frozenset({"admin", "metrics"}))
"""Who everybody is with ``LETHE_AUTH=none``."""


class Authenticator:
    """The way from a request to an :class:`Identity`.

    Args:
        keys: whether API keys are needed.
        look_up: by kind of credential, asks the store for the API key behind a secret; raises ``InvalidKey``.
        clock: seconds, monotonic.
    """

    def __init__(
        self,
        keys: bool,
        look_up: Mapping[str, Callable[[str], ApiKey]],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.keys = keys
        self._look_up = look_up
        self._clock = clock
        self._good: dict[bytes, tuple[float, Identity]] = {}
        self._lock = threading.Lock()

    def identify(self, shown: Credential) -> Identity:
        """Find whose this is. Asks the database at most every ``REMEMBER_SECONDS`` for one credential.

        Raises:
            Problem: ``unauthenticated``.
        """
        digest, now = _digest(shown), self._clock()
        known = self._good.get(digest)
        if known is not None and known[0] > now:
            return known[1]
        try:
            key = self._look_up[shown.kind](shown.secret)
        except InvalidKey as error:
            with self._lock:
                self._good.pop(digest, None)
            raise Problem("unauthenticated", error.message) from None
        identity = Identity(key.tenant, frozenset(key.scopes), key, shown)
        with self._lock:
            if len(self._good) >= _REMEMBER_KEYS:
                self._good = {kept: value for kept, value in self._good.items() if value[0] > now}
            if len(self._good) < _REMEMBER_KEYS:
                self._good[digest] = (now + REMEMBER_SECONDS, identity)
        return identity

    def forget(self, shown: Credential) -> None:
        """Look this credential up again the next time: it has ended."""
        with self._lock:
            self._good.pop(_digest(shown), None)

    def still(self, identity: Identity, scope: Scope) -> bool:
        """Return whether an identity that was let in would be let in now."""
        if not self.keys:
            return True
        try:
            return identity.shown is not None and self.identify(identity.shown).may(scope)
        except Problem:
            return False
        except (DBAPIError, PoolTimeout):
            return True  # the database is away: nothing can be read, and the next time tells

    async def request(self, request: Request, bearer: str | None) -> Identity:
        """Say who sends this request.

        Raises:
            Problem: ``unauthenticated`` without a valid key, ``forbidden`` for a browser sent by another site.
        """
        if not self.keys:
            refuse_other_names(request)
            refuse_other_sites(request)
            return ANYBODY
        shown = None if bearer is None else Credential("key", bearer)
        if shown is None and (shown := session_of(request)) is not None:
            refuse_other_sites(request)
        if shown is None:
            raise Problem("unauthenticated", "send an API key as `Authorization: Bearer lethe_...`")
        identity = await run_in_threadpool(self.identify, shown)
        request.state.key_id = identity.key.id if identity.key else None
        return identity


def session_of(request: Request) -> Credential | None:
    """Return the session that a browser's cookie names."""
    token = request.cookies.get(COOKIE)
    return None if token is None else Credential("session", token)


def _digest(shown: Credential) -> bytes:
    return hashlib.sha256(f"{shown.kind} {shown.secret}".encode("utf-8", "replace")).digest()


def refuse_other_sites(request: Request) -> None:
    """Refuse a request that changes something and that a browser says another site has made it send.

    Raises:
        Problem: ``forbidden``.
    """
    if request.method in _SAFE_METHODS:
        return
    site = request.headers.get("sec-fetch-site")
    origin = request.headers.get("origin")
    same_site = site in (None, "same-origin", "none")
    same_origin = origin is None or host_in(origin) == request.headers.get("host")
    if not (same_site and same_origin):
        raise Problem("forbidden", "this request comes from another site's page")


def host_in(url: str, *, with_port: bool = True) -> str | None:
    """Return the host that a URL names, as it stands there or without port and brackets; ``None`` for what is no URL,
    and so nobody's."""
    try:
        parts = urlsplit(url)
    except ValueError:  # a bracket that is never closed, or that has no address in it
        return None
    return parts.netloc if with_port else parts.hostname


def refuse_other_names(request: Request) -> None:
    """Refuse a request for a host name that is not this machine's own.

    Raises:
        Problem: ``forbidden``.
    """
    host = host_in("//" + request.headers.get("host", ""), with_port=False)
    if host is None or not is_loopback(host):
        raise Problem("forbidden", "without API keys this service answers to localhost only: set LETHE_AUTH=keys")


_bearer = HTTPBearer(
    auto_error=False,
    scheme_name="key",
    description="An API key, where the service runs with `LETHE_AUTH=keys`: `lethe keys create` makes one.",
)


class Require:
    """A dependency: the identity of whoever asks, who must have ``scope``."""

    def __init__(self, scope: Scope) -> None:
        self.scope: Scope = scope

    async def __call__(
        self, request: Request, credentials: Annotated[HTTPAuthorizationCredentials | None, Depends(_bearer)]
    ) -> Identity:
        """The identity.

        Raises:
            Problem: ``unauthenticated`` or ``forbidden``.
        """
        authenticator: Authenticator = request.app.state.services.authenticator
        identity = await authenticator.request(request, credentials.credentials if credentials else None)
        if not identity.may(self.scope):
            raise Problem("forbidden", f"this API key does not have the scope `{self.scope}`")
        return identity


Reader = Annotated[Identity, Depends(Require("read"))]
Submitter = Annotated[Identity, Depends(Require("submit"))]
Administrator = Annotated[Identity, Depends(Require("admin"))]
Watcher = Annotated[Identity, Depends(Require("metrics"))]
