"""What is found of an exported audit log that somebody has changed."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import orjson
import pytest

from jobs.audit.entries import FIRST_PREVIOUS, canonical, hash_of
from jobs.audit.verification import AuditMismatch, verify

Entries = list[dict[str, Any]]


def chain(tenant: str = "acme", count: int = 5) -> Entries:
    """A chain as the database makes it."""
    made: Entries = []
    for seq in range(1, count + 1):
        entry = {
            "object": "audit_entry",
            "tenant": tenant,
            "seq": seq,
            "at": f"2026-01-01T00:00:0{seq}.000000Z",
            "actor": "operator",
            "action": "key.create",
            "object_id": f"key_{seq}",
            "details": {},
            "previous": made[-1]["hash"] if made else FIRST_PREVIOUS,
        }
        made.append(entry | {"hash": hash_of(entry)})
    return made


def lines(entries: Entries) -> list[bytes]:
    return [canonical(entry) + b"\n" for entry in entries]


def anew(entries: Entries, start: int) -> Entries:
    """The hash of one entry as if it had always been so."""
    entries[start]["hash"] = hash_of(entries[start])
    return entries


def changed(entries: Entries) -> Entries:
    entries[1]["actor"] = "somebody"
    return entries


def changed_with_its_hash(entries: Entries) -> Entries:
    return anew(changed(entries), 1)


def with_one_more_field(entries: Entries) -> Entries:
    entries[3]["note"] = "added"
    return entries


def removed(entries: Entries) -> Entries:
    return entries[:2] + entries[3:]


def removed_and_counted_anew(entries: Entries) -> Entries:
    kept = entries[:2] + entries[3:]
    kept[2]["seq"] = 3
    return anew(kept, 2)


def removed_at_the_start(entries: Entries) -> Entries:
    return entries[1:]


def inserted(entries: Entries) -> Entries:
    new = {**entries[2], "actor": "somebody", "previous": entries[1]["hash"]}
    return [*entries[:2], *anew([new], 0), *entries[2:]]


def twice(entries: Entries) -> Entries:
    return [*entries[:3], *entries[2:]]


def reordered(entries: Entries) -> Entries:
    return [entries[0], entries[2], entries[1], *entries[3:]]


def of_another_tenant(entries: Entries) -> Entries:
    return entries[:2] + chain("globex")[2:]


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (changed, r"line 2: entry 2 of acme was changed: its hash is \w{64}, it states \w{64}"),
        (changed_with_its_hash, "line 3: entry 3 of acme does not follow the entry before it"),
        (with_one_more_field, "line 4: entry 4 of acme was changed"),
        (removed, "line 3: entry 4 of acme follows entry 2: entries were removed"),
        (removed_and_counted_anew, "line 3: entry 3 of acme does not follow the entry before it"),
        (removed_at_the_start, "line 1: entry 2 of acme comes first: entries were removed"),
        (inserted, "line 4: entry 3 of acme follows entry 3"),
        (twice, "line 4: entry 3 of acme follows entry 3"),
        (reordered, "line 2: entry 3 of acme follows entry 1"),
        (of_another_tenant, "line 3: entry 3 of globex comes first"),
    ],
)
def test_a_change_is_found_and_named(change: Callable[[Entries], Entries], said: str) -> None:
    verify(lines(chain()))
    with pytest.raises(AuditMismatch, match=said):
        verify(lines(change(chain())))


def test_an_end_that_is_missing_is_found_by_a_head_that_was_kept() -> None:
    entries = chain()
    head = entries[-1]["hash"]
    (found,) = verify(lines(entries), [head])
    assert (found.entries, found.head) == (5, head)
    assert (found.first_at, found.last_at) == (entries[0]["at"], entries[-1]["at"])
    verify(lines(chain(count=8)), [head])  # what was added since is no fault
    verify(lines(entries[:3]))  # nothing tells of it
    with pytest.raises(AuditMismatch, match=f"no entry has the head {head}"):
        verify(lines(entries[:3]), [head])
    with pytest.raises(AuditMismatch, match="written anew"):
        verify([], [head])
    all_anew = chain()
    all_anew[0]["actor"] = "somebody"
    for i, entry in enumerate(all_anew):
        entry["previous"] = all_anew[i - 1]["hash"] if i else FIRST_PREVIOUS
        anew(all_anew, i)
    verify(lines(all_anew))
    with pytest.raises(AuditMismatch, match=head):
        verify(lines(all_anew), [head])


def test_chains_of_several_tenants_may_lie_between_each_other() -> None:
    one, other = chain("acme", 3), chain("globex", 2)
    mixed = [one[0], other[0], one[1], one[2], other[1]]
    assert [(each.tenant, each.entries) for each in verify(lines(mixed))] == [("acme", 3), ("globex", 2)]
    with pytest.raises(AuditMismatch, match="line 5: entry 2 of globex was changed"):
        verify(lines([*mixed[:4], changed(other)[1]]))


@pytest.mark.parametrize(
    ("line", "said"),
    [
        (b"no json\n", "line 2: not JSON"),
        (b"[]\n", "line 2: not an entry"),
        (b"\n", "line 2: not JSON"),
        (orjson.dumps({**chain()[1], "seq": "2"}), "line 2: not an entry: it needs tenant, seq, at, previous, hash"),
        (orjson.dumps({**chain()[1], "seq": True}), "line 2: not an entry"),
        (orjson.dumps(chain()[1], option=orjson.OPT_INDENT_2).replace(b"\n", b" "), "line 2: not as it was exported"),
        (canonical(chain()[1]).replace(b'{"action"', b'{"action":"x","action"'), "line 2: not as it was exported"),
    ],
)
def test_a_line_that_is_none(line: bytes, said: str) -> None:
    with pytest.raises(AuditMismatch, match=said):
        verify([*lines(chain()[:1]), line])
