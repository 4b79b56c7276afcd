"""The conditions of a text run as rows of a table: which prompt, and which other prompt it is guided away from.

Training knows a condition by its row alone, as it knows a class by its label. Every prompt is encoded before the first
step; a step only looks rows up.
"""

from __future__ import annotations

from collections.abc import Iterable

import torch
from torch import Tensor

from sfd_core.families.stable_diffusion.text_parts import TextParts
from sfd_core.request.override import Condition

EMPTY = 0
"""The row of the empty prompt: what a dropped condition becomes."""
TOGETHER = 256
"""Prompts that are in float32 at a time."""


class PromptTable:
    """The embeddings of every condition of a run, as rows. ``conditions``: by row. ``embeddings``: [prompts, L, D],
    kept on the CPU in ``dtype``: SD 1.5's are 118 kB a prompt in bf16, too much for a GPU that trains. ``positive``,
    ``negative``: [rows], the prompt of a row and the one that it is guided away from (the empty one, if its condition
    names none)."""

    def __init__(self, conditions: Iterable[Condition], text: TextParts, dtype: torch.dtype = torch.float32) -> None:
        self.conditions = tuple(dict.fromkeys((Condition(""), *conditions)))
        self.rows = {condition: row for row, condition in enumerate(self.conditions)}
        prompts = list(dict.fromkeys(prompt for c in self.conditions for prompt in (c.prompt, c.negative)))
        at = {prompt: i for i, prompt in enumerate(prompts)}
        pieces = (prompts[i : i + TOGETHER] for i in range(0, len(prompts), TOGETHER))
        self.embeddings = torch.cat([text.embeddings(some).to(dtype) for some in pieces])
        self.positive = torch.tensor([at[c.prompt] for c in self.conditions])
        self.negative = torch.tensor([at[c.negative] for c in self.conditions])

    def of(self, c: Tensor) -> Tensor:
        """Return the embeddings [B, L, D] on the device of the rows ``c`` [B]."""
        return self.embeddings[self.positive[c.cpu()]].to(c.device)

    def away_from(self, c: Tensor) -> Tensor:
        """Return the same of what each row is guided away from."""
        return self.embeddings[self.negative[c.cpu()]].to(c.device)

    def has_negative(self, c: Tensor) -> Tensor:
        """Return which of the rows ``c`` name a prompt that they are guided away from: bool [B]."""
        return (self.negative[c.cpu()] != self.negative[EMPTY]).to(c.device)
