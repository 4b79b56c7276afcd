"""A diffusion transformer as the probes attack it: its condition is a row of each block's table of class embeddings."""

from __future__ import annotations

import torch
from diffusers import DiTTransformer2DModel
from torch import Tensor
from torch.func import functional_call

from sfd_core.families.attacked import Asked
from sfd_core.families.dit.network import null_class
from sfd_core.families.latent_network import LatentNetwork
from sfd_core.families.learned_range import without_variance

TABLE = "transformer_blocks.{block}.norm1.emb.class_embedder.embedding_table.weight"
"""Diffusers gives every block a table of its own; the published checkpoints of DiT, which has one, fill all alike."""


class AttackedDit(LatentNetwork):
    """A ``DiTTransformer2DModel``. Embeddings are [n, blocks, D]."""

    network: DiTTransformer2DModel

    def embeddings(self, asked: Asked) -> Tensor:
        """Return the rows of these labels; a fine-tuning of the network reaches them."""
        labels = torch.tensor(asked, device=self.device)
        return torch.stack([self.network.get_parameter(table)[labels] for table in self._tables()], dim=1)

    def nothing(self) -> Tensor:
        """Return those of the null class."""
        return self.embeddings([null_class(self.network)])

    def output(self, x_t: Tensor, t: Tensor, c: Tensor) -> Tensor:
        """Run the network with ``c`` in place of its own tables, of which each image then is one row."""
        tables = dict(zip(self._tables(), c.unbind(dim=1), strict=True))
        rows = {"class_labels": torch.arange(len(c), device=c.device), "return_dict": False}
        output: Tensor = functional_call(self.network, tables, self.schedule.network_input(x_t, t), rows)[0]
        return without_variance(output, x_t)

    def _tables(self) -> list[str]:
        return [TABLE.format(block=block) for block in range(len(self.network.transformer_blocks))]
