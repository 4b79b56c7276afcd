"""A class-conditional U-Net as a score network: eps- or v-prediction, a class label as condition."""

from __future__ import annotations

from torch import Tensor

from sfd_core.families.score import NetworkScore


class ClassUnetScore(NetworkScore):
    """The score ``f(x_t, t, c)`` of a ``UNet2DModel`` with class embeddings, or of what is asked as one."""

    def forward(self, x_t: Tensor, t: Tensor, c: Tensor) -> Tensor:
        """Return x0 [B, C, H, W] in float32 from x_t [B, C, H, W], t [B] and class labels c [B]."""
        return self.x0(x_t, t, class_labels=c)

    def guided(self, x_t: Tensor, t: Tensor, c: Tensor, *kappas: float) -> tuple[Tensor, ...]:
        """Return the same for each of ``kappas``, all of which must be 1: these networks have no unconditional side."""
        if any(kappa != 1 for kappa in kappas):
            raise ValueError(f"a class-conditional network cannot be guided: kappas are {kappas}, must be 1")
        return (self(x_t, t, c),) * len(kappas)
