"""A conditional diffusion model that is understood to the last detail: a class is a shade of grey, and the judge
reads the mean brightness. It trains in seconds, so that what a probe must find is known beforehand."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from dataclasses import dataclass, replace

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from sfd_core.evaluation.judge import ImageJudge
from sfd_core.evaluation.preprocessing import Preprocessing
from sfd_core.families.parameterization import VariancePreserving, linear_schedule
from sfd_core.families.protocol import LoadedBase

SHADES = (-0.9, -0.3, 0.3, 0.9)
"""The brightness of each of the tiny model's four concepts; images differ from it by a little noise."""
NOISE = 0.05


@dataclass(frozen=True)
class Seen:
    logits: Tensor


class Brightness(nn.Module):
    """The nearest shade of the mean over rows ``rows``: a real classifier, only that nobody had to train it."""

    def __init__(self, rows: slice = slice(None), never: Sequence[int] = ()) -> None:
        super().__init__()
        self.rows = rows
        self.head = nn.Linear(1, len(SHADES))
        shades = torch.tensor(SHADES)
        # -(m - s)^2 less what all classes share, m^2, is linear in m; 20: sharp, with gradients everywhere.
        self.head.weight.data = 20 * 2 * shades[:, None]
        self.head.bias.data = -20 * shades.square()
        self.head.bias.data[list(never)] = -1e3

    def forward(self, images: Tensor) -> Seen:
        return Seen(self.head(images[:, :, self.rows].mean(dim=(1, 2, 3))[:, None]))


def judge(rows: slice = slice(None), never: Sequence[int] = ()) -> ImageJudge:
    """A judge that looks at ``rows`` and never answers with one of ``never``."""
    return ImageJudge(Brightness(rows, never), Preprocessing((8, 8)))


def trained_on(base: LoadedBase, labels: Sequence[int], steps: int = 150) -> LoadedBase:
    """``base`` trained on the shades of ``labels``, by the v-prediction loss."""
    schedule = v_schedule()
    unet = copy.deepcopy(base.network).train()
    optimizer = torch.optim.Adam(unet.parameters(), 4e-3)
    rng = torch.Generator().manual_seed(0)
    known, shades = torch.tensor(labels), torch.tensor(SHADES)
    for step in range(steps):
        for group in optimizer.param_groups:
            group["lr"] = 4e-3 * (1 - step / steps)
        c = known[torch.randint(len(known), (32,), generator=rng)]
        x = shades[c].view(-1, 1, 1, 1) + NOISE * torch.randn(32, 1, 8, 8, generator=rng)
        t = torch.randint(schedule.steps, (32,), generator=rng)
        eps = torch.randn(x.shape, generator=rng)
        x_t = schedule.add_noise(x, eps, t)
        a, b = schedule.a[t].view(-1, 1, 1, 1), schedule.b[t].view(-1, 1, 1, 1)
        loss = F.mse_loss(unet(x_t, t, class_labels=c).sample, a * eps - b * x)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    return replace(base, network=unet.eval(), schedule=schedule)


def v_schedule() -> VariancePreserving:
    return replace(linear_schedule(), prediction_type="v_prediction")
