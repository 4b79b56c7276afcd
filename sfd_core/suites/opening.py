"""Any generator of images by prompt, opened for a benchmark: one that Lethe published, or a stock pipeline's folder
that was made elsewhere. Nothing of it is executed, and its weights are read as a base model's are."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import torch

from sfd_core.adding.recognition import family_of_folder
from sfd_core.base_model.configs import read_config
from sfd_core.base_model.layout import INDEX
from sfd_core.base_model.manifest import BaseModel, digest_of
from sfd_core.errors import ModelRefused
from sfd_core.families.loading import load_generator
from sfd_core.families.protocol import Generator
from sfd_core.families.registry import family_of, family_of_published
from sfd_core.families.sampling import Images, ImageSampler, PromptSampler
from sfd_core.families.text.base_sampler import GuidedSampler


@dataclass(frozen=True)
class Opened:
    """A generator that a benchmark asks. ``digest``: of every file that was read; ``guided``: whether it takes a
    benchmark's strength of guidance, which a generator of a few steps has built in."""

    sampler: PromptSampler
    digest: str
    family: str

    @property
    def guided(self) -> bool:
        """Whether it takes a strength of guidance."""
        return isinstance(self.sampler, GuidedSampler)

    def draw(self, prompts: list[str], seeds: list[int], guidance: float | None) -> Images:
        """Make one image for each (prompt, seed): uint8 [n, H, W, 3]; at ``guidance`` where it is guided."""
        if isinstance(self.sampler, GuidedSampler) and guidance is not None:
            return self.sampler.at(guidance).sample_prompts(prompts, seeds)
        return self.sampler.sample_prompts(prompts, seeds)


def open_any(folder: Path, device: torch.device, steps: int | None = None) -> Opened:
    """Open the generator in ``folder``. ``steps``: of a stock pipeline, by default its family's own.

    Raises:
        ModelRefused: for a folder that is none, or of a generator that is not asked by prompts.
    """
    if not folder.is_dir():
        raise ModelRefused(f"{folder}: no such folder")
    sampler: Generator | ImageSampler
    published = family_of_published(read_config(folder / INDEX)) if (folder / INDEX).is_file() else None
    if published is not None:
        if steps is not None:
            raise ModelRefused(f"{folder}: a published generator has its own number of steps: leave --steps out")
        family = published.name
        sampler = load_generator(folder, str(device))
    else:
        description, layout = family_of_folder(folder)
        family = description.name
        if not description.takes_prompts:
            raise ModelRefused(f"{folder}: a model of {family} is asked by classes; benchmarks ask by prompts")
        layout.check(folder)
        model = BaseModel(
            name=folder.name,
            title=folder.name,
            folder=folder,
            family=family,
            license="",
            data="",
            concepts=(),
            image=layout.image(folder),
            judge=None,
            reference=None,
            figures={},
            files={},
            digest="",
        )
        base = family_of(family).load(model, device)
        sampler = family_of(family).base_sampler(base, device, steps)
    if not isinstance(sampler, PromptSampler):
        raise ModelRefused(f"{folder}: a generator of {family} is asked by classes; benchmarks ask by prompts")
    return Opened(sampler, digest_of(family_of(family).files(folder)), family)
