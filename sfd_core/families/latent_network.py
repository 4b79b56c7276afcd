"""A network over latents as the probes attack it: pictures are encoded and decoded, and the base model's own sampler
may guide."""

from __future__ import annotations

from abc import abstractmethod
from typing import Any

import torch
from torch import Tensor

from sfd_core.families.attacked import TOGETHER, AttackedNetwork
from sfd_core.families.autoencoder import Autoencoder
from sfd_core.families.images import noise_shape
from sfd_core.families.parameterization import Parameterization


class LatentNetwork(AttackedNetwork):
    """A network over the latents of ``autoencoder``. ``guidance``: of the base model's own sampler; 1 is none."""

    def __init__(
        self, network: Any, schedule: Parameterization, start: float, autoencoder: Autoencoder, guidance: float
    ) -> None:
        super().__init__(network, schedule, start)
        self.autoencoder = autoencoder
        self.guidance = guidance
        _, height, width = noise_shape(network)
        self.together = min(TOGETHER, autoencoder.together(height * width))

    @abstractmethod
    def nothing(self) -> Tensor:
        """Return the embeddings of what the base model's own sampler guides away from: [1, ...]."""

    def guided(self, x_t: Tensor, t: float, c: Tensor) -> Tensor:
        if self.guidance == 1:
            return self.denoise(x_t, t, c)
        both = torch.cat([self.nothing().expand_as(c), c])
        away, towards = self.denoise(x_t.repeat(2, 1, 1, 1), t, both).chunk(2)
        return away + self.guidance * (towards - away)

    def pixels(self, x0: Tensor) -> Tensor:
        return self.autoencoder.decoded(x0)

    def encode(self, images: Tensor) -> Tensor:
        return self.autoencoder.latents(images)
