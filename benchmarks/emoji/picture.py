"""``emoji.png``: what was there before and after each job, the same prompts and seeds in every row."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from benchmarks.emoji.jobs import Group
from sfd_core.display.drawing import (
    INK,
    MARK,
    MARK_TINT,
    MUTED,
    RULE,
    WHITE,
    checked,
    encoded,
    fitted,
    font_of,
    printable,
    resized,
)

SCALE, MARGIN, LEFT, GAP, BETWEEN = 2, 32, 290, 6, 30
TITLE, NAME, NOTE = 34, 26, 21
HEAD = 118
"""Pixels above the first row of a job: its title, the groups' names, the columns'."""
AFTER = 52
"""Pixels below its last."""


@dataclass(frozen=True)
class Line:
    """One row: who made the images, in two lines; one image a column, [columns, H, W, 3]."""

    name: str
    note: str
    images: NDArray[np.uint8]


@dataclass(frozen=True)
class Block:
    """One job."""

    title: str
    groups: tuple[Group, ...]
    lines: tuple[Line, ...]


def picture(blocks: Sequence[Block]) -> bytes:
    """Draw the jobs below one another, what they forgot on red.

    Raises:
        ValueError: for no job, or a row that has not one image for each column.
    """
    if not blocks:
        raise ValueError("nothing to draw: no job was run")
    for block in blocks:
        columns = sum(len(group.columns) for group in block.groups)
        for line in block.lines:
            if len(checked(line.images)) != columns:
                raise ValueError(f"{block.title}: {line.name} has {len(line.images)} images for {columns} columns")
    side = blocks[0].lines[0].images.shape[1] * SCALE
    width = max(_lefts(block, side)[-1] for block in blocks) - BETWEEN + MARGIN
    heights = [HEAD + len(block.lines) * (side + GAP) + AFTER for block in blocks]
    canvas = Image.new("RGB", (width, MARGIN + sum(heights) - AFTER + MARGIN), WHITE)
    for block, top in zip(blocks, accumulate(heights, initial=MARGIN), strict=False):
        _draw(canvas, block, top, side)
    return encoded(canvas)


def _lefts(block: Block, side: int) -> list[int]:
    """Where each group begins, and where one after the last would."""
    widths = (len(group.columns) * (side + GAP) - GAP + BETWEEN for group in block.groups)
    return list(accumulate(widths, initial=MARGIN + LEFT))


def _draw(canvas: Image.Image, block: Block, top: int, side: int) -> None:
    draw = ImageDraw.Draw(canvas)
    title, name, note = (font_of(size) for size in (TITLE, NAME, NOTE))
    draw.text((MARGIN, top), fitted(printable(block.title, ""), title, canvas.width - 2 * MARGIN), INK, title)
    if top > MARGIN:
        draw.line((MARGIN, top - AFTER // 2, canvas.width - MARGIN, top - AFTER // 2), fill=RULE, width=2)
    first, bottom = top + HEAD, top + HEAD + len(block.lines) * (side + GAP) - GAP
    column = 0
    for group, left in zip(block.groups, _lefts(block, side), strict=False):
        right = left + len(group.columns) * (side + GAP) - GAP
        if group.forgotten:
            pad = BETWEEN // 3
            draw.rectangle((left - pad, top + HEAD - NAME - NOTE - 20, right + pad, bottom + pad), fill=MARK_TINT)
        said = f"{group.title} (to forget)" if group.forgotten else group.title
        ink = MARK if group.forgotten else INK
        draw.text((left, first - NOTE - NAME - 14), fitted(said, name, right - left), ink, name)
        for place, label in enumerate(group.labels):
            at = left + place * (side + GAP)
            draw.text((at, first - NOTE - 8), fitted(label, note, side), MUTED, note)
            for row, line in enumerate(block.lines):
                tile = resized(line.images[column], side, side)
                canvas.paste(tile, (at, first + row * (side + GAP)))
            column += 1
    for row, line in enumerate(block.lines):
        middle = first + row * (side + GAP) + side // 2
        draw.text((MARGIN, middle - 4), fitted(line.name, name, LEFT - GAP), INK, name, anchor="ls")
        draw.text((MARGIN, middle + 8), fitted(line.note, note, LEFT - GAP), MUTED, note, anchor="lt")
