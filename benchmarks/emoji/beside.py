"""What stands beside a generator that forgot: the distilled one, which every job starts from, judged by the same code
on the same concepts and seeds. The base model's figures are in every report; here its pictures are made."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import torch

from benchmarks.emoji.figures import figures_of
from benchmarks.emoji.jobs import Job
from benchmarks.emoji.shown import SHOWN, SHOWN_BY_BASE_MODEL, keep_shown
from benchmarks.shared.experiment import Experiment
from sfd_core.evaluation.subject import ImageSource, base_sampler_of
from sfd_core.families.protocol import LoadedBase
from sfd_core.families.registry import family_of
from sfd_core.families.text.base_sampler import GuidedSampler
from sfd_core.families.text.generator import TextGenerator

SAID_EVERY = 20.0


def beside(experiment: Experiment, job: Job, folder: Path) -> dict[str, Any]:
    """Judge the distilled generator for the request of ``job``, and keep its pictures and the base model's."""
    began, said_at = time.monotonic(), 0.0
    base, device = experiment.base, experiment.device
    generator, many_steps = distilled_generator(base, device), base_model_sampler(base, device)
    subject = ImageSource.of_generator(generator, "1 step, nothing forgotten")

    def say(done: int, of: int) -> None:
        nonlocal said_at
        if (now := time.monotonic()) - said_at >= SAID_EVERY:
            said_at = now
            print(f"distilled beside {job.name}: {done}/{of} images", flush=True)

    report = experiment.report(subject, folder / "report", "python -m benchmarks.emoji", say)
    keep_shown(generator.sample_prompts, job.shown, base.model.vocabulary, folder / SHOWN)
    keep_shown(many_steps.sample_prompts, job.shown, base.model.vocabulary, folder / SHOWN_BY_BASE_MODEL)
    return {
        "title": subject.title,
        "base_model": f"{many_steps.steps} steps, guidance {many_steps.guidance:g}",
        "figures": figures_of(report),
        "wall_seconds": {"evaluating": round(time.monotonic() - began, 1)},
    }


def distilled_generator(base: LoadedBase, device: torch.device) -> TextGenerator:
    """Return the one-step generator that the base model ships, with nothing forgotten.

    Raises:
        SystemExit: it ships none.
    """
    shipped = base.model.distilled
    if shipped is None:
        raise SystemExit(f"{base.model.folder}: the manifest names no distilled generator: run distil.py first")
    family = family_of(base.model.family)
    network = family.load_network(base.model.folder / shipped.generator).to(device)
    generator = family.generator(network, base, shipped.t_init)
    assert isinstance(generator, TextGenerator)
    return generator


def base_model_sampler(base: LoadedBase, device: torch.device) -> GuidedSampler:
    """Return the untouched base model at its own steps and guidance."""
    sampler = base_sampler_of(base, device)
    assert isinstance(sampler, GuidedSampler)
    return sampler
