"""The picture of ``benchmarks.emoji``: every image in its place."""

from __future__ import annotations

import io

import numpy as np
import pytest
from PIL import Image

from benchmarks.emoji.jobs import Group, in_styles
from benchmarks.emoji.picture import Block, Line, picture
from sfd_core.display.drawing import MARK_TINT


def shades(*values: int) -> np.ndarray:
    return np.stack([np.full((8, 8, 3), value, np.uint8) for value in values])


GROUPS = (in_styles("pistol", True), Group("banana", False, ({}, {}), ("noto", "fluent")))


def test_the_picture_shows_every_image_and_marks_what_is_to_be_forgotten() -> None:
    lines = (Line("Teacher", "20 steps", shades(1, 2, 3, 4, 5)), Line("After", "1 step", shades(11, 12, 13, 14, 15)))
    image = Image.open(io.BytesIO(picture([Block("One object", GROUPS, lines)])))
    pixels = np.asarray(image)
    places = {}
    for value in (1, 2, 3, 4, 5, 11, 12, 13, 14, 15):
        rows, columns = np.nonzero((pixels == value).all(axis=2))
        assert len(rows) == 16 * 16
        places[value] = (rows.min(), columns.min())
    tops, lefts = {}, {}
    for value, (top, left) in places.items():
        tops.setdefault(value // 10, set()).add(top)
        lefts.setdefault(value % 10, set()).add(left)
    assert all(len(group) == 1 for group in (*tops.values(), *lefts.values()))
    assert [min(lefts[i]) for i in (1, 2, 3, 4, 5)] == sorted(min(lefts[i]) for i in (1, 2, 3, 4, 5))
    tinted = np.nonzero((pixels == MARK_TINT).all(axis=2).any(axis=0))[0]
    assert tinted.min() < places[1][1] < places[3][1] < tinted.max() < places[4][1]


def test_a_row_with_an_image_missing_is_refused() -> None:
    with pytest.raises(ValueError, match="Teacher has 4 images for 5 columns"):
        picture([Block("One object", GROUPS, (Line("Teacher", "", shades(1, 2, 3, 4)),))])
    with pytest.raises(ValueError, match="no job"):
        picture([])
