"""A network over latents as a score network that is asked by prompts: a row of a :class:`PromptTable` as condition."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import Tensor, nn

from sfd_core.families.parameterization import Parameterization
from sfd_core.families.score import GuidedScore
from sfd_core.families.text.prompt_table import PromptTable


class PromptScore(GuidedScore):
    """The score ``f(x_t, t, c)`` of a network, guided or not. ``settings``: as of any network."""

    def __init__(self, network: nn.Module, schedule: Parameterization, table: PromptTable, **settings: Any) -> None:
        super().__init__(network, schedule, **settings)
        self.table = table

    def asked(self, c: Tensor) -> Mapping[str, Tensor]:
        """Return the embeddings of rows c [B]."""
        return {"embeddings": self.table.of(c)}

    def away_from(self, c: Tensor) -> Mapping[str, Tensor]:
        """Return those of what rows c [B] are guided away from: nothing, or a negative prompt."""
        return {"embeddings": self.table.away_from(c)}

    def guided(self, x_t: Tensor, t: Tensor, c: Tensor, *kappas: float) -> tuple[Tensor, ...]:
        """Return x0 at each of ``kappas``: of a network that guides itself, asked with the number; of any other, led
        away from what rows c [B] are guided away from."""
        text = self.table.text
        if not text.guides_itself:
            return super().guided(x_t, t, c, *kappas)
        rows = self.table.of(c)
        at = {kappa: self.x0(x_t, t, embeddings=text.guided_by(rows, kappa)) for kappa in dict.fromkeys(kappas)}
        return tuple(at[kappa] for kappa in kappas)

    def ask(self, run: Callable[..., Any], x: Tensor, t: Tensor, **condition: Tensor) -> Tensor:
        return self.table.text.output(run, x, t, condition["embeddings"])

    def steered(self, x_t: Tensor, t: Tensor, c: Tensor, kappa: float) -> Tensor:
        """Return x0, guided by ``kappa`` away from the negative prompt of a row that has one, and not guided
        elsewhere."""
        has_one = self.table.has_negative(c)
        if not has_one.any():
            return self.forward(x_t, t, c)
        plain, guided = self.guided(x_t, t, c, 1.0, kappa)
        return torch.where(has_one.view(-1, 1, 1, 1), guided, plain)
