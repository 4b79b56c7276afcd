"""A class-conditional U-Net as the probes attack it: its condition is a row of its table of class embeddings."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from diffusers import UNet2DModel
from torch import Tensor
from torch.func import functional_call

from sfd_core.families.attacked import Asked, AttackedNetwork
from sfd_core.families.parameterization import Parameterization

TABLE = "class_embedding.weight"


class AttackedClassUnet(AttackedNetwork):
    """A ``UNet2DModel`` over cells of ``patch`` x ``patch`` pixels."""

    network: UNet2DModel

    def __init__(self, network: UNet2DModel, schedule: Parameterization, start: float, patch: int) -> None:
        super().__init__(network, schedule, start)
        self.patch = patch

    def embeddings(self, asked: Asked) -> Tensor:
        """Return the rows of these labels, [n, D]; a fine-tuning of the network reaches them."""
        table: Tensor = self.network.class_embedding.weight
        return table[torch.tensor(asked, device=table.device)]

    def output(self, x_t: Tensor, t: Tensor, c: Tensor) -> Tensor:
        """Run the network with ``c`` in place of its own table, of which each image then is one row."""
        rows = {"class_labels": torch.arange(len(c), device=c.device), "return_dict": False}
        output: Tensor = functional_call(self.network, {TABLE: c}, self.schedule.network_input(x_t, t), rows)[0]
        return output

    def pixels(self, x0: Tensor) -> Tensor:
        return F.pixel_shuffle(x0, self.patch)

    def encode(self, images: Tensor) -> Tensor:
        return F.pixel_unshuffle(images, self.patch)
