"""Real pictures to train and judge on: the atlas's emoji, each time on another background, elsewhere, turned, flipped.

There are three drawings of each object and no more, so "held out" here means: other backgrounds, positions, scales,
rotations and flips than any seen in training, never another drawing.
"""

import math
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from PIL import Image
from torch import Tensor

from models.emoji.vocabulary import OBJECTS, STYLES

HERE = Path(__file__).parent
SIDE = 64


def atlas() -> Tensor:
    """Return the drawings as [objects, styles, 4, 64, 64] in 0..1, colours premultiplied by alpha."""
    sheet = np.asarray(Image.open(HERE / "pictures.png"), dtype=np.float32) / 255
    cells = (
        torch.from_numpy(sheet).reshape(len(OBJECTS), SIDE, len(STYLES), SIDE, 4).permute(0, 2, 4, 1, 3).contiguous()
    )
    return torch.cat([cells[:, :, :3] * cells[:, :, 3:], cells[:, :, 3:]], dim=2)


def backgrounds(n: int, generator: torch.Generator) -> Tensor:
    """Draw light plain colours, [n, 3, 1, 1] in 0..1: white mixed with up to a quarter of a colour."""
    colour = torch.rand(n, 3, generator=generator)
    strength = torch.rand(n, 1, generator=generator) * 0.25
    return (1 - strength + strength * colour)[:, :, None, None]


def augmented(drawings: Tensor, generator: torch.Generator, spread: float = 1.0) -> Tensor:
    """Put each drawing ([n, 4, 64, 64], premultiplied) on a background of its own: [n, 3, 64, 64] in -1..1.

    ``spread``: how far turns (12 degrees at 1) and sizes (0.72 to 0.95 of the picture at 1) vary."""
    n = len(drawings)

    def between(low: float, high: float) -> Tensor:
        return low + (high - low) * torch.rand(n, generator=generator)

    angle, scale = between(-spread * math.pi / 15, spread * math.pi / 15), between(0.95 - 0.23 * spread, 0.95)
    flip = torch.where(torch.rand(n, generator=generator) < 0.5, -1.0, 1.0)
    room = 1 - scale  # so that nothing of the drawing leaves the picture, but for the corners of a turned one
    x, y = between(-1, 1) * room, between(-1, 1) * room
    cos, sin = torch.cos(angle) / scale, torch.sin(angle) / scale
    # affine_grid asks where in the drawing each pixel of the picture comes from: the inverse of what is done to it.
    moves = torch.stack(
        [
            torch.stack([flip * cos, flip * sin, -flip * (cos * x + sin * y)], dim=1),
            torch.stack([-sin, cos, sin * x - cos * y], dim=1),
        ],
        dim=1,
    )
    grid = F.affine_grid(moves, [n, 4, SIDE, SIDE], align_corners=False)
    placed = F.grid_sample(drawings, grid, mode="bicubic", align_corners=False).clamp(0, 1)
    picture = placed[:, :3] + (1 - placed[:, 3:]) * backgrounds(n, generator)
    return picture.clamp(0, 1) * 2 - 1
