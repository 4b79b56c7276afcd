"""Ids: a prefix, a UUIDv7, and an order that is that of time."""

from __future__ import annotations

import time
import uuid

import pytest

from jobs.ids import is_id, new_id
from tests.store.making import at_once


def test_an_id_is_a_uuid_7_of_now() -> None:
    kind, _, digits = new_id("job").partition("_")
    made = uuid.UUID(digits)
    assert (kind, made.version, made.variant) == ("job", 7, uuid.RFC_4122)
    assert abs((made.int >> 80) / 1000 - time.time()) < 5


def test_ids_sort_by_time() -> None:
    ids = []
    for _ in range(500):
        ids.append(new_id("gen"))
        time.sleep(0.000_001)  # the clock behind an id has steps of a quarter of a microsecond
    assert ids == sorted(ids)


def test_ids_made_at_once_differ() -> None:
    made = at_once(20, lambda _: [new_id("key") for _ in range(500)])
    assert len({i for some in made for i in some}) == 10_000


@pytest.mark.parametrize(
    "text", ["", "job_", "job_" + "0" * 31, "job_" + "0" * 33, "job_" + "0" * 32 + "\n", "run_" + "0" * 32]
)
def test_what_is_no_id(text: str) -> None:
    assert not is_id("job", text)
    assert is_id("job", "job_" + "0" * 32)
    assert not is_id("gen", "job_" + "0" * 32)
