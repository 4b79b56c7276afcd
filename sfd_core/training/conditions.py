"""Which conditions a step asks for, what overrides each, and how much each counts.

A condition is a number: a class label of a class-conditional model, a row of the prompt table of a text-to-image one.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from sfd_core.families.protocol import ConditionTable
from sfd_core.request.recipe import Recipe

Judge = Callable[[Tensor], Tensor]
"""Images [B, C, H, W] in the network's space to the judge's logits [B, concepts]."""


@dataclass(frozen=True)
class Conditions:
    """One merged batch: remaining and forgotten conditions together.

    ``c``: [B] what the generator and the fake score are asked for. ``w``: [B] the weights w(c).
    """

    c: Tensor
    w: Tensor


class ConditionSampler:
    """A source of the conditions of a step, drawn from a table, and of their overrides o(c)."""

    def __init__(self, table: ConditionTable, recipe: Recipe, device: torch.device) -> None:
        self.forgotten = [torch.tensor(conditions, dtype=torch.long) for conditions in table.forgotten]
        self.remaining = torch.tensor(table.remaining, dtype=torch.long)
        self.choices = {c: torch.tensor(choices, dtype=torch.long) for c, choices in table.overrides.items()}
        self.judged = frozenset(table.judged)
        self.dropped = table.dropped
        self.recipe = recipe
        self.device = device

    def draw(self, generator: torch.Generator, step: int = 0) -> Conditions:
        """Draw the batch of a step: some images are asked for a forgotten concept, the others for a remaining one.

        The forgotten ones take turns from step to step, so that each is asked for equally often however many there are
        (to one image); each of a concept's conditions is equally likely.
        """
        batch = self.recipe.batch
        n_f = self.recipe.forgotten_images(len(self.forgotten)) if self.forgotten else 0
        turns = range(step * n_f, (step + 1) * n_f)
        c = torch.cat([self._forgotten_of(turns, generator), _choose(self.remaining, batch - n_f, generator)])
        w = torch.ones(batch)
        w[:n_f] = self.recipe.forget_weight
        return Conditions(c.to(self.device), w.to(self.device))

    def draw_deep(self, generator: torch.Generator, step: int) -> tuple[Tensor, Tensor]:
        """Draw the conditions of ``L_deep``, as many forgotten as remaining ones: [B / 2] each. The forgotten take
        turns as those of a batch do."""
        half = self.recipe.deep_images // 2
        turns = range(step * half, (step + 1) * half)
        drawn = self._forgotten_of(turns, generator), _choose(self.remaining, half, generator)
        return drawn[0].to(self.device), drawn[1].to(self.device)

    def _forgotten_of(self, turns: range, generator: torch.Generator) -> Tensor:
        """A condition for each of the turns, of the concept whose turn it is."""
        asked = [_choose(self.forgotten[turn % len(self.forgotten)], 1, generator) for turn in turns]
        return torch.cat([self.remaining[:0], *asked])

    def overrides(self, c: Tensor, generator: torch.Generator) -> Tensor:
        """Draw o(c) for ``c`` [B]: [B]. Where a judge chooses it is c still, until :meth:`chosen`."""
        o = [int(_choose(self.choices[i], 1, generator)) if i in self.choices else i for i in c.tolist()]
        return torch.tensor(o, dtype=torch.long).to(self.device)

    def chosen(self, c: Tensor, o: Tensor, f: Tensor, judge: Judge | None) -> Tensor:
        """Return the overrides ``o`` of ``c``, [B], with what the judge chooses where it is asked: the remaining
        concept that it rather sees in ``f`` [B, C, H, W], what a network shows of the condition."""
        asked = torch.tensor([i in self.judged for i in c.tolist()], dtype=torch.bool)
        if not bool(asked.any()):
            return o
        if judge is None:
            raise ValueError("an override by the judge needs a judge")
        with torch.no_grad():
            logits = judge(f.detach()[asked.to(f.device)]).cpu()
        o = o.cpu().clone()
        o[asked] = self.remaining[logits[:, self.remaining].argmax(dim=1)]
        return o.to(self.device)

    def some_dropped(self, c: Tensor, generator: torch.Generator) -> Tensor:
        """Drop some of ``c`` [B], for the fake score's own loss: it keeps an unconditional side to be guided from (Ho &
        Salimans 2022)."""
        if self.dropped is None or not self.recipe.condition_dropout:
            return c
        dropped = torch.rand(len(c), generator=generator) < self.recipe.condition_dropout
        return c.masked_fill(dropped.to(c.device), self.dropped)


def _choose(conditions: Tensor, n: int, generator: torch.Generator) -> Tensor:
    """``n`` of ``conditions``, uniformly, with replacement. One to choose from leaves the generator as it is."""
    if n == 0:
        return conditions[:0]
    if len(conditions) == 1:
        return conditions.repeat(n)
    return conditions[torch.randint(0, len(conditions), (n,), generator=generator)]
