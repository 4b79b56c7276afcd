"""How diffusion transformers are trained. Plain: importing this does not import torch."""

from __future__ import annotations

from sfd_core.request.recipe import Recipe

DIT = Recipe(
    alpha=1.0,
    t_init=440,
    t_min=38,
    t_max=712,
    batch=16,
    forgotten_share=0.5,
    lr_generator=5e-6,
    lr_fake_score=5e-6,
    ema=0.0,
    kappa1=1.5,
    kappa2=1.5,
    kappa3=1.5,
    kappa4=1.5,
    condition_dropout=0.1,
    evaluate_every=200,
)
"""Put together from what is published of its kin, and *unmeasured* on a real DiT. Times: those of the paper's
class-conditional DDPMs, which have DiT's schedule; they are the noise levels of Stable Diffusion's 625 and 20..980 too.
``alpha`` and the learning rates: SiD-DiT's, of diffusion transformers (no moving average there). Guidance: DiT's own
for its best FID (Peebles & Xie 2023, arXiv 2212.09748: 1.5); ``DiTPipeline`` draws single pictures at 4. Dropped
conditions: DiT's own share. Batch: the paper's for Stable Diffusion, 8 remaining and 8 forgotten images a step."""
