"""An exported audit log, held against its own hashes and against those that somebody has kept. Needs no database."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import orjson

from jobs.audit.entries import FIRST_PREVIOUS, canonical, hash_of


class AuditMismatch(Exception):
    """The first thing that does not hold of an audit log, in words that name where."""


@dataclass(frozen=True)
class Chain:
    """A tenant's chain that holds. ``head``: the hash of its last entry; ``first_at``, ``last_at``: times of the first
    and the last entry, as they stand there."""

    tenant: str
    entries: int
    first_at: str
    last_at: str
    head: str


def verify(lines: Iterable[bytes], heads: Collection[str] = ()) -> tuple[Chain, ...]:
    """Verify an exported log, a line of JSON an entry. Chains of several tenants may lie between each other.

    Args:
        heads: hashes that were kept from earlier exports, and must be found: an end that was cut off is nothing that
            the entries before it could tell of.

    Returns:
        the chains, by tenant.

    Raises:
        AuditMismatch: with the first entry that does not hold, or a head that is not there.
    """
    ends: dict[str, Mapping[str, Any]] = {}
    begun: dict[str, str] = {}
    missing = set(heads)
    for number, entry in _entries(lines):
        tenant = entry["tenant"]
        before = ends.get(tenant)
        _check(f"line {number}", entry, before)
        begun.setdefault(tenant, entry["at"])
        ends[tenant] = entry
        missing.discard(entry["hash"])
    for head in sorted(missing):
        raise AuditMismatch(f"no entry has the head {head}: its end was cut off, or all of it was written anew")
    return tuple(
        Chain(tenant, end["seq"], begun[tenant], end["at"], end["hash"]) for tenant, end in sorted(ends.items())
    )


_TYPES = {"tenant": str, "seq": int, "at": str, "previous": str, "hash": str}


def _entries(lines: Iterable[bytes]) -> Iterator[tuple[int, dict[str, Any]]]:
    for number, line in enumerate(lines, 1):
        try:
            entry = orjson.loads(line)
        except orjson.JSONDecodeError as error:
            raise AuditMismatch(f"line {number}: not JSON: {error}") from None
        if not isinstance(entry, dict) or any(type(entry.get(name)) is not kind for name, kind in _TYPES.items()):
            raise AuditMismatch(f"line {number}: not an entry: it needs {', '.join(_TYPES)}")
        if line.rstrip(b"\n") != canonical(entry):
            raise AuditMismatch(f"line {number}: not as it was exported: sorted keys, no spaces, each key once")
        yield number, entry


def _check(where: str, entry: Mapping[str, Any], before: Mapping[str, Any] | None) -> None:
    """Hold an entry against the one before it in its chain.

    Raises:
        AuditMismatch: it was changed, or does not follow.
    """
    named = f"{where}: entry {entry['seq']} of {entry['tenant']}"
    if (computed := hash_of(entry)) != entry["hash"]:
        raise AuditMismatch(f"{named} was changed: its hash is {computed}, it states {entry['hash']}")
    seq, previous = (before["seq"], before["hash"]) if before is not None else (0, FIRST_PREVIOUS)
    if entry["seq"] != seq + 1:
        follows = f"follows entry {seq}" if seq else "comes first"
        raise AuditMismatch(f"{named} {follows}: entries were removed, added or moved")
    if entry["previous"] != previous:
        raise AuditMismatch(
            f"{named} does not follow the entry before it: that one's hash is {previous}, it states {entry['previous']}"
        )
