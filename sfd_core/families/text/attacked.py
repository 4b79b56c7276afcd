"""A text-to-image network as the probes attack it: over latents, asked by what text encoders read of a prompt."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from typing import Any

import torch
from torch import Tensor

from sfd_core.families.attacked import Asked, PromptedNetwork
from sfd_core.families.latent_network import LatentNetwork
from sfd_core.families.parameterization import Parameterization
from sfd_core.families.text.text_parts import TextParts


class AttackedTextNetwork(LatentNetwork, PromptedNetwork):
    """A network and the text side that it is asked through. ``guidance``: of the base model's own sampler.

    A token is what all text encoders are given for it: its vectors of each, one behind the other. So the tokens that a
    search has are the words that every tokenizer reads as one.
    """

    def __init__(
        self, network: Any, schedule: Parameterization, start: float, text: TextParts, guidance: float
    ) -> None:
        super().__init__(network, schedule, start, text.autoencoder, guidance)
        self.text = text

    def embeddings(self, asked: Asked) -> Tensor:
        """Return what the text encoders make of these prompts, [n, ...]."""
        return self.text.embeddings([str(prompt) for prompt in asked]).to(self.device)

    def guided(self, x_t: Tensor, t: float, c: Tensor) -> Tensor:
        if self.text.guides_itself:
            return self.denoise(x_t, t, self.text.guided_by(c, self.guidance))
        return super().guided(x_t, t, c)

    def output(self, x_t: Tensor, t: Tensor, c: Tensor) -> Tensor:
        return self.text.output(self.network, *self.schedule.network_input(x_t, t), c)

    def nothing(self) -> Tensor:
        return self.text.nothing().to(self.device)

    @property
    def token_table(self) -> Tensor:
        rows = torch.tensor(list(self._words.values())).to(self.device)
        tables = [reader.token_table for reader in self.text.readers]
        return torch.cat([table[own] for table, own in zip(tables, rows.unbind(1), strict=True)], dim=1)

    def words(self) -> Sequence[tuple[str, int]]:
        return [(word, row) for row, word in enumerate(self._words)]

    def read(self, tokens: Tensor) -> Tensor:
        readers = self.text.readers
        vectors = tokens.split([reader.token_table.shape[1] for reader in readers], dim=2)
        return self.text.embedded([reader.states_of_tokens(own) for reader, own in zip(readers, vectors, strict=True)])

    @cached_property
    def _words(self) -> dict[str, list[int]]:
        """By word, its row of each of the encoders' tables; in the order of the first tokenizer's numbers: a search
        must not depend on the order of a dictionary."""
        known = list(self.text.readers[0].words())
        read = [reader.as_one(known) for reader in self.text.readers]
        return {word: [own[word] for own in read] for word in known if all(word in own for own in read)}
