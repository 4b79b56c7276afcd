"""A sampler's answer survives the way through the broker, and a damaged one is never taken for whole."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jobs.samples import MalformedReply, SampleFailure, SampleReply, decode, encode

REPLY = SampleReply((b"\x89PNG one", b"", b"\x89PNG three"), 2**63 - 1, "Sandal", "gen_1", 0.125)


@given(
    st.lists(st.binary(max_size=200), max_size=64).map(tuple),
    st.integers(0, 2**63 - 1),
    st.text(st.characters(exclude_categories=["Cs"])),
    st.floats(0, 1e6),
)
def test_round_trip(images: tuple[bytes, ...], seed: int, concept: str, seconds: float) -> None:
    reply = SampleReply(images, seed, concept, "gen_1", seconds)
    assert decode(encode(reply)) == reply


def test_a_failure() -> None:
    failure = SampleFailure("generator_not_found", "there is no generator 'gen_1'")
    assert decode(encode(failure)) == failure


def test_every_piece_of_an_answer_is_refused() -> None:
    whole = encode(REPLY)
    assert decode(whole) == REPLY
    for n in range(len(whole)):
        with pytest.raises(MalformedReply):
            decode(whole[:n])
    with pytest.raises(MalformedReply):
        decode(whole + b"\0")


@pytest.mark.parametrize(
    "header",
    [b"[]", b"1", b"null", b"{}", b'{"sizes":3}', b'{"sizes":[]}', b'{"sizes":["a"]}', b'{"sizes":[],"code":1,"x":2}'],
)
def test_a_strange_header_is_refused(header: bytes) -> None:
    with pytest.raises(MalformedReply):
        decode(len(header).to_bytes(4, "big") + header)


@given(st.binary(max_size=100))
def test_noise_is_refused(payload: bytes) -> None:
    with pytest.raises(MalformedReply):
        decode(payload)
