"""The base model and what is evaluated at the same seeds: their pictures, and how fast each makes an image."""

from __future__ import annotations

import time
from collections.abc import Sequence

import torch

from sfd_core.display.pictures import pairs_picture, rows_for
from sfd_core.evaluation.concept_images import seeds_of
from sfd_core.evaluation.questions import Prompts, Sample, by_label
from sfd_core.evaluation.subject import ImageSource, base_sampler_of
from sfd_core.families.device import device_name
from sfd_core.families.protocol import LoadedBase
from sfd_core.report.page import PAIR_REMAINING
from sfd_core.report.report import SamplingSpeed
from sfd_core.request.unlearning_request import UnlearningRequest

PAIR_IMAGES = 8
"""Images a concept in the before/after picture."""


def side_by_side(
    source: ImageSource, base: LoadedBase, request: UnlearningRequest, device: torch.device, prompts: Prompts | None
) -> tuple[dict[str, bytes], SamplingSpeed]:
    """Draw before and after at the same seeds, as pictures by name, and measure both sides' speed. ``prompts``: what
    the images are asked for by, if not by label."""
    concepts, base_model = base.model.concepts, ImageSource.many_steps(base_sampler_of(base, device), "base model")
    rows = rows_for(request.forget, concepts, PAIR_REMAINING)
    makes_before, makes_after = by_label(base_model.samplers, prompts), by_label(source.samplers, prompts)
    labels = [concepts.index(row.concept) for row in rows for _ in range(PAIR_IMAGES)]
    seeds = [seed for row in rows for seed in seeds_of(concepts.index(row.concept), PAIR_IMAGES)]
    began = time.perf_counter()
    before = makes_before(labels, seeds)
    base_model_speed = len(labels) / (time.perf_counter() - began)
    after = makes_after(labels, seeds)
    speed = _images_per_second(makes_after, labels, seeds)
    steps = source.network_evaluations
    titles = (
        f"{base_model.network_evaluations} network evaluations an image",
        f"{steps} network evaluation{'s' if steps > 1 else ''}, same seeds",
    )
    pictures = {
        "pairs": pairs_picture(before, after, rows, subtitles=titles),
        "pairs_narrow": pairs_picture(before, after, rows, narrow=True, subtitles=titles),
    }
    return pictures, SamplingSpeed(
        round(speed, 2),
        round(base_model_speed, 2),
        round(speed / base_model_speed, 2),
        steps,
        base_model.network_evaluations,
        device_name(device),
    )


def _images_per_second(sample: Sample, labels: Sequence[int], seeds: Sequence[int]) -> float:
    """How fast ``sample`` makes one image for each of ``labels``; it was warmed up before."""
    began = time.perf_counter()
    sample(labels, seeds)
    return len(labels) / (time.perf_counter() - began)
