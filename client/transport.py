"""HTTP as the client needs it: one connection pool, retries that never do a thing twice, problems as errors."""

from __future__ import annotations

import contextlib
import random
import time
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from importlib.metadata import PackageNotFoundError, version
from typing import Any
from urllib.parse import urlsplit

import httpx

from client.errors import BadAnswer, Refused, Unreachable, from_answer

NOT_DONE = frozenset({429, 503})
"""The service did nothing and says when to come back."""
UNKNOWN = frozenset({502, 504})
"""Something in front of the service lost it; whether it did anything is not known."""
FIRST_PAUSE = 0.2
"""Seconds before the first retry; each later pause is twice as long, with jitter."""
LONGEST_PAUSE = 30.0
"""Seconds; a longer Retry-After is cut to this."""
_LOOPBACK = ("all://localhost", "all://127.0.0.1", "all://[::1]")

# Raised before a request can have reached the service, so that any request may be sent again.
_NOT_SENT = (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout)


class Transport:
    """Requests to one service. Safe to share between threads.

    ``timeout``: seconds for one step of a request (connect, send, wait for the next bytes). ``retries``: how often a
    request is sent again.
    """

    def __init__(self, url: str, api_key: str | None, timeout: float, retries: int) -> None:
        self.url = _checked(url).rstrip("/")
        self.timeout = timeout
        self.retries = retries
        headers = {"user-agent": f"lethe-client/{_version()}"}
        if api_key:
            headers["authorization"] = f"Bearer {api_key}"
        try:
            # A service on this machine is never asked through a proxy, whatever the environment says.
            self._http = httpx.Client(
                base_url=self.url, headers=headers, timeout=timeout, mounts=dict.fromkeys(_LOOPBACK)
            )
        except UnicodeEncodeError:
            raise Refused("the API key holds characters that no key has") from None

    def close(self) -> None:
        """Close every connection."""
        self._http.close()

    def request(
        self,
        method: str,
        path: str,
        *,
        repeatable: bool,
        params: Mapping[str, Any] | None = None,
        json: Any = None,
        headers: Mapping[str, str] | None = None,
        read_timeout: float | None = None,
    ) -> httpx.Response:
        """Send a request and return its answer, with a status below 300.

        ``repeatable``: the request may be sent again although the service may have done it already (a read, or one
        with an idempotency key). Without it only what surely was not done is sent again. ``read_timeout``: seconds
        for what takes the service longer than ``timeout``.

        Raises:
            LetheError: ``ApiError`` for a problem document, ``Unreachable`` when nothing answers.
        """
        pauses = Pauses()
        timeout = self._timeout(read_timeout)
        for left in range(self.retries, -1, -1):
            try:
                answer = self._http.request(method, path, params=params, json=json, headers=headers, timeout=timeout)
            except httpx.TransportError as error:
                if left and (repeatable or isinstance(error, _NOT_SENT)):
                    pauses.wait()
                    continue
                raise self.unreachable(error) from error
            if answer.status_code < 300:
                return answer
            if left and (answer.status_code in NOT_DONE or (repeatable and answer.status_code in UNKNOWN)):
                pauses.wait(retry_after(answer.headers))
                continue
            raise from_answer(answer.status_code, answer.headers.get("content-type", ""), answer.content)
        raise AssertionError("the last round returns or raises")

    def json(self, method: str, path: str, **options: Any) -> dict[str, Any]:
        """Send as :meth:`request` does, and return the answer's JSON object."""
        answer = self.request(method, path, **options)
        try:
            document = answer.json()
        except ValueError:
            document = None
        if not isinstance(document, dict):
            raise BadAnswer(f"{self.url}{path} did not answer with JSON: is the URL that of a Lethe service?")
        return document

    def pages(self, path: str, params: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
        """Yield every entry of a list, page after page as they are needed. ``params`` that are None are left out."""
        wanted = {name: value for name, value in params.items() if value is not None}
        while True:
            page = self.json("GET", path, repeatable=True, params=wanted)
            yield from page.get("data", ())
            if not page.get("has_more") or page.get("next") is None:
                return
            wanted["after"] = page["next"]

    @contextlib.contextmanager
    def stream(
        self, path: str, *, headers: Mapping[str, str] | None = None, read_timeout: float | None = None
    ) -> Iterator[httpx.Response]:
        """Yield an answer to be read as it comes. Not retried: the reader knows what it has. Raises as :meth:`request`,
        and ``httpx.TransportError`` as it is when the connection breaks while the answer is read."""
        with self._http.stream("GET", path, headers=headers, timeout=self._timeout(read_timeout)) as answer:
            if answer.status_code >= 300:
                answer.read()
                raise from_answer(answer.status_code, answer.headers.get("content-type", ""), answer.content)
            yield answer

    @contextlib.contextmanager
    def reading(self, path: str) -> Iterator[Iterator[bytes]]:
        """Yield the body of an answer in pieces. Raises as :meth:`request`, also when it breaks off halfway."""
        try:
            with self.stream(path) as answer:
                yield answer.iter_bytes()
        except httpx.TransportError as error:
            raise self.unreachable(error) from error

    def _timeout(self, read: float | None) -> httpx.Timeout:
        return httpx.Timeout(self.timeout, read=max(read or 0.0, self.timeout))

    def unreachable(self, error: Exception) -> Unreachable:
        """Return what a broken connection means to the caller."""
        return Unreachable(f"no answer from {self.url}: {str(error) or type(error).__name__}")


class Pauses:
    """Waits between retries: each twice as long as the one before, with jitter so that clients do not march in step."""

    def __init__(self, longest: float = LONGEST_PAUSE) -> None:
        self._next = FIRST_PAUSE
        self._longest = longest

    def wait(self, at_least: float = 0.0) -> None:
        """Sleep, ``at_least`` so many seconds up to the longest pause."""
        pause = self._next * random.uniform(0.75, 1.25)
        self._next *= 2
        time.sleep(min(max(pause, at_least), self._longest))

    def reset(self) -> None:
        """Start over, since something went well: the next pause is a short one again."""
        self._next = FIRST_PAUSE


def retry_after(headers: Mapping[str, str]) -> float:
    """Read the seconds that ``Retry-After`` asks for, given as a number or as a date; 0 without one."""
    value = headers.get("retry-after", "")
    if value.isdecimal():
        return float(value)
    try:
        return max(0.0, (parsedate_to_datetime(value) - datetime.now(UTC)).total_seconds())
    except (ValueError, TypeError):
        return 0.0


def _checked(url: str) -> str:
    try:
        parts = urlsplit(url)
        good = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        good = False
    if not good:
        raise Refused(f"{url!r} is not a URL such as http://127.0.0.1:8321")
    return url


def _version() -> str:
    try:
        return version("lethe")
    except PackageNotFoundError:
        return "0"
