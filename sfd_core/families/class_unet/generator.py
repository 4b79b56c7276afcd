"""The one-step generator of a class-conditional U-Net: a folder of :class:`ClassConditionalPipeline`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from torch import Tensor

from sfd_core.base_model.config_checks import Checked, is_whole
from sfd_core.base_model.layout import INDEX
from sfd_core.base_model.manifest import BaseModel
from sfd_core.families.class_generator import ClassPipelineGenerator, labels_of, read_class_index
from sfd_core.families.class_unet.loading import load_class_unet
from sfd_core.families.class_unet.networks import STOCK, Networks
from sfd_core.families.class_unet.pipeline import ClassConditionalPipeline
from sfd_core.families.class_unet.schedulers import OVER_STEPS, Schedulers
from sfd_core.families.images import to_uint8
from sfd_core.families.parameterization import Parameterization
from sfd_core.families.sampling import Images


class OneStepGenerator(ClassPipelineGenerator):
    """Images from one evaluation of a U-Net each. ``start``: the time at which it is asked."""

    def __init__(self, pipe: ClassConditionalPipeline, start: float) -> None:
        super().__init__(pipe, pipe.unet, start)

    @classmethod
    def of(cls, unet: Any, schedule: Parameterization, start: float, model: BaseModel) -> OneStepGenerator:
        """Make a generator around a network in memory; the network is shared, not copied."""
        scheduler = schedule.one_step_scheduler(start)
        return cls(ClassConditionalPipeline(unet, scheduler, labels_of(model.concepts), model.image.patch), start)

    def images(self, noise: Tensor, labels: Tensor) -> Images:
        return to_uint8(self.pipe.denoise(noise, labels, output_type="pt").images)

    @classmethod
    def load(
        cls, folder: Path, device: str = "cpu", schedulers: Schedulers = OVER_STEPS, networks: Networks = STOCK
    ) -> OneStepGenerator:
        """Open a folder that :meth:`save` wrote. No Python in it is executed. ``schedulers``, ``networks``: the
        family's.

        Raises:
            ModelRefused: naming the file and what is wrong with it.
        """
        index = read_class_index(folder, ClassConditionalPipeline.__name__)
        id2label = index["id2label"]
        scheduler, start = schedulers.load_one_step(folder)
        unet = load_class_unet(folder, len(id2label), networks)
        checked = Checked(index)
        channels = unet.config.out_channels
        must = f"be a whole number whose square divides the network's {channels} channels"
        patch = checked.value("patch", lambda v: is_whole(v) and v >= 1 and channels % v**2 == 0, must, 1)
        checked.refuse(folder / INDEX)
        return cls(ClassConditionalPipeline(unet, scheduler, id2label, patch).to(device), start)
