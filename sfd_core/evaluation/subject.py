"""What is evaluated: whatever makes an image for a class label and a seed. A generator that a job has made, one made
elsewhere, or a base model behind a filter: all go through the same code."""

from __future__ import annotations

import dataclasses
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
import torch
from diffusers import UNet2DModel
from numpy.typing import NDArray

from sfd_core.errors import ModelRefused
from sfd_core.evaluation.judged import Sample
from sfd_core.evaluation.teacher import TeacherSampler
from sfd_core.generator import OneStepGenerator
from sfd_core.loading import LoadedBase, load_unet, read_config
from sfd_core.pipeline import ClassConditionalPipeline

Kind = Literal["one_step", "many_steps", "refusal"]


@dataclass(frozen=True)
class Evaluated:
    """``sample``: makes its images. ``generator``: the network itself where it makes an image in one step, which is
    what the probes work on; ``None`` for the others. ``refused``: labels of which a filter makes no image."""

    kind: Kind
    title: str
    network_evaluations: int
    sample: Sample
    generator: OneStepGenerator | None = None
    refused: frozenset[int] = frozenset()

    @classmethod
    def one_step(cls, generator: OneStepGenerator, title: str = "one-step generator") -> Evaluated:
        return cls("one_step", title, 1, generator.sample_labels, generator)

    @classmethod
    def many_steps(cls, sampler: TeacherSampler, title: str) -> Evaluated:
        return cls("many_steps", title, sampler.steps, sampler.sample_labels)

    def refusing(self, labels: Collection[int]) -> Evaluated:
        """The same behind a filter: asked for one of ``labels`` it makes no image. In pictures that is a black one."""

        def sample(asked: Sequence[int], seeds: Sequence[int]) -> NDArray[np.uint8]:
            images = self.sample(asked, seeds).copy()
            images[np.isin(asked, list(labels))] = 0
            return images

        return dataclasses.replace(
            self, kind="refusal", title=f"{self.title}, refusing the label", sample=sample, refused=frozenset(labels)
        )


def open_generator(
    folder: Path, base: LoadedBase, steps: int | None = None, device: torch.device | str = "cpu"
) -> Evaluated:
    """Open a generator of ``base``'s concepts: a folder that Lethe published, or a class-conditional diffusers U-Net
    (``unet/``) over the base model's own schedule, sampled by DDIM with ``steps`` (default: the base model's own).

    Raises:
        ModelRefused: for a folder that is neither, or whose classes or images are not the base model's.
    """
    concepts = base.model.concepts
    if _is_one_step(folder):
        generator = OneStepGenerator.load(folder, str(device))
        if generator.concepts != concepts:
            raise ModelRefused(f"{folder}: makes {', '.join(generator.concepts)}; the base model {', '.join(concepts)}")
        _same_shape(folder, generator.pipe.unet, base)
        if generator.pipe.config.patch != base.model.image.patch:
            theirs, ours = generator.pipe.config.patch, base.model.image.patch
            raise ModelRefused(f"{folder}: patch is {theirs}, the base model's {ours}")
        if steps not in (None, 1):
            raise ModelRefused(f"{folder}: a one-step generator; it cannot be sampled in {steps} steps")
        return Evaluated.one_step(generator, folder.name)
    if not (folder / "unet" / "config.json").is_file():
        raise ModelRefused(f"{folder}: neither a one-step generator's model_index.json nor unet/config.json")
    unet = load_unet(folder / "unet")
    _same_shape(folder, unet, base)
    _same_schedule(folder, base)
    steps = steps or int(base.model.teacher["network_evaluations"])
    return Evaluated.many_steps(TeacherSampler(dataclasses.replace(base, unet=unet), steps, device), folder.name)


def _is_one_step(folder: Path) -> bool:
    """Whether the folder says that it is one of ours; other pipelines have a ``model_index.json`` too."""
    index = folder / "model_index.json"
    return index.is_file() and read_config(index).get("_class_name") == ClassConditionalPipeline.__name__


def _same_shape(folder: Path, unet: UNet2DModel, base: LoadedBase) -> None:
    for name in ("num_class_embeds", "in_channels", "sample_size"):
        if unet.config[name] != base.unet.config[name]:
            raise ModelRefused(f"{folder}: {name} is {unet.config[name]}, the base model's {base.unet.config[name]}")


def _same_schedule(folder: Path, base: LoadedBase) -> None:
    """A network works only over the schedule that it was trained with."""
    path = folder / "scheduler" / "scheduler_config.json"
    if not path.is_file():
        return
    theirs, ours = read_config(path), read_config(base.model.folder / "scheduler" / "scheduler_config.json")
    for name in ("trained_betas", "beta_schedule", "beta_start", "beta_end", "num_train_timesteps", "prediction_type"):
        if name in theirs and theirs[name] != ours.get(name, theirs[name]):
            raise ModelRefused(f"{path}: {name} is {theirs[name]}, the base model's {ours.get(name)}")
