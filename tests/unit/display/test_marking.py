"""What an image file says of its origin, as others read it."""

from __future__ import annotations

import io
import struct
from collections.abc import Iterator

import numpy as np
import pytest
from PIL import Image

from sfd_core.display.marking import GENERATOR, RECORD, SOURCE_TYPE, marked
from sfd_core.display.pictures import png, sheet

ORIGIN = {GENERATOR: "gen_0197", RECORD: "a" * 64}
RDF = "{http://www.w3.org/1999/02/22-rdf-syntax-ns#}"


def chunks(file: bytes) -> Iterator[tuple[bytes, bytes]]:
    """The chunks of a PNG, whole."""
    at = 8
    while at < len(file):
        (length,) = struct.unpack(">I", file[at : at + 4])
        yield file[at + 4 : at + 8], file[at : at + 12 + length]
        at += 12 + length


@pytest.fixture(params=["grey", "colour", "sheet"])
def image(request: pytest.FixtureRequest) -> bytes:
    shape = (3, 8, 6) if request.param == "grey" else (3, 8, 6, 3)
    made = np.random.default_rng(1).integers(0, 256, shape, dtype=np.uint8)
    return sheet(made) if request.param == "sheet" else png(made[0])


def test_pixels_stay_as_they_are(image: bytes) -> None:
    after = marked(image, ORIGIN)
    assert [chunk for kind, chunk in chunks(after) if kind not in (b"tEXt", b"iTXt")] == [c for _, c in chunks(image)]
    before, shown = (Image.open(io.BytesIO(file)) for file in (image, after))
    assert (shown.mode, shown.size, shown.tobytes()) == (before.mode, before.size, before.tobytes())
    Image.open(io.BytesIO(after)).verify()
    assert marked(image, ORIGIN) == after != image


def test_what_it_says(image: bytes) -> None:
    said = Image.open(io.BytesIO(marked(image, ORIGIN))).info
    assert said["Software"] == "Lethe"
    assert {keyword: said[keyword] for keyword in ORIGIN} == ORIGIN
    assert not any(keyword in Image.open(io.BytesIO(image)).info for keyword in (*ORIGIN, "xmp", "Software"))


@pytest.mark.parametrize("origin", [ORIGIN, {}, {GENERATOR: "<&>"}])
def test_xmp_is_read_by_others(image: bytes, origin: dict[str, str]) -> None:
    with Image.open(io.BytesIO(marked(image, origin))) as opened:
        from xml.etree import ElementTree

        root = ElementTree.fromstring(opened.info["xmp"])
    (described,) = root.iter(f"{RDF}Description")
    said = {element.tag.rpartition("}")[2]: element.text for element in described}
    assert said["DigitalSourceType"] == SOURCE_TYPE
    assert said["CreatorTool"] == "Lethe"
    assert said["source"] == (" ".join(f"{name}={value}" for name, value in origin.items()) or "Lethe")
