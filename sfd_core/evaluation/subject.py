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
from numpy.typing import NDArray

from sfd_core.evaluation.questions import Sample, SamplePrompts, Samplers
from sfd_core.families.protocol import Generator, LoadedBase
from sfd_core.families.registry import family_of
from sfd_core.families.sampling import ImageSampler, PromptSampler

Kind = Literal["one_step", "few_steps", "many_steps", "refusal"]


@dataclass(frozen=True)
class ImageSource:
    """A source of the images that are evaluated. ``sample``: makes its images; ``sample_prompts``: the same by prompt
    (text to image). ``generator``: where the images are those of one. ``refused``: labels of which a filter makes no
    image."""

    kind: Kind
    title: str
    network_evaluations: int
    sample: Sample
    generator: Generator | None = None
    refused: frozenset[int] = frozenset()
    sample_prompts: SamplePrompts | None = None

    @classmethod
    def of_generator(cls, generator: Generator, title: str | None = None) -> ImageSource:
        by_prompt = generator.sample_prompts if isinstance(generator, PromptSampler) else None
        kind: Kind = "one_step" if (steps := generator.network_evaluations) == 1 else "few_steps"
        said = title or ("one-step generator" if kind == "one_step" else f"generator of {steps} steps")
        return cls(kind, said, steps, generator.sample_labels, generator, sample_prompts=by_prompt)

    @classmethod
    def many_steps(cls, sampler: ImageSampler, title: str) -> ImageSource:
        by_prompt = sampler.sample_prompts if isinstance(sampler, PromptSampler) else None
        return cls("many_steps", title, sampler.network_evaluations, sampler.sample_labels, sample_prompts=by_prompt)

    @property
    def samplers(self) -> Samplers:
        """What an evaluation makes its images with."""
        return Samplers(self.sample, self.sample_prompts)

    def refusing(self, labels: Collection[int]) -> ImageSource:
        """Return the same behind a filter: asked for one of ``labels`` it makes no image. In pictures that is a black
        one."""

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


def base_sampler_of(base: LoadedBase, device: torch.device | str, steps: int | None = None) -> ImageSampler:
    """Return the untouched base model at ``steps`` steps an image (default: its own)."""
    return family_of(base.model.family).base_sampler(base, device, steps)


def open_generator(
    folder: Path, base: LoadedBase, steps: int | None = None, device: torch.device | str = "cpu"
) -> ImageSource:
    """Open a generator of ``base``'s concepts that was made elsewhere, as its family does.

    Raises:
        ModelRefused: for a folder that is none, or whose concepts or images are not the base model's.
    """
    opened = family_of(base.model.family).open_elsewhere(folder, base, steps, device)
    if isinstance(opened, Generator):
        return ImageSource.of_generator(opened, folder.name)
    return ImageSource.many_steps(opened, folder.name)
