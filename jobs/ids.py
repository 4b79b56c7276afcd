"""Identifiers: a prefix that says what is meant, and a UUIDv7, so that sorting by id is sorting by time."""

from __future__ import annotations

import re
import secrets
import time
import uuid
from typing import Literal

Kind = Literal["job", "gen", "key", "evt", "hook", "dlv", "del"]

_ID = re.compile(r"(job|gen|key|evt|hook|dlv|del)_[0-9a-f]{32}\Z")


def new_id(kind: Kind) -> str:
    """Make a fresh id such as ``job_0197c2...``: ``kind``, an underscore and a UUIDv7 without dashes."""
    return f"{kind}_{_uuid7().hex}"


def first_id(kind: Kind, at: float) -> str:
    """Return what no id of this kind that is made from ``at`` on sorts before, in seconds since 1970."""
    milliseconds = min(max(0, int(at * 1000)), 2**48 - 1)
    return f"{kind}_{milliseconds << 80:032x}"


def is_id(kind: Kind, text: str) -> bool:
    """Return whether ``text`` has the form of an id of this kind. What has not is nowhere in the store: no need to
    ask."""
    return _ID.match(text) is not None and text.startswith(f"{kind}_")


def _uuid7() -> uuid.UUID:
    """RFC 9562, section 5.7, with the fraction of the millisecond in ``rand_a`` (its method 3): ids made one after
    another by one process are in order even within a millisecond. Python has this from 3.14 on."""
    milliseconds, rest = divmod(time.time_ns(), 1_000_000)
    fraction = rest * 4096 // 1_000_000  # 12 bits
    value = milliseconds << 80 | 0x7 << 76 | fraction << 64 | 0b10 << 62 | secrets.randbits(62)
    return uuid.UUID(int=value)
