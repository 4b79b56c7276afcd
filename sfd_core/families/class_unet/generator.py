"""The class-conditional one-step generator: sample, save as a diffusers folder, load.

``x = f_theta(b_tinit z, t_init, c)`` is exactly one step of ``EulerDiscreteScheduler`` over the first ``t_init + 1``
betas of the base model (docs/adr/0003): its initial noise is ``sigma z``, its scaled input ``b z``, its only step
gives x0. Quick evaluations in training, the report, ``lethe sample`` and the endpoint all sample generators of this
family through this class; text-to-image ones have their own, in ``families/stable_diffusion/generator.py``.
"""

from __future__ import annotations

import shutil
from collections.abc import Collection, Sequence
from pathlib import Path

import numpy as np
import torch
from diffusers import UNet2DModel
from numpy.typing import NDArray

from sfd_core.base_model.config_checks import Checked, is_whole
from sfd_core.base_model.configs import read_config
from sfd_core.base_model.manifest import BaseModel
from sfd_core.errors import ModelRefused
from sfd_core.families.class_unet import pipeline as pipeline_module
from sfd_core.families.class_unet.loading import load_class_unet
from sfd_core.families.class_unet.pipeline import ClassConditionalPipeline
from sfd_core.families.images import noise_of, noise_shape, to_uint8
from sfd_core.families.one_step import load_one_step_scheduler
from sfd_core.families.parameterization import Parameterization
from sfd_core.families.sampling import SAMPLE_BATCH, ClassSampler


class OneStepGenerator(ClassSampler):
    """Images from one network evaluation each."""

    def __init__(self, pipe: ClassConditionalPipeline) -> None:
        self.pipe = pipe
        self.network: UNet2DModel = pipe.unet.eval()
        # By label: JSON sorts "10" before "2".
        self.concepts: tuple[str, ...] = tuple(sorted(pipe.labels, key=pipe.labels.__getitem__))

    @property
    def start(self) -> int:
        """The step at which it asks its network: the last of its scheduler."""
        return int(self.pipe.scheduler.config.num_train_timesteps) - 1

    @classmethod
    def of(cls, unet: UNet2DModel, schedule: Parameterization, start: float, model: BaseModel) -> OneStepGenerator:
        """Make a generator around a network in memory; the network is shared, not copied."""
        id2label = {str(i): concept for i, concept in enumerate(model.concepts)}
        scheduler = schedule.one_step_scheduler(start)
        return cls(ClassConditionalPipeline(unet, scheduler, id2label, model.image.patch))

    def sample_labels(self, labels: Sequence[int], seeds: Sequence[int]) -> NDArray[np.uint8]:
        """Make one image for each (label, seed): uint8 [n, H, W] or [n, H, W, 3]."""
        batches = [
            self._batch(labels[i : i + SAMPLE_BATCH], seeds[i : i + SAMPLE_BATCH])
            for i in range(0, len(labels), SAMPLE_BATCH)
        ]
        return np.concatenate(batches)

    def _batch(self, labels: Sequence[int], seeds: Sequence[int]) -> NDArray[np.uint8]:
        n = len(labels)
        filled = [*labels, *[labels[-1]] * (SAMPLE_BATCH - n)]
        noise = noise_of([*seeds, *[seeds[-1]] * (SAMPLE_BATCH - n)], noise_shape(self.pipe.unet))
        images = self.pipe.denoise(noise, torch.tensor(filled, device=self.pipe.device), output_type="pt").images
        return to_uint8(images[:n])

    def save(self, folder: Path) -> None:
        """Write a diffusers folder: ``model_index.json``, ``unet/``, ``scheduler/`` and the pipeline's own source."""
        self.pipe.save_pretrained(folder, safe_serialization=True)
        shutil.copyfile(Path(pipeline_module.__file__), folder / "pipeline.py")

    @classmethod
    def load(cls, folder: Path, device: str = "cpu") -> OneStepGenerator:
        """Open a folder that :meth:`save` wrote. Its ``pipeline.py`` is not executed.

        Raises:
            ModelRefused: naming the file and what is wrong with it.
        """
        index = read_config(folder / "model_index.json")
        id2label = index.get("id2label")
        if index.get("_class_name") != ClassConditionalPipeline.__name__ or not isinstance(id2label, dict):
            raise ModelRefused(f"{folder}: not the folder of a class-conditional generator")
        if set(id2label) != {str(label) for label in range(len(id2label))} or not _are_names(id2label.values()):
            raise ModelRefused(
                f"{folder / 'model_index.json'}: id2label must name each class from 0 on, all differently"
            )
        scheduler = load_one_step_scheduler(folder)
        unet = load_class_unet(folder, len(id2label))
        checked = Checked(index)
        channels = unet.config.out_channels
        must = f"be a whole number whose square divides the network's {channels} channels"
        patch = checked.value("patch", lambda v: is_whole(v) and v >= 1 and channels % v**2 == 0, must, 1)
        checked.refuse(folder / "model_index.json")
        return cls(ClassConditionalPipeline(unet, scheduler, id2label, patch).to(device))


def _are_names(names: Collection[object]) -> bool:
    return all(isinstance(name, str) for name in names) and len(set(names)) == len(names)
