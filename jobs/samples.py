"""A sampler's answer as bytes: a JSON header with its length before it, then the PNGs one after another."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from itertools import accumulate, pairwise

import orjson

_LENGTH_BYTES = 4


class MalformedReply(ValueError):
    """Bytes that are not a sampler's answer."""


@dataclass(frozen=True)
class SampleReply:
    """Images as PNG, in order; image i depends on (seed, i) alone. ``concept``: what was asked for, unless it was asked
    for by prompts. ``seconds``: what sampling took in the worker."""

    images: tuple[bytes, ...]
    seed: int
    concept: str | None
    generator: str
    seconds: float


@dataclass(frozen=True)
class SampleFailure:
    """The sampler could not answer: a code of the catalogue, and what to say."""

    code: str
    message: str


def encode(reply: SampleReply | SampleFailure) -> bytes:
    """Encode ``reply`` as bytes for :func:`decode`."""
    header = asdict(reply)
    images: tuple[bytes, ...] = header.pop("images", ())
    written = orjson.dumps(header | {"sizes": [len(image) for image in images]})
    return b"".join((len(written).to_bytes(_LENGTH_BYTES, "big"), written, *images))


def decode(payload: bytes) -> SampleReply | SampleFailure:
    """Decode what :func:`encode` made.

    Raises:
        MalformedReply: for anything else, such as an answer that was cut short.
    """
    start = _LENGTH_BYTES + int.from_bytes(payload[:_LENGTH_BYTES], "big")
    try:
        header = orjson.loads(payload[_LENGTH_BYTES:start])
        ends = list(accumulate(header.pop("sizes"), initial=start))
        if ends[-1] != len(payload):
            raise MalformedReply(f"{len(payload)} bytes where the header states {ends[-1]}")
        images = tuple(payload[a:b] for a, b in pairwise(ends))
        return SampleFailure(**header) if "code" in header else SampleReply(images=images, **header)
    except (orjson.JSONDecodeError, KeyError, TypeError, AttributeError) as error:
        raise MalformedReply(f"not a sampler's answer: {error}") from None
