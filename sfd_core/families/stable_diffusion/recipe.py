"""How Stable Diffusion is trained. Plain: importing this does not import torch."""

from __future__ import annotations

from sfd_core.request.recipe import Recipe

STABLE_DIFFUSION = Recipe(
    alpha=1.0,
    t_init=625,
    t_min=20,
    t_max=980,
    batch=8,
    forgotten_share=0.5,
    deep_weight=0.0,
    lr_generator=1e-6,
    lr_fake_score=3e-6,
    ema=0.0,
    kappa1=4.5,
    kappa2=4.5,
    kappa3=4.5,
    kappa4=4.5,
    condition_dropout=0.1,
    evaluate_every=200,
)
"""The paper's for Stable Diffusion 1.5 at 512 pixels (forget coefficient 1, no moving average), but for two numbers
that it does not give: half of a batch is asked for a forgotten concept, a tenth of the conditions is dropped."""
