"""The loss that every base model is trained by."""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor

from sfd_core.families.parameterization import VariancePreserving

MIN_SNR = 5.0


def denoising_loss(predicted: Tensor, eps: Tensor, schedule: VariancePreserving, t: Tensor) -> Tensor:
    """Return eps-prediction's loss with min-SNR-5 weights (Hang et al. 2023, arXiv 2303.09556), which converges in
    fewer steps than the unweighted one; predicted, eps: [B, C, H, W], t: [B]."""
    snr = (schedule.a[t] / schedule.b[t]) ** 2
    weight = snr.clamp(max=MIN_SNR) / snr
    return (weight * F.mse_loss(predicted, eps, reduction="none").mean((1, 2, 3))).mean()
