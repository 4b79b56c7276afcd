"""Which conditions a step asks for, what overrides each, and how much each counts."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from sfd_core.forgetting import FixedOverride, Forget, JudgeOverride, RandomOverride
from sfd_core.recipe import Recipe

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
    """Draws the conditions of a step and answers o(c). Labels are those of the base model."""

    def __init__(self, forget: Sequence[Forget], concepts: Sequence[str], recipe: Recipe, device: torch.device) -> None:
        labels = [concepts.index(item.concept) for item in forget]
        self.forgotten = torch.tensor(labels, dtype=torch.long)
        self.remaining = torch.tensor([i for i in range(len(concepts)) if i not in labels], dtype=torch.long)
        self.recipe = recipe
        self.device = device
        # o(c) where it is a fixed class; a forgotten class with another kind of override is looked up by kind.
        self.fixed = torch.arange(len(concepts))
        self.random = torch.zeros(len(concepts), dtype=torch.bool)
        self.judged = torch.zeros(len(concepts), dtype=torch.bool)
        for item, label in zip(forget, labels, strict=True):
            match item.override:
                case FixedOverride(concept):
                    self.fixed[label] = concepts.index(concept)
                case RandomOverride():
                    self.random[label] = True
                case JudgeOverride():
                    self.judged[label] = True

    def draw(self, generator: torch.Generator) -> Conditions:
        """A batch in which ``forgotten_share`` is asked for a forgotten concept, each equally often."""
        batch = self.recipe.batch
        n_f = self.recipe.forgotten_count if len(self.forgotten) else 0
        c = torch.cat([_choose(self.forgotten, n_f, generator), _choose(self.remaining, batch - n_f, generator)])
        w = torch.ones(batch)
        w[:n_f] = self.recipe.forget_weight
        return Conditions(c.to(self.device), w.to(self.device))

    def overrides(self, c: Tensor, f_psi: Tensor, judge: Judge | None, generator: torch.Generator) -> Tensor:
        """o(c): [B]. ``f_psi`` [B, C, H, W] is what the judge looks at for the concepts that it chooses for."""
        c = c.cpu()
        o = self.fixed[c]
        random = self.random[c]
        o[random] = _choose(self.remaining, int(random.sum()), generator)
        judged = self.judged[c]
        if bool(judged.any()):
            if judge is None:
                raise ValueError("an override by the judge needs a judge")
            with torch.no_grad():
                logits = judge(f_psi.detach()[judged.to(f_psi.device)]).cpu()
            o[judged] = self.remaining[logits[:, self.remaining].argmax(dim=1)]
        return o.to(self.device)


def _choose(labels: Tensor, n: int, generator: torch.Generator) -> Tensor:
    """``n`` of ``labels``, uniformly, with replacement."""
    if n == 0:
        return labels[:0]
    return labels[torch.randint(0, len(labels), (n,), generator=generator)]
