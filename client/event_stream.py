"""A job's events as they happen, over connections that may break: none missing, none twice."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator, Mapping
from typing import Any

import httpx

from client.answers import Event, read
from client.errors import BadAnswer, LetheError, TooMany, Unavailable
from client.server_sent import Decoder, Message
from client.transport import Pauses, Transport

NOTHING_FOLLOWS = 204
SILENCE = 45.0
"""Seconds without a byte after which a connection is given up; the service pings every 15."""
LONGEST_PAUSE = 2.0
"""Seconds between two attempts to connect again: somebody watches."""
PATIENCE = 60.0
"""Seconds that the service may be away before the stream gives up."""


def follow(transport: Transport, path: str, after: int, patience: float = PATIENCE) -> Iterator[Event]:
    """Yield the events after ``after``, until the service says that nothing follows because the job is over.

    However a connection ends, by the service at the end of the job or at its own restart, or by the network in the
    middle of an event, the next one says with ``Last-Event-ID`` what was seen last.

    Raises:
        LetheError: what the service refuses, or ``Unreachable`` after ``patience`` seconds without it.
    """
    last = after
    pauses = Pauses(LONGEST_PAUSE)
    alive = time.monotonic()
    while True:
        before = last
        broken: LetheError | None = None
        try:
            for event in _connection(transport, path, last):
                alive = time.monotonic()
                if event is None or event.seq <= last:
                    continue
                last = event.seq
                yield event
                pauses.reset()
                alive = time.monotonic()  # the reader's own time is not the service's silence
        except _Over:
            return
        except httpx.TransportError as error:
            broken = transport.unreachable(error)
        except (TooMany, Unavailable) as error:
            broken = error
        if broken is not None and time.monotonic() - alive > patience:
            raise broken
        if broken is not None or last == before:
            pauses.wait()


class _Over(Exception):
    """The job has ended and nothing follows what was seen."""


def _connection(transport: Transport, path: str, last: int) -> Iterator[Event | None]:
    """What one connection brings: an event, or None for bytes that complete none (a ping)."""
    headers = {"accept": "text/event-stream", "cache-control": "no-cache", "last-event-id": str(last)}
    with transport.stream(path, headers=headers, read_timeout=SILENCE) as answer:
        if answer.status_code == NOTHING_FOLLOWS:
            raise _Over
        if not answer.headers.get("content-type", "").startswith("text/event-stream"):
            raise BadAnswer(f"{transport.url}{path} does not stream events: is the URL that of a Lethe service?")
        decoder = Decoder()
        for chunk in answer.iter_bytes():
            yield None
            for message in decoder.feed(chunk):
                yield _event(message)


def _event(message: Message) -> Event:
    try:
        document: Any = json.loads(message.data)
    except ValueError:
        document = None
    if not isinstance(document, Mapping):
        raise BadAnswer(f"event {message.id!r} is not a JSON object")
    return read(Event, document)
