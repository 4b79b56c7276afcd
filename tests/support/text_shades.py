"""What :mod:`tests.support.shades` is for classes, for prompts: a network to which a word is a shade of grey, under an
autoencoder that only enlarges. Nothing is trained: its one layer is solved for, so what a probe must find is known."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from types import SimpleNamespace
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from sfd_core.evaluation.judge import ImageJudge
from sfd_core.evaluation.preprocessing import Preprocessing
from sfd_core.families.autoencoder import Autoencoder
from sfd_core.families.parameterization import VariancePreserving
from sfd_core.families.sampling import evaluation_prompts
from sfd_core.families.text.loaded import LoadedPipeline
from tests.support.shades import NOISE, SHADES, Brightness, v_schedule

SCALE = 0.5


class Enlarging(nn.Module):
    """An autoencoder whose latents are pixels of twice the edge, scaled: the first three of four channels are the
    colours."""

    config = SimpleNamespace(scaling_factor=SCALE, block_out_channels=(8, 8))

    def __init__(self) -> None:
        super().__init__()
        self.one = nn.Parameter(torch.ones(1), requires_grad=False)

    @property
    def dtype(self) -> torch.dtype:
        return self.one.dtype

    @property
    def device(self) -> torch.device:
        return self.one.device

    def decode(self, latents: Tensor) -> Any:
        return SimpleNamespace(sample=F.interpolate(latents[:, :3] * SCALE, scale_factor=2))

    def encode(self, images: Tensor) -> Any:
        latents = F.avg_pool2d(images, 2)[:, [0, 1, 2, 0]] / SCALE
        return SimpleNamespace(latent_dist=SimpleNamespace(mode=lambda: latents))


class ShadeByWords(nn.Module):
    """A network whose image is one shade, linear in what the text encoder makes of a prompt, and a little of the noise
    that it is given; a v-prediction, as stock ones put out."""

    config = SimpleNamespace(sample_size=8, in_channels=4)

    def __init__(self, width: int, schedule: VariancePreserving) -> None:
        super().__init__()
        self.shade = nn.Linear(width, 1)
        self.a, self.b = schedule.a, schedule.b

    def forward(self, x_t: Tensor, t: Tensor, encoder_hidden_states: Tensor, return_dict: bool = True) -> Any:
        shade = self.shade(encoder_hidden_states.flatten(1)).view(-1, 1, 1, 1)
        at = t.expand(len(x_t))
        a, b = self.a[at].view(-1, 1, 1, 1), self.b[at].view(-1, 1, 1, 1)
        x0 = (shade + NOISE * x_t).expand(len(x_t), 4, 8, 8)
        output = (a * x_t - x0) / b
        return SimpleNamespace(sample=output) if return_dict else (output,)


def judge(rows: slice = slice(None), never: Sequence[int] = ()) -> ImageJudge:
    """A judge of the four objects' shades that looks at ``rows`` and never answers with one of ``never``."""
    return ImageJudge(Brightness(rows, never), Preprocessing((16, 16)))


def knowing(base: LoadedPipeline, instead: Mapping[int, int] | None = None) -> LoadedPipeline:
    """``base``, of four objects, with a network that answers each object's prompts with its shade, or with that of the
    object ``instead``; its least-squares solution. It is sampled without guidance."""
    text, asked = dataclasses.replace(base.text, autoencoder=Autoencoder(Enlarging())), evaluation_prompts(base.model)
    assert asked is not None
    labels = [label for label in range(len(SHADES)) for _ in range(4)]
    embedded = text.embeddings(asked.texts(labels, [seed for _ in SHADES for seed in range(4)])).flatten(1)
    shades = torch.tensor([SHADES[(instead or {}).get(label, label)] for label in labels])
    network = ShadeByWords(embedded.shape[1], v_schedule())
    network.shade.bias.data.fill_(shades.mean())
    solved = torch.linalg.pinv((embedded - embedded.mean(dim=0)).double()) @ (shades - shades.mean()).double()
    network.shade.weight.data = solved.float()[None]
    network.shade.bias.data -= embedded.mean(dim=0) @ solved.float()
    figures = {"network_evaluations": 4, "guidance": 1.0}
    model = dataclasses.replace(base.model, figures=figures, distilled=None)
    return dataclasses.replace(base, model=model, network=network.eval(), schedule=v_schedule(), text=text)
