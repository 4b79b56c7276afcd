"""Who asks, and whether they may: API keys as bearer tokens, or in the dashboard's cookie.

With ``LETHE_AUTH=none`` everybody on this machine is the tenant ``default`` and may do everything. Then the browser is
the one stranger: any web page can make it send requests to a local address, so a request that a browser marks as
another site's is refused, and so is one for a host name that is not this machine's (DNS rebinding).
"""

from __future__ import annotations

import hashlib
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated
from urllib.parse import urlsplit

from fastapi import Depends, Request
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from starlette.concurrency import run_in_threadpool

from api.problems import Problem
from jobs.errors import InvalidKey
from jobs.keys import ApiKey, Scope
from jobs.settings import is_loopback

COOKIE = "lethe_session"
"""Holds the API key itself: HttpOnly and SameSite=Strict, so no script reads it and no other site sends it. Looked up
at every request like a bearer token, so revoking the key ends the session."""
REMEMBER_SECONDS = 2.0
"""For how long a key that was found good is not looked up again: the most that a revocation can lag."""
_REMEMBER_KEYS = 1000
_SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})


@dataclass(frozen=True)
class Identity:
    """The one who asks. ``secret`` is the key as it was sent, to be checked again while a stream is open."""

    tenant: str
    scopes: frozenset[str]
    name: str | None = None
    key_id: str | None = None
    secret: str | None = None

    def may(self, scope: Scope) -> bool:
        """Return whether this identity has the scope; ``admin`` has all."""
        return scope in self.scopes or "admin" in self.scopes


ANYBODY = Identity("default", frozenset({"admin"}))
"""Who everybody is with ``LETHE_AUTH=none``."""


class Authenticator:
    """The way from a request to an :class:`Identity`.

    Args:
        keys: whether API keys are needed.
        look_up: asks the store for a key by its secret; raises ``InvalidKey``.
        clock: seconds, monotonic.
    """

    def __init__(
        self, keys: bool, look_up: Callable[[str], ApiKey], clock: Callable[[], float] = time.monotonic
    ) -> None:
        self.keys = keys
        self._look_up = look_up
        self._clock = clock
        self._good: dict[bytes, tuple[float, Identity]] = {}
        self._lock = threading.Lock()

    def identify(self, secret: str) -> Identity:
        """Find whose key this is. Asks the database at most every ``REMEMBER_SECONDS`` for one key.

        Raises:
            Problem: ``unauthenticated``.
        """
        digest = hashlib.sha256(secret.encode("utf-8", "replace")).digest()
        now = self._clock()
        known = self._good.get(digest)
        if known is not None and known[0] > now:
            return known[1]
        try:
            key = self._look_up(secret)
        except InvalidKey as error:
            with self._lock:
                self._good.pop(digest, None)
            raise Problem("unauthenticated", error.message) from None
        identity = Identity(key.tenant, frozenset(key.scopes), key.name, key.id, secret)
        with self._lock:
            if len(self._good) >= _REMEMBER_KEYS:
                self._good = {kept: value for kept, value in self._good.items() if value[0] > now}
            if len(self._good) < _REMEMBER_KEYS:
                self._good[digest] = (now + REMEMBER_SECONDS, identity)
        return identity

    def still(self, identity: Identity, scope: Scope) -> bool:
        """Return whether an identity that was let in would be let in now."""
        if not self.keys:
            return True
        try:
            return self.identify(identity.secret or "").may(scope)
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
        secret = bearer
        if secret is None and (secret := request.cookies.get(COOKIE)) is not None:
            refuse_other_sites(request)
        if secret is None:
            raise Problem("unauthenticated", "send an API key as `Authorization: Bearer lethe_...`")
        identity = await run_in_threadpool(self.identify, secret)
        request.state.key_id = identity.key_id
        return identity


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
    same_origin = origin is None or urlsplit(origin).netloc == request.headers.get("host")
    if not (same_site and same_origin):
        raise Problem("forbidden", "this request comes from another site's page")


def refuse_other_names(request: Request) -> None:
    """Refuse a request for a host name that is not this machine's own.

    Raises:
        Problem: ``forbidden``.
    """
    host = urlsplit("//" + request.headers.get("host", "")).hostname
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
