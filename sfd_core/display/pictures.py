"""Pictures of a run: the base model and the generator at the same seeds, and the generator over training.

One module draws them all, so that the report, the dashboard, a model card and the README show the same thing.
Images are arrays of bytes, ``[N, H, W]`` (grey) or ``[N, H, W, 3]``; what comes out is a PNG. The same input
gives the same bytes under one build of Pillow: its bundled font is used, laid out by its own basic engine,
and no system font or clock enters. Importing this does not import torch.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from PIL import Image, ImageDraw

from sfd_core.display.drawing import (
    INK,
    MARK,
    MARK_TINT,
    MUTED,
    RULE,
    WHITE,
    Images,
    by_row,
    checked,
    encoded,
    fitted,
    font_of,
    printable,
    resized,
    tile_size,
)
from sfd_core.display.numbers import number, percent
from sfd_core.request.concepts import Forget
from sfd_core.request.override import Override
from sfd_core.request.overrides.fixed import FixedOverride

SHEET_TILE = 112
"""Pixels that an image has on a sheet, at most, before it is shown at its own size."""


@dataclass(frozen=True)
class Row:
    """One row of a picture: a concept that was asked for and, if it is forgotten, what overrides it."""

    concept: str
    override: Override | None = None

    @property
    def forgotten(self) -> bool:
        return self.override is not None


@dataclass(frozen=True)
class Moment:
    """The generator at one moment of a run. ``share``: of the budget, from 0 to 1; ``seen``: generated images
    that it was trained on by then; ``images``: as many for each row, row by row."""

    share: float
    seen: int
    images: Images


def rows_for(forget: Sequence[Forget], concepts: Sequence[str], remaining: int | None = None) -> tuple[Row, ...]:
    """Return the rows of a picture: forgotten concepts as asked, then what overrides them (words that are none of the
    concepts have no row), then the others in the model's order. ``remaining``: at most that many that are not
    forgotten; None: all."""
    forgotten = {item.concept: item.override for item in forget}
    overriding = [o.concept for o in forgotten.values() if isinstance(o, FixedOverride) and o.concept in concepts]
    others = dict.fromkeys([*overriding, *(c for c in concepts if c not in forgotten)])
    return (*(Row(c, o) for c, o in forgotten.items()), *(Row(c) for c in list(others)[:remaining]))


def png(image: Images) -> bytes:
    """Encode one image ``[H, W]`` or ``[H, W, 3]`` as PNG.

    Raises:
        ValueError: for another shape or type.
    """
    return encoded(Image.fromarray(checked(image[None])[0]))


def grid(images: Images, columns: int, scale: int = 1) -> bytes:
    """Draw a sheet of images without words, row by row, each pixel ``scale`` wide, 2 pixels between images.

    Raises:
        ValueError: for images of another shape or type, none of them, or ``columns`` or ``scale`` below 1.
    """
    images = checked(images)
    if columns < 1 or scale < 1:
        raise ValueError(f"columns and scale must be at least 1, not {columns} and {scale}")
    count, height, width = images.shape[:3]
    columns, gap = min(columns, count), 2
    rows, pitch_y, pitch_x = -(-count // columns), height * scale + gap, width * scale + gap
    sheet = np.full((rows * pitch_y - gap, columns * pitch_x - gap, *images.shape[3:]), 255, np.uint8)
    for i, image in enumerate(images):
        top, left = i // columns * pitch_y, i % columns * pitch_x
        tile = image.repeat(scale, axis=0).repeat(scale, axis=1)
        sheet[top : top + tile.shape[0], left : left + tile.shape[1]] = tile
    return encoded(Image.fromarray(sheet))


def sheet(images: Images) -> bytes:
    """Draw all images on one PNG, about square, small ones enlarged so that a person sees something: what the
    endpoint's ``grid`` and ``lethe sample --out sheet.png`` give."""
    return grid(images, columns=math.ceil(math.sqrt(len(images))), scale=max(1, SHEET_TILE // images.shape[1]))


def pairs_picture(
    before: Images,
    after: Images,
    rows: Sequence[Row],
    *,
    titles: tuple[str, str] = ("Base model", "After unlearning"),
    subtitles: tuple[str, str] = ("", "same seeds"),
    narrow: bool = False,
) -> bytes:
    """Draw the base model's images and the generator's at the same seeds, side by side, a row a concept, the forgotten
    ones first and marked. ``before`` and ``after`` hold as many images for each row, row by row. Shows the first 8 of a
    row on each side; ``narrow``, for a phone, the first 4.

    Raises:
        ValueError: for images of another shape or type, or that do not fill the rows equally.
    """
    shown = 4 if narrow else 8
    blocks = [
        _Block(title, subtitle, by_row(images, len(rows))[:, :shown])
        for title, subtitle, images in zip(titles, subtitles, (before, after), strict=True)
    ]
    return _draw(blocks, rows, _NARROW if narrow else _WIDE)


def strip_picture(moments: Sequence[Moment], rows: Sequence[Row], *, narrow: bool = False) -> bytes:
    """Draw the same seeds over training, a block a moment from left to right, a row a concept, the forgotten ones first
    and marked. Shows every image of a moment (3 a row read best); ``narrow``, for a phone, the first of each row.

    Raises:
        ValueError: for no moment, images of another shape or type, or that do not fill the rows equally.
    """
    blocks = [
        _Block(
            percent(moment.share, 0),
            number(moment.seen) if narrow else f"{number(moment.seen)} images",
            by_row(moment.images, len(rows))[:, : 1 if narrow else None],
        )
        for moment in moments
    ]
    return _draw(blocks, rows, _NARROW if narrow else _WIDE)


def examples_picture(titles: Sequence[str], images: Images) -> bytes:
    """Draw what a probe brought back: a row of images below each title. ``images``: [rows, columns, H, W(, 3)]. The
    titles stand above their rows, not beside them, so that one picture can be read on a page and on a phone.

    Raises:
        ValueError: for images of another shape or type, none of them, or another number of rows than of titles.
    """
    if images.ndim not in (4, 5) or len(images) != len(titles):
        raise ValueError(f"images must be [{len(titles)} rows, columns, H, W(, 3)], not {list(images.shape)}")
    checked(images.reshape(-1, *images.shape[2:]))
    style, columns = _EXAMPLES, images.shape[1]
    room = style.width - 2 * style.margin
    tile_w, tile_h = tile_size(images.shape[3], images.shape[2], (room - style.gap * (columns - 1)) // columns)
    font, lead = font_of(style.name), round(1.4 * style.name)
    pitch = lead + tile_h + style.between
    width = 2 * style.margin + columns * (tile_w + style.gap) - style.gap
    canvas = Image.new("RGB", (width, style.margin + len(images) * pitch - style.between + style.margin), WHITE)
    draw = ImageDraw.Draw(canvas)
    for place, (title, row) in enumerate(zip(titles, images, strict=True)):
        top = style.margin + place * pitch
        said = fitted(printable(title, f"row {place + 1}"), font, width - 2 * style.margin)
        draw.text((style.margin, top), said, INK, font)
        for column, image in enumerate(row):
            left = style.margin + column * (tile_w + style.gap)
            canvas.paste(resized(image, tile_w, tile_h), (left, top + lead))
    return encoded(canvas)


@dataclass(frozen=True)
class _Block:
    """A titled part of a picture. ``images``: [rows, columns, H, W(, 3)]."""

    title: str
    subtitle: str
    images: Images


@dataclass(frozen=True)
class _Style:
    """Sizes in pixels. The picture is at most ``width`` wide; labels take at most ``gutter`` of it."""

    width: int
    gutter: int
    margin: int
    gap: int
    between: int
    title: int
    name: int
    note: int


_WIDE = _Style(width=1800, gutter=320, margin=32, gap=4, between=32, title=38, name=34, note=24)
_EXAMPLES = _Style(width=740, gutter=0, margin=14, gap=4, between=14, title=0, name=24, note=0)
_NARROW = _Style(width=760, gutter=200, margin=14, gap=2, between=14, title=23, name=26, note=20)


def _draw(blocks: Sequence[_Block], rows: Sequence[Row], style: _Style) -> bytes:
    """The blocks from left to right, with the rows' labels in a gutter on the left."""
    if not blocks:
        raise ValueError("nothing to draw: no moment was given")
    if len({block.images.shape[2:] for block in blocks}) > 1:
        raise ValueError("the images of one picture must be of one size, all grey or all in colour")
    order = sorted(range(len(rows)), key=lambda i: not rows[i].forgotten)
    forgotten = sum(row.forgotten for row in rows)
    name_font, note_font, title_font = font_of(style.name), font_of(style.note), font_of(style.title)
    names = [
        fitted(printable(rows[i].concept, f"row {place}"), name_font, style.gutter)
        for place, i in enumerate(order, start=1)
    ]
    notes = [fitted(printable(_note(rows[i]), "forget"), note_font, style.gutter) for i in order]
    gutter = max([name_font.getlength(t) for t in names] + [note_font.getlength(t) for t in notes])

    columns = sum(block.images.shape[1] for block in blocks)
    height, width = blocks[0].images.shape[2:4]
    start = round(2 * style.margin + gutter)
    spaces = style.between * (len(blocks) - 1) + style.gap * (columns - len(blocks))
    tile_w, tile_h = tile_size(width, height, (style.width - start - style.margin - spaces) // columns)
    pitch_x, pitch_y = tile_w + style.gap, tile_h + style.gap
    # A forgotten row has two lines of text, which may be higher than a small image.
    pitch_marked = max(pitch_y, round(1.2 * (style.name + style.note)))

    # From top to bottom: titles, the marked band of forgotten rows, the rows that remain.
    header = round(style.margin + 1.2 * style.title)
    if any(block.subtitle for block in blocks):
        header += round(1.4 * style.note)
    pad = style.margin // 2
    band_end = header + forgotten * pitch_marked - style.gap + 2 * pad if forgotten else header
    inset = (pitch_marked - pitch_y) // 2
    tops = [header + pad + inset + place * pitch_marked for place in range(forgotten)]
    tops += [band_end + pad + place * pitch_y for place in range(len(rows) - forgotten)]
    lefts = [start]
    for block in blocks:
        lefts.append(lefts[-1] + block.images.shape[1] * pitch_x - style.gap + style.between)
    right = lefts.pop() - style.between
    bottom = tops[-1] + tile_h
    canvas = Image.new("RGB", (right + style.margin, bottom + style.margin), WHITE)
    draw = ImageDraw.Draw(canvas)

    if forgotten:
        draw.rectangle((0, header, canvas.width, band_end), fill=MARK_TINT)
        draw.rectangle((0, header, style.margin // 4, band_end), fill=MARK)
    for top, i, name, note in zip(tops, order, names, notes, strict=True):
        middle = top + tile_h // 2
        ink = MARK if rows[i].forgotten else INK
        shift = round(0.6 * style.note) if note else 0
        draw.text((style.margin, middle - shift), name, ink, name_font, anchor="lm")
        draw.text((style.margin, middle + round(0.65 * style.name)), note, ink, note_font, anchor="lm")
    for left, block in zip(lefts, blocks, strict=True):
        room = block.images.shape[1] * pitch_x - style.gap + style.between // 2
        title = fitted(printable(block.title, ""), title_font, room)
        subtitle = fitted(printable(block.subtitle, ""), note_font, room)
        draw.text((left, style.margin // 2), title, INK, title_font, stroke_width=0.6)
        draw.text((left, style.margin // 2 + round(1.2 * style.title)), subtitle, MUTED, note_font)
        if left != start:
            middle = left - style.between // 2
            draw.line((middle, header, middle, bottom), fill=RULE, width=2)
        for top, i in zip(tops, order, strict=True):
            for column, image in enumerate(block.images[i]):
                canvas.paste(resized(image, tile_w, tile_h), (left + column * pitch_x, top))
    return encoded(canvas)


def _note(row: Row) -> str:
    """What was asked for in place of a forgotten concept; the picture shows whether it came."""
    if row.override is None:
        return ""
    return f"forget: show {row.override.in_words()}".replace("“", '"').replace("”", '"')  # the font has no others
