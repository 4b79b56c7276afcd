"""Class-conditional U-Nets, ``UNet2DModel`` of diffusers and NVlabs' ``SongUNet``, in EDM's preconditioning (Karras et
al. 2022, arXiv 2206.00364), as ``EDMEulerScheduler`` has it: asked by a class label, at any noise level."""

from __future__ import annotations

from sfd_core.families.class_unet import DESCRIPTION as CLASS_UNET
from sfd_core.families.class_unet.layout import NETWORKS, class_layout
from sfd_core.families.description import Description
from sfd_core.families.edm.scheduler_config import SCHEDULERS, read_edm_scheduler
from sfd_core.families.edm.song.config import NETWORK, check_song_unet
from sfd_core.families.edm.times import check_levels
from sfd_core.request.recipe import Recipe

DESCRIPTION = Description(
    "edm",
    conditions=CLASS_UNET.conditions,
    # Times are noise levels. SiD (arXiv 2404.04057): the generator starts at 2.5; the times of its loss end at 800 of
    # 1000 on the way from 0.002 to 80, as sigma^(1/7) counts.
    recipe=Recipe(t_init=2.5, t_min=0.002, t_max=24.4),
    budget_images=CLASS_UNET.budget_images,
    checked_for_one=CLASS_UNET.checked_for_one,
    pipelines=CLASS_UNET.pipelines,
    one_step_scheduler="EDMEulerScheduler",
    without=CLASS_UNET.without,
    check_times=check_levels,
    folder=class_layout(read_edm_scheduler, SCHEDULERS, {**NETWORKS, NETWORK: check_song_unet}),
)
