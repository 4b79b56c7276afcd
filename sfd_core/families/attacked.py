"""A network as the probes attack it: asked in one evaluation, on tensors and with gradients. Each family has one,
beside its ``family.py``; a probe knows these methods alone and so works on every family.

The letters are those of the losses: x_t is in the network's own space (cells of pixels, latents), c is an *embedding*,
what the network itself is conditioned on, so that a search can move it.
"""

from __future__ import annotations

import copy
from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Any, Self, TypeAlias

import torch
from torch import Tensor

from sfd_core.families.images import noise_shape
from sfd_core.families.parameterization import Parameterization

TOGETHER = 64
"""Small images that are in a network at a time."""
Asked: TypeAlias = Sequence[int] | Sequence[str]
"""What each image is asked for by: class labels, or prompts."""


class AttackedNetwork(ABC):
    """A network that is used once an image: ``f(b_tinit z, t_init, c)``.

    ``network``: its weights, which a fine-tuning may change. ``start``: the time of t_init. Images are [B, C, H, W] in
    [-1, 1] up to what the network overshoots; z and other noise are unit noise in the network's own space.
    ``together``: how many images are made, or differentiated, at a time.
    """

    together = TOGETHER

    def __init__(self, network: Any, schedule: Parameterization, start: float) -> None:
        self.network = network
        self.schedule = schedule
        self.start = start

    @abstractmethod
    def embeddings(self, asked: Asked) -> Tensor:
        """Return what the network is conditioned on where it is asked for these: [n, ...]."""

    @abstractmethod
    def output(self, x_t: Tensor, t: Tensor, c: Tensor) -> Tensor:
        """Return what the network puts out for x_t [B, ...] at t [B] under embeddings c [B, ...]."""

    @abstractmethod
    def pixels(self, x0: Tensor) -> Tensor:
        """Return the images [B, C, H, W] that x0 [B, ...] stands for."""

    @abstractmethod
    def encode(self, images: Tensor) -> Tensor:
        """Return the x0 [B, ...] that stands for ``images`` [B, C, H, W] in [-1, 1]."""

    def guided(self, x_t: Tensor, t: float, c: Tensor) -> Tensor:
        """Return x0 as the base model's own sampler asks for it: guided where it guides."""
        return self.denoise(x_t, t, c)

    def denoise(self, x_t: Tensor, t: float, c: Tensor) -> Tensor:
        """Return x0 [B, ...] from x_t [B, ...] at time t in one evaluation, not guided."""
        at = torch.full((len(x_t),), t, device=x_t.device)
        return self.schedule.x0_from_output(self.output(x_t, at, c).float(), x_t, at)

    def draw(self, z: Tensor, c: Tensor) -> Tensor:
        """Return the x0 that the generator makes of unit noise z [B, ...] under embeddings c [B, ...]."""
        at = torch.full((len(z),), self.start, device=z.device)
        return self.denoise(self.schedule.pure_noise(z, at), self.start, c)

    def images(self, z: Tensor, c: Tensor) -> Tensor:
        """Make images from unit noise z under embeddings c; gradients flow into both and into the weights."""
        return self.pixels(self.draw(z, c))

    def noise(self, n: int, rng: torch.Generator) -> Tensor:
        """Draw unit noise [n, ...], on the CPU so that every device sees the same."""
        return torch.randn(n, *noise_shape(self.network), generator=rng).to(self.device)

    @property
    def device(self) -> torch.device:
        device: torch.device = next(self.network.parameters()).device
        return device

    def copy(self) -> Self:
        """Return the same with weights of its own, to be trained."""
        other = copy.copy(self)
        other.network = copy.deepcopy(self.network)
        return other


class PromptedNetwork(AttackedNetwork):
    """A network that is asked by prompts: rows of a vocabulary's tokens, which a text encoder reads. A search may put
    in their place any vectors (*soft* tokens) or the words of the vocabulary (*real* ones)."""

    @property
    @abstractmethod
    def token_table(self) -> Tensor:
        """The vectors of all tokens that the text encoder knows: [V, D]."""

    @abstractmethod
    def words(self) -> Sequence[tuple[str, int]]:
        """List the tokens that are whole words, each with its row of the table: a prompt of such words, with a space
        between any two, is read as just these tokens."""

    @abstractmethod
    def read(self, tokens: Tensor) -> Tensor:
        """Return the embeddings [S, ...] of prompts that consist of ``tokens`` [S, K, D] and nothing else; gradients
        flow into these."""
