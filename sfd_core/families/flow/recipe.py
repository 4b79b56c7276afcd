"""How flow-matching models are trained. Plain: importing this does not import torch."""

from __future__ import annotations

from sfd_core.request.recipe import Recipe

FLOW = Recipe(
    alpha=1.0,
    t_init=1,
    t_min=0.001,
    t_max=0.999,
    batch=16,
    forgotten_share=0.5,
    deep_kappa=4.5,
    lr_generator=5e-6,
    lr_fake_score=5e-6,
    ema=0.0,
    kappa1=4.5,
    kappa2=4.5,
    kappa3=4.5,
    kappa4=4.5,
    condition_dropout=0.1,
    evaluate_every=200,
)
"""SiD-DiT's settings (arXiv 2509.25127, ``run_sid_dit.sh``), one for SANA, SD3, SD3.5 and FLUX: alpha 1, kappas 4.5,
both rates 5e-6, no moving average. Beside them SFD's for text to image (arXiv 2409.11219): 8 remaining and 8 forgotten
images a step and a tenth of the conditions dropped; SiD-DiT's batch is 256. The generator starts at sigma 1, theirs at
0.999: docs/adr/0019. *Unmeasured* at real size."""
