"""Server-sent events out of bytes that are cut anywhere."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from client.server_sent import Decoder, Message

STREAM = (
    ": events of a job\nretry: 1000\n\n"
    'id: 1\nevent: job.queued\ndata: {"a": "\u2028\u0085 and \u00e4"}\n\n'
    ": ping\n\n"
    "id: 2\ndata:first\ndata: second\n\n"
    "event: nothing\n\n"
    "data: no id of its own\n\n"
    "data: never finished\n"
)
MESSAGES = [
    Message("1", "job.queued", '{"a": "\u2028\u0085 and \u00e4"}'),
    Message("2", "message", "first\nsecond"),
    Message("2", "message", "no id of its own"),
]


def decoded(chunks: list[bytes]) -> list[Message]:
    decoder = Decoder()
    return [message for chunk in chunks for message in decoder.feed(chunk)]


@pytest.mark.parametrize("line_end", ["\n", "\r\n", "\r"])
@pytest.mark.parametrize("size", [1, 2, 3, 7, 10_000])
def test_cut_into_pieces(line_end: str, size: int) -> None:
    stream = STREAM.replace("\n", line_end).encode()
    assert decoded([stream[i : i + size] for i in range(0, len(stream), size)]) == MESSAGES


@given(st.lists(st.integers(0, len(STREAM.encode())), max_size=20), st.sampled_from(["\n", "\r\n", "\r"]))
def test_cut_anywhere(cuts: list[int], line_end: str) -> None:
    stream = STREAM.replace("\n", line_end).encode()
    edges = [0, *sorted(cuts), len(stream)]
    assert decoded([stream[a:b] for a, b in pairwise(edges)]) == MESSAGES
