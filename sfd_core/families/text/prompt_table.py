"""The conditions of a text run as rows of a table: which prompt, and which other prompt it is guided away from.

Training knows a condition by its row alone, as it knows a class by its label. Every prompt is encoded before the first
step; a step only looks rows up.
"""

from __future__ import annotations

from collections.abc import Iterable

import torch
from torch import Tensor

from sfd_core.families.text.text_parts import TextParts
from sfd_core.request.override import Condition

EMPTY = 0
"""The row of nothing asked for: what a dropped condition becomes. Of most models it is the empty prompt."""
TOGETHER = 256
"""Prompts that are in float32 at a time."""


class PromptTable:
    """The embeddings of every condition of a run, as rows. ``text``: what reads them. ``conditions``: by row.
    ``embeddings``: [prompts + 1, ...], what is led away from behind what is asked, what nothing is asked by last, kept
    on the CPU in ``dtype``: SD 1.5's are 118 kB a prompt in bf16, too much for a GPU that trains. ``positive``,
    ``negative``: [rows], the prompt of a row and the one that it is guided away from (nothing, if its condition names
    none)."""

    def __init__(self, conditions: Iterable[Condition], text: TextParts, dtype: torch.dtype = torch.float32) -> None:
        self.text = text
        asked = tuple(dict.fromkeys(conditions))
        self.conditions = (Condition(""), *asked)
        self.rows = {condition: row for row, condition in enumerate(asked, start=1)}
        prompts = list(dict.fromkeys(c.prompt for c in asked))
        away = list(dict.fromkeys(c.negative for c in asked if c.negative))
        embeddings = [
            read(some[i : i + TOGETHER]).to(dtype)
            for read, some in ((text.embeddings, prompts), (text.led_away, away))
            for i in range(0, len(some), TOGETHER)
        ]
        self.embeddings = torch.cat([*embeddings, text.nothing().to(dtype)])
        self._nothing = len(prompts) + len(away)
        at = {prompt: i for i, prompt in enumerate(prompts)}
        self.positive = torch.tensor([self._nothing, *(at[c.prompt] for c in asked)])
        led = {prompt: i for i, prompt in enumerate(away, start=len(prompts))}
        self.negative = torch.tensor([self._nothing, *(led.get(c.negative, self._nothing) for c in asked)])

    def of(self, c: Tensor) -> Tensor:
        """Return the embeddings [B, ...] on the device of the rows ``c`` [B]."""
        return self.embeddings[self.positive[c.cpu()]].to(c.device)

    def away_from(self, c: Tensor) -> Tensor:
        """Return the same of what each row is guided away from."""
        return self.embeddings[self.negative[c.cpu()]].to(c.device)

    def has_negative(self, c: Tensor) -> Tensor:
        """Return which of the rows ``c`` name a prompt that they are guided away from: bool [B]."""
        return (self.negative[c.cpu()] != self._nothing).to(c.device)
