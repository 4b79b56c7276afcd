"""How Stable Diffusion is trained. Plain: importing this does not import torch."""

from __future__ import annotations

from sfd_core.request.recipe import Recipe

STABLE_DIFFUSION = Recipe(
    alpha=1.0,
    t_init=625,
    t_min=20,
    t_max=980,
    batch=16,
    forgotten_share=0.5,
    deep_kappa=4.5,
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
"""The paper's for Stable Diffusion 1.5 at 512 pixels (``SD/run_sfd.sh`` and ``SD/training/training_loop.py`` of its
code): 8 remaining and 8 forgotten images a step, forget coefficient 1, no moving average, a tenth of the conditions
dropped. What we do differently, and the settings that undo it: docs/recipes.md."""
