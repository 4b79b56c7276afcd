"""A text-to-image network as the probes attack it: over latents, asked by what a text encoder reads of a prompt."""

from __future__ import annotations

import re
from collections.abc import Sequence

import torch
from diffusers import UNet2DConditionModel
from torch import Tensor
from torch.func import functional_call

from sfd_core.families.attacked import Asked, PromptedNetwork
from sfd_core.families.latent_network import LatentNetwork
from sfd_core.families.parameterization import Parameterization
from sfd_core.families.stable_diffusion.text_parts import TextParts

BEGIN, END, FILL, SEARCHED = 0, 1, 2, 3
"""Rows of the small table of a search: the tokens that begin, end and fill up a prompt, then those that are
searched."""
WORD = re.compile(r"([a-z]+)</w>")


class AttackedUnet(LatentNetwork, PromptedNetwork):
    """A ``UNet2DConditionModel`` and the text side that it is asked through. ``guidance``: of the base model's own
    sampler."""

    network: UNet2DConditionModel

    def __init__(
        self, network: UNet2DConditionModel, schedule: Parameterization, start: float, text: TextParts, guidance: float
    ) -> None:
        super().__init__(network, schedule, start, text.autoencoder, guidance)
        self.text = text

    def embeddings(self, asked: Asked) -> Tensor:
        """Return what the text encoder makes of these prompts, [n, L, D]."""
        return self.text.embeddings([str(prompt) for prompt in asked]).to(self.device)

    def output(self, x_t: Tensor, t: Tensor, c: Tensor) -> Tensor:
        given = self.schedule.network_input(x_t, t)
        output: Tensor = self.network(*given, encoder_hidden_states=c, return_dict=False)[0]
        return output

    def nothing(self) -> Tensor:
        """Return those of the empty prompt."""
        return self.embeddings([""])

    @property
    def token_table(self) -> Tensor:
        table: Tensor = self.text.text_encoder.get_input_embeddings().weight
        return table.detach()

    def words(self) -> Sequence[tuple[str, int]]:
        known = {match[1]: row for token, row in self._vocabulary() if (match := WORD.fullmatch(token))}
        read = self.text.tokenizer(list(known), add_special_tokens=False).input_ids
        return [(word, row) for (word, row), ids in zip(known.items(), read, strict=True) if ids == [row]]

    def read(self, tokens: Tensor) -> Tensor:
        """Run the text encoder over a table of nothing but what a prompt begins and ends with and ``tokens``."""
        encoder, searches, each = self.text.text_encoder, len(tokens), tokens.shape[1]
        empty = self.text.tokenizer("", padding="max_length", max_length=self.text.longest).input_ids
        table = self.token_table
        rows = torch.cat([table[[empty[0], empty[1], empty[-1]]], tokens.flatten(0, 1)])
        ids = torch.full((searches, self.text.longest), FILL)
        ids[:, 0], ids[:, 1 + each] = BEGIN, END
        ids[:, 1 : 1 + each] = SEARCHED + torch.arange(searches * each).view(searches, each)
        mask: Tensor | None = None
        if getattr(encoder.config, "use_attention_mask", None):
            mask = (torch.arange(self.text.longest) < each + 2).expand(searches, -1).to(self.device)
        name = next(name for name, one in encoder.named_parameters() if one is encoder.get_input_embeddings().weight)
        given = {"input_ids": ids.to(self.device), "attention_mask": mask}
        states: Tensor = functional_call(encoder, {name: rows}, (), given).last_hidden_state
        return states.float()

    def _vocabulary(self) -> list[tuple[str, int]]:
        """The tokens by their rows: a search must not depend on the order of a dictionary."""
        return sorted(self.text.tokenizer.get_vocab().items(), key=lambda pair: pair[1])
