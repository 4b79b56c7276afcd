"""How Stable Diffusion XL is trained. Plain: importing this does not import torch."""

from __future__ import annotations

from sfd_core.families.stable_diffusion.recipe import STABLE_DIFFUSION

SDXL = STABLE_DIFFUSION
"""Nobody has published SFD's settings for it: those of Stable Diffusion 1.5, which has the same schedule (scaled-linear
betas 0.00085..0.012) and is guided in the same way (SiD-LSG, arXiv 2406.01561: kappa 4.5 throughout). *Unmeasured* at
real size."""
