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
from diffusers import UNet2DConditionModel, UNet2DModel
from numpy.typing import NDArray

from sfd_core.base_model.safe_files import load_unet, read_config
from sfd_core.errors import ModelRefused
from sfd_core.evaluation.questions import Sample, SamplePrompts, Samplers
from sfd_core.families.base_sampler import TeacherSampler, TextTeacher
from sfd_core.families.class_unet.generator import OneStepGenerator
from sfd_core.families.class_unet.pipeline import ClassConditionalPipeline
from sfd_core.families.loading import LoadedBase
from sfd_core.families.stable_diffusion.generator import TextGenerator, evaluation_prompts
from sfd_core.families.stable_diffusion.loading import check_index, load_text_parts

Kind = Literal["one_step", "many_steps", "refusal"]
TEXT_STEPS, TEXT_GUIDANCE = 50, 7.5
"""How a text-to-image model is sampled whose manifest does not say: as diffusers' ``StableDiffusionPipeline`` does."""


@dataclass(frozen=True)
class ImageSource:
    """``sample``: makes its images; ``sample_prompts``: the same by prompt (text to image). ``generator``: the
    network itself where it makes an image of a class in one step, which is what the probes work on; ``None`` for the
    others. ``refused``: labels of which a filter makes no image."""

    kind: Kind
    title: str
    network_evaluations: int
    sample: Sample
    generator: OneStepGenerator | None = None
    refused: frozenset[int] = frozenset()
    sample_prompts: SamplePrompts | None = None

    @classmethod
    def one_step(cls, generator: OneStepGenerator | TextGenerator, title: str = "one-step generator") -> ImageSource:
        if isinstance(generator, TextGenerator):
            return cls("one_step", title, 1, generator.sample_labels, sample_prompts=generator.sample_prompts)
        return cls("one_step", title, 1, generator.sample_labels, generator)

    @classmethod
    def many_steps(cls, sampler: TeacherSampler | TextTeacher, title: str) -> ImageSource:
        by_prompt = sampler.sample_prompts if isinstance(sampler, TextTeacher) else None
        return cls("many_steps", title, network_evaluations(sampler), sampler.sample_labels, sample_prompts=by_prompt)

    @property
    def samplers(self) -> Samplers:
        """What an evaluation makes its images with."""
        return Samplers(self.sample, self.sample_prompts)

    def refusing(self, labels: Collection[int]) -> ImageSource:
        """The same behind a filter: asked for one of ``labels`` it makes no image. In pictures that is a black one."""

        def sample(asked: Sequence[int], seeds: Sequence[int]) -> NDArray[np.uint8]:
            images = self.sample(asked, seeds).copy()
            images[np.isin(asked, list(labels))] = 0
            return images

        title = f"{self.title}, refusing the label"
        refused = frozenset(labels)
        # A filter of labels says nothing of prompts: what is asked for in other words is not measured.
        return dataclasses.replace(
            self, kind="refusal", title=title, sample=sample, refused=refused, sample_prompts=None
        )


def teacher_of(base: LoadedBase, device: torch.device | str, steps: int | None = None) -> TeacherSampler | TextTeacher:
    """The untouched base model at ``steps`` steps an image (default: its own)."""
    stated = base.model.teacher
    if base.model.family != "stable_diffusion":
        return TeacherSampler(base, steps or int(stated["network_evaluations"]), device)
    steps = steps or int(stated.get("network_evaluations", TEXT_STEPS))
    return TextTeacher(base, steps, float(stated.get("guidance", TEXT_GUIDANCE)), device)


def network_evaluations(teacher: TeacherSampler | TextTeacher) -> int:
    """How often a many-step sampler asks its network for an image: twice a step where it is guided."""
    guided = isinstance(teacher, TextTeacher) and teacher.guidance != 1
    return teacher.steps * (2 if guided else 1)


def open_generator(
    folder: Path, base: LoadedBase, steps: int | None = None, device: torch.device | str = "cpu"
) -> ImageSource:
    """Open a generator of ``base``'s concepts: a folder that Lethe published, or a network of its family over its
    own schedule, sampled by DDIM with ``steps`` (default: the base model's own): a class-conditional diffusers U-Net
    (``unet/``), or a Stable Diffusion pipeline.

    Raises:
        ModelRefused: for a folder that is neither, or whose classes or images are not the base model's.
    """
    if base.model.family == "stable_diffusion":
        return _open_text(folder, base, steps, device)
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
        return ImageSource.one_step(generator, folder.name)
    if not (folder / "unet" / "config.json").is_file():
        raise ModelRefused(f"{folder}: neither a one-step generator's model_index.json nor unet/config.json")
    unet: UNet2DModel = load_unet(folder / "unet")
    _same_shape(folder, unet, base)
    _same_schedule(folder, base)
    return ImageSource.many_steps(teacher_of(dataclasses.replace(base, unet=unet), device, steps), folder.name)


def _is_one_step(folder: Path) -> bool:
    """Whether the folder says that it is one of ours; other pipelines have a ``model_index.json`` too."""
    index = folder / "model_index.json"
    return index.is_file() and read_config(index).get("_class_name") == ClassConditionalPipeline.__name__


def _open_text(folder: Path, base: LoadedBase, steps: int | None, device: torch.device | str) -> ImageSource:
    """A pipeline folder: one of ours is known by its schedule, which ends where its only step starts."""
    check_index(folder)
    unet: UNet2DConditionModel = load_unet(folder / "unet", UNet2DConditionModel)
    _same_shape(folder, unet, base)
    last = read_config(folder / "scheduler" / "scheduler_config.json").get("num_train_timesteps")
    if isinstance(last, int) and last < base.schedule.steps:
        if steps not in (None, 1):
            raise ModelRefused(f"{folder}: a one-step generator; it cannot be sampled in {steps} steps")
        generator = TextGenerator.load(folder, str(device), evaluation_prompts(base))
        return ImageSource.one_step(generator, folder.name)
    _same_schedule(folder, base)
    other = dataclasses.replace(base, unet=unet, text=load_text_parts(folder))
    return ImageSource.many_steps(teacher_of(other, device, steps), folder.name)


def _same_shape(folder: Path, unet: UNet2DModel | UNet2DConditionModel, base: LoadedBase) -> None:
    condition = "num_class_embeds" if isinstance(unet, UNet2DModel) else "cross_attention_dim"
    for name in (condition, "in_channels", "sample_size"):
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
