"""Around every request: its id, one line in the access log, its metrics, the security headers, and the answer to
what nobody foresaw. Plain ASGI, so that streams pass through untouched."""

from __future__ import annotations

import time
from collections.abc import Callable

from starlette.datastructures import Headers, MutableHeaders
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from api import problems
from api.logs import log, take_request_id
from api.metrics import Metrics

MAX_BODY_BYTES = 1 << 20

_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
_HEADERS = {
    "Cache-Control": "no-store",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
}
"""On every answer that does not set its own: pages and reports bring their own, wider Content-Security-Policy."""


_CLOSE = {"Connection": "close"}


class Observing:
    """The outermost layer of the application."""

    def __init__(self, app: ASGIApp, metrics: Metrics, answer: Callable[[Request, Exception], Response]) -> None:
        self.app = app
        self.metrics = metrics
        self.answer = answer

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request; anything but HTTP passes through."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        began = time.perf_counter()
        request_id = take_request_id(Headers(scope=scope).get("x-request-id"))
        status = 0
        sent = 0

        async def send_on(message: Message) -> None:
            nonlocal status, sent
            if message["type"] == "http.response.start":
                status = message["status"]
                headers = MutableHeaders(scope=message)
                headers["X-Request-ID"] = request_id
                for name, value in _HEADERS.items():
                    headers.setdefault(name, value)
                self.metrics.answered(_method(scope), _route(scope), status, time.perf_counter() - began)
            else:
                sent += len(message.get("body", b""))
            await send(message)

        try:
            await self.app(scope, receive, send_on)
        except Exception as error:
            answer = self.answer(Request(scope), error)
            if status:  # half of an answer is out: breaking the connection is the only way to say that it is not whole
                raise
            await answer(scope, receive, send_on)
        finally:
            if status == 0:
                status = 499  # the client left before there was an answer
            log.info(
                "request",
                method=scope["method"],
                path=scope["path"],
                route=_route(scope),
                status=status,
                bytes=sent,
                milliseconds=round((time.perf_counter() - began) * 1000, 2),
                client=scope["client"][0] if scope.get("client") else None,
                key=scope.get("state", {}).get("key_id"),
            )


class BodyLimit:
    """A limit on bodies: it refuses one of more than ``MAX_BODY_BYTES`` before it is read whole, whether or not its
    length is declared, and one whose length is said in two ways: what comes between might read it in the other, and
    take the rest for a request of its own (RFC 9112, 6.3)."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on, with its body counted."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        too_large = problems.Problem("too_large", f"a body may have {MAX_BODY_BYTES} bytes", limit=MAX_BODY_BYTES)
        headers = Headers(scope=scope)
        if "transfer-encoding" in headers and "content-length" in headers:
            twice = problems.Problem(
                "malformed", "the body's length is said twice: send Content-Length or Transfer-Encoding", headers=_CLOSE
            )
            await twice.response()(scope, receive, send)
            return
        declared = headers.get("content-length", "")
        if declared.isdecimal() and int(declared) > MAX_BODY_BYTES:
            await too_large.response()(scope, receive, send)
            return
        seen = 0

        async def receive_on() -> Message:
            nonlocal seen
            message = await receive()
            seen += len(message.get("body", b""))
            if seen > MAX_BODY_BYTES:
                raise HTTPException(413, too_large.detail)  # the framework lets only its own errors pass here
            return message

        await self.app(scope, receive_on, send)


def _method(scope: Scope) -> str:
    """The method, unless it is one that a client made up: each would make a metric of its own."""
    method: str = scope["method"]
    return method if method in _METHODS else "other"


def _route(scope: Scope) -> str:
    """The route's template, so that ids do not make a metric each."""
    route = scope.get("route")
    return getattr(route, "path", None) or "unmatched"
