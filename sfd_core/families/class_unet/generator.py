"""The one-step generator: sample, save as a diffusers folder, load.

``x = f_theta(b_tinit z, t_init, c)`` is exactly one step of ``EulerDiscreteScheduler`` over the first ``t_init + 1``
betas of the base model (docs/adr/0003): its initial noise is ``sigma z``, its scaled input ``b z``, its only step
gives x0. The trainer, the evaluation, ``lethe sample`` and the endpoint all sample through this class.
"""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from diffusers import EulerDiscreteScheduler, UNet2DModel
from numpy.typing import NDArray

from sfd_core.base_model.manifest import BaseModel, file_sha256
from sfd_core.base_model.safe_files import load_unet, read_config
from sfd_core.errors import ModelRefused
from sfd_core.families.class_unet import pipeline as pipeline_module
from sfd_core.families.class_unet.pipeline import ClassConditionalPipeline
from sfd_core.families.images import noise_of, noise_shape, to_uint8
from sfd_core.families.parameterization import Schedule

SAMPLE_BATCH = 16
"""Images are always made this many at a time, the last batch filled up: kernels may round differently for other batch
sizes, and image i must depend on (seed, i) alone."""


class UnknownConcept(ValueError):
    """A concept that the generator has never known; the message lists those it knows."""


class OneStepGenerator:
    """Images from one network evaluation each."""

    def __init__(self, pipe: ClassConditionalPipeline) -> None:
        self.pipe = pipe
        self.pipe.unet.eval()
        self.concepts: tuple[str, ...] = tuple(pipe.labels)

    @classmethod
    def of(cls, unet: UNet2DModel, schedule: Schedule, t_init: int, model: BaseModel) -> OneStepGenerator:
        """A generator around a network in memory; the network is shared, not copied."""
        id2label = {str(i): concept for i, concept in enumerate(model.concepts)}
        scheduler = one_step_scheduler(schedule, t_init)
        return cls(ClassConditionalPipeline(unet, scheduler, id2label, model.image.patch))

    def label(self, concept: str) -> int:
        """The class label of ``concept``. Raises ``UnknownConcept``."""
        if concept not in self.pipe.labels:
            raise UnknownConcept(f"unknown concept {concept!r}; known: {', '.join(self.concepts)}")
        return int(self.pipe.labels[concept])

    def sample(self, concept: str, n: int, seed: int) -> NDArray[np.uint8]:
        """``n`` images of ``concept``: uint8 [n, H, W] or [n, H, W, 3].

        Image i depends on (seed, i) alone, whatever n is. Raises ``UnknownConcept``.
        """
        return self.sample_labels([self.label(concept)] * n, range(seed, seed + n))

    def sample_labels(self, labels: Sequence[int], seeds: Sequence[int]) -> NDArray[np.uint8]:
        """One image for each (label, seed): uint8 [n, H, W] or [n, H, W, 3]."""
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

    @staticmethod
    def files(folder: Path) -> dict[str, str]:
        """SHA-256 of every file of a saved generator, by name: weights, configuration and pipeline. What lies beside
        it (the card, the evaluation, the record) speaks of these and is not among them."""
        parts = [
            folder / "model_index.json",
            folder / "pipeline.py",
            *folder.glob("unet/*"),
            *folder.glob("scheduler/*"),
        ]
        return {part.relative_to(folder).as_posix(): file_sha256(part) for part in sorted(parts) if part.is_file()}

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
        unet = load_unet(folder / "unet")
        path = folder / "scheduler" / "scheduler_config.json"
        config = read_config(path)
        if config.get("_class_name") != EulerDiscreteScheduler.__name__:
            raise ModelRefused(f"{path}: _class_name must be {EulerDiscreteScheduler.__name__!r}")
        scheduler = EulerDiscreteScheduler.from_config(config)
        return cls(ClassConditionalPipeline(unet, scheduler, id2label, index.get("patch", 1)).to(device))


def one_step_scheduler(schedule: Schedule, t_init: int) -> EulerDiscreteScheduler:
    """The scheduler whose single step is the generator's formula."""
    return EulerDiscreteScheduler(
        num_train_timesteps=t_init + 1,
        trained_betas=schedule.betas[: t_init + 1].tolist(),
        timestep_spacing="trailing",
        steps_offset=1,
        prediction_type=schedule.prediction_type,
    )
