"""What every picture is drawn with: checks of images, tiles, the font, and the PNG itself.

The same input gives the same bytes under one build of Pillow: its bundled font is used, laid out by its own basic
engine, and no system font or clock enters.
"""

from __future__ import annotations

import io
import unicodedata

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageFont

Images = NDArray[np.uint8]

WHITE = (255, 255, 255)
INK = (23, 26, 31)
MUTED = (98, 105, 117)
MARK = (180, 35, 24)
MARK_TINT = (253, 238, 235)
RULE = (218, 221, 227)


def checked(images: Images) -> Images:
    """Return ``images`` if they are bytes of a known shape, and there is one."""
    if images.dtype != np.uint8 or images.ndim not in (3, 4) or (images.ndim == 4 and images.shape[3] != 3):
        raise ValueError(f"images must be uint8 [N, H, W] or [N, H, W, 3], not {images.dtype} {list(images.shape)}")
    if not images.size:
        raise ValueError("nothing to draw: there is no image")
    return images


def by_row(images: Images, rows: int) -> Images:
    """Shape [rows * columns, H, W(, 3)] into [rows, columns, H, W(, 3)]."""
    if not rows or len(checked(images)) % rows:
        raise ValueError(f"{len(images)} images do not fill {rows} rows equally")
    return images.reshape(rows, -1, *images.shape[1:])


def tile_size(width: int, height: int, free: int) -> tuple[int, int]:
    """Say how large an image is drawn where ``free`` pixels of width are left for it: a whole multiple of its own size
    where that fits, so that small images stay exact, else shrunk; at most 192 pixels wide."""
    free = min(max(free, 8), 192)
    if free >= width:
        return free // width * width, free // width * height
    return free, max(1, round(height * free / width))


def resized(image: Images, width: int, height: int) -> Image.Image:
    how = Image.Resampling.NEAREST if width >= image.shape[1] else Image.Resampling.LANCZOS
    return Image.fromarray(image).resize((width, height), how)


def font_of(size: int) -> ImageFont.FreeTypeFont:
    """Load Pillow's bundled font. The basic engine, because the other one depends on what the system has."""
    font = ImageFont.load_default(size)
    if not isinstance(font, ImageFont.FreeTypeFont):
        raise RuntimeError("this Pillow was built without FreeType: it cannot draw text of a given size")
    return font.font_variant(layout_engine=ImageFont.Layout.BASIC)


def printable(text: str, instead: str) -> str:
    """Return ``text`` in the letters that the bundled font has (ASCII, accents dropped); ``instead`` if some are
    missing. The page beside a picture lists its rows with their true names."""
    plain = "".join(c for c in unicodedata.normalize("NFKD", text) if not unicodedata.combining(c))
    return plain if plain.isascii() and plain.isprintable() else instead


def fitted(text: str, font: ImageFont.FreeTypeFont, width: float) -> str:
    """Cut ``text`` to ``width`` pixels."""
    if font.getlength(text) <= width:
        return text
    while text and font.getlength(text + "...") > width:
        text = text[:-1]
    return text.rstrip() + "..."


def encoded(image: Image.Image) -> bytes:
    stream = io.BytesIO()
    image.save(stream, "PNG", compress_level=9)
    return stream.getvalue()
