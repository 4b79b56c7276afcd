"""What :mod:`tests.support.shades` is for classes, for prompts: a stock text-to-image U-Net to which a word is a shade of
grey, under an autoencoder that only enlarges. It trains in seconds, so that what a probe must find is known."""

from __future__ import annotations

import copy
import dataclasses
from collections.abc import Sequence
from types import SimpleNamespace
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from sfd_core.evaluation.judge import ImageJudge
from sfd_core.families.sampling import evaluation_prompts
from sfd_core.families.stable_diffusion.loading import LoadedPipeline
from tests.support.shades import NOISE, SHADES, Brightness, v_schedule
from tests.support.tiny_text_model import OBJECTS


class Enlarging(nn.Module):
    """An autoencoder whose latents are pixels of twice the edge: the first three of four channels are the colours."""

    config = SimpleNamespace(scaling_factor=0.5, block_out_channels=(8, 8))

    def __init__(self) -> None:
        super().__init__()
        self.one = nn.Parameter(torch.ones(1), requires_grad=False)

    @property
    def dtype(self) -> torch.dtype:
        return self.one.dtype

    def decode(self, latents: Tensor) -> Any:
        return SimpleNamespace(sample=F.interpolate(latents[:, :3] * self.config.scaling_factor, scale_factor=2))

    def encode(self, images: Tensor) -> Any:
        latents = F.avg_pool2d(images, 2)[:, [0, 1, 2, 0]] / self.config.scaling_factor
        return SimpleNamespace(latent_dist=SimpleNamespace(mode=lambda: latents))


def judge(rows: slice = slice(None)) -> ImageJudge:
    """A judge of the four objects' shades that looks at ``rows``."""
    return ImageJudge(Brightness(rows), (16, 16), patch=1)


def trained_on(base: LoadedPipeline, labels: Sequence[int], steps: int = 250) -> LoadedPipeline:
    """``base`` trained on the shades of the objects ``labels``, asked by the evaluation's prompts and, so that it can be
    guided, by the empty one, by the v-prediction loss."""
    text = dataclasses.replace(base.text, vae=Enlarging())
    asked = evaluation_prompts(base.model)
    assert asked is not None
    embeddings = torch.stack([text.embeddings(asked.texts([label] * 4, range(4))) for label in range(len(OBJECTS))])
    empty = text.embeddings([""])
    schedule = v_schedule()
    unet = copy.deepcopy(base.network).train()
    optimizer = torch.optim.Adam(unet.parameters(), 4e-3)
    rng = torch.Generator().manual_seed(0)
    known, shades = torch.tensor(labels), torch.tensor(SHADES)
    for step in range(steps):
        for group in optimizer.param_groups:
            group["lr"] = 4e-3 * (1 - step / steps)
        label = known[torch.randint(len(known), (32,), generator=rng)]
        c = embeddings[label, torch.randint(4, (32,), generator=rng)].clone()
        c[:3] = empty
        x = (shades[label].view(-1, 1, 1, 1) + NOISE * torch.randn(32, 4, 8, 8, generator=rng)) / 0.5
        t = torch.randint(schedule.steps, (32,), generator=rng)
        eps = torch.randn(x.shape, generator=rng)
        x_t = schedule.add_noise(x, eps, t)
        a, b = schedule.a[t].view(-1, 1, 1, 1), schedule.b[t].view(-1, 1, 1, 1)
        loss = F.mse_loss(unet(x_t, t, encoder_hidden_states=c).sample, a * eps - b * x)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    return dataclasses.replace(base, network=unet.eval(), schedule=schedule, text=text)
