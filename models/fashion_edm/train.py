"""Train the bundled EDM base model: the network of `fashion`, in EDM's preconditioning, from scratch.

    python -m models.fashion_edm.train            # resumes from build/fashion-edm if it was interrupted

Data, network, batch, rates and moving average are those of ``models/fashion/train.py``; the loss is EDM's (Karras et
al. 2022, arXiv 2206.00364, table 1). Its noise levels are spread wider than there: a sampler starts at 80, which
N(-1.2, 1.2^2) draws twice in a million images, and this network sees 640 000.
"""

from __future__ import annotations

from functools import partial
from pathlib import Path

import torch
from diffusers import EDMEulerScheduler, UNet2DModel
from torch import Tensor

from models.fashion.train import options, train
from sfd_core.families.edm.parameterization import Edm
from sfd_core.families.edm.scheduler_config import EdmConfig

HERE = Path(__file__).parent
P_MEAN, P_STD = -0.4, 1.5
"""Of ``ln sigma``, which is normal."""


def loss_of(unet: UNet2DModel, x: Tensor, c: Tensor, kind: Edm) -> Tensor:
    """Compute EDM's loss of one batch, ``E lambda(sigma) || D(x + sigma eps) - x ||^2`` over the pixels' mean; x:
    [B, 4, 14, 14], c: [B]."""
    sigma, eps = (P_MEAN + P_STD * torch.randn(len(x))).exp(), torch.randn_like(x)
    x_t = kind.add_noise(x, eps, sigma)
    x0 = kind.x0_from_output(unet(*kind.network_input(x_t, sigma), class_labels=c).sample, x_t, sigma)
    weight = kind.error_weight(sigma) / sigma.square()
    return (weight * (x0 - x).square().mean((1, 2, 3))).mean()


def main() -> None:
    scheduler = EDMEulerScheduler()
    train(partial(loss_of, kind=Edm(EdmConfig())), scheduler, options(__doc__, HERE, "build/fashion-edm"))


if __name__ == "__main__":
    main()
