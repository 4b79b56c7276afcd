"""What one step gets wrong, done to real pictures: bent shapes, blur, speckle, colours a little off, parts missing.

A judge that has only seen clean pictures is brittle on a generator's: its answer then says how clean an image is as
much as what it shows. Every imperfection has a strength of its own for every picture, down to none at all.
"""

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor


@dataclass(frozen=True)
class Strength:
    """The most that is done to a picture of 64 x 64 pixels in -1..1.

    ``bend``: displacement of a pixel, in pixels; ``blur``: standard deviation in pixels; ``noise``: standard deviation;
    ``colour``: change of each channel's gain and offset; ``hole``: side of the square that is missing, in pixels.
    """

    bend: float
    blur: float
    noise: float
    colour: float
    hole: int


def imperfect(x: Tensor, strength: Strength, generator: torch.Generator) -> Tensor:
    """Give pictures [n, 3, 64, 64] in -1..1 imperfections, each its own."""
    x = bent(x, strength.bend * _shares(x, generator), generator)
    x = off_colour(x, strength.colour, generator)
    x = with_hole(x, strength.hole, generator)
    x = blurred(x, strength.blur * _shares(x, generator))
    return noisy(x, strength.noise * _shares(x, generator), generator)


def bent(x: Tensor, pixels: Tensor, generator: torch.Generator) -> Tensor:
    """Bend each picture smoothly, by up to about ``pixels`` [n]: a coarse field of displacements, drawn out."""
    n, _, height, width = x.shape
    coarse = torch.rand(n, 2, 4, 4, generator=generator) * 2 - 1
    field = F.interpolate(coarse, size=(height, width), mode="bicubic", align_corners=True)
    straight = F.affine_grid(torch.eye(2, 3).expand(n, 2, 3), [n, 3, height, width], align_corners=False)
    moved = straight + field.permute(0, 2, 3, 1) * pixels[:, None, None, None] * 2 / width
    return F.grid_sample(x, moved, mode="bilinear", padding_mode="border", align_corners=False)


def blurred(x: Tensor, sigma: Tensor) -> Tensor:
    """Blur each picture by a Gaussian of its own standard deviation in pixels, ``sigma`` [n]."""
    n, channels, height, width = x.shape
    reach = max(1, int(3 * float(sigma.max())))
    offsets = torch.arange(-reach, reach + 1, dtype=x.dtype)
    kernel = torch.exp(-0.5 * (offsets / sigma.clamp(min=1e-3)[:, None]) ** 2)
    kernel = (kernel / kernel.sum(1, keepdim=True)).repeat_interleave(channels, 0)  # [n * channels, taps]
    rows = F.pad(x, (reach,) * 4, mode="replicate").reshape(1, n * channels, height + 2 * reach, width + 2 * reach)
    rows = F.conv2d(rows, kernel[:, None, None, :], groups=n * channels)
    return F.conv2d(rows, kernel[:, None, :, None], groups=n * channels).reshape(x.shape)


def noisy(x: Tensor, std: Tensor, generator: torch.Generator) -> Tensor:
    """Add to each picture Gaussian noise of its own standard deviation, ``std`` [n]."""
    return (x + torch.randn(x.shape, generator=generator) * std[:, None, None, None]).clamp(-1, 1)


def off_colour(x: Tensor, most: float, generator: torch.Generator) -> Tensor:
    """Give each channel of each picture a gain and an offset of its own, at most ``most`` away from none."""
    gain, offset = ((torch.rand(len(x), 3, 1, 1, generator=generator) * 2 - 1) * most for _ in range(2))
    return (x * (1 + gain) + offset).clamp(-1, 1)


def with_hole(x: Tensor, side: int, generator: torch.Generator) -> Tensor:
    """Put a grey square in place of something in a quarter of the pictures."""
    n, _, height, width = x.shape
    top, left = (torch.randint(0, height - side + 1, (n, 1), generator=generator) for _ in range(2))
    y, column = torch.arange(height), torch.arange(width)
    inside_y, inside_x = ((at >= first) & (at < first + side) for at, first in ((y, top), (column, left)))
    hit = torch.rand(n, 1, 1, 1, generator=generator) < 0.25
    return torch.where(hit & (inside_y[:, None, :, None] & inside_x[:, None, None, :]), torch.zeros(()), x)


def _shares(x: Tensor, generator: torch.Generator) -> Tensor:
    """[n] in 0..1, many of them small: most pictures are nearly clean."""
    return torch.rand(len(x), generator=generator) ** 2
