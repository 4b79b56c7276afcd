"""How fast one step is beside the base model's own sampler at the number of steps where its quality saturates. Both in
one run, in turns, so that a noisy machine is noisy for both."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from diffusers import StableDiffusionPipeline

from benchmarks.emoji.beside import base_model_sampler, distilled_generator
from benchmarks.emoji.shown import FIRST_SEED
from sfd_core.base_model.manifest import BaseModel
from sfd_core.families.loading import load_base

BATCH = 16


@dataclass(frozen=True)
class Pair:
    """Two ways to make ``images`` images. ``held``: whether the target is about this pair."""

    name: str
    images: int
    held: bool
    one_step: Callable[[], Any]
    base_model: Callable[[], Any]


def speeds(model: BaseModel, folder: Path, device: torch.device, rounds: int, repeats: int) -> dict[str, Any]:
    """Measure every pair's rates and ratio."""
    base = load_base(model.view(next(iter(model.domains))), device)
    generator, many_steps = distilled_generator(base, device), base_model_sampler(base, device)
    generator.save(folder / "generator")
    ours, theirs = (stock(path, device) for path in (folder / "generator", model.folder))
    prompt, seeds = "a red apple, in the style of noto", range(FIRST_SEED, FIRST_SEED + BATCH)
    steps, guidance = many_steps.steps, many_steps.guidance

    def stock_pair(name: str, n: int, held: bool, output: str = "np") -> Pair:
        return Pair(
            name,
            n,
            held,
            lambda: ours([prompt] * n, num_inference_steps=1, guidance_scale=1, output_type=output),
            lambda: theirs([prompt] * n, num_inference_steps=steps, guidance_scale=guidance, output_type=output),
        )

    def own_pair(name: str, n: int, held: bool) -> Pair:
        return Pair(
            name,
            n,
            held,
            lambda: generator.sample_prompts([prompt] * n, seeds[:n]),
            lambda: many_steps.sample_prompts([prompt] * n, seeds[:n]),
        )

    pairs = [
        own_pair(f"{BATCH} images", BATCH, True),
        stock_pair("one image, stock diffusers", 1, True),
        stock_pair(f"{BATCH} images, stock diffusers", BATCH, True),
        stock_pair(f"{BATCH} images, stock diffusers, latents alone", BATCH, False, "latent"),
        own_pair(f"one image, computed in a batch of {BATCH} so that its bytes never differ", 1, False),
    ]
    return {"steps": steps, "guidance": guidance, "rows": [measured(pair, rounds, repeats) for pair in pairs]}


def stock(folder: Path, device: torch.device) -> Any:
    """Open a pipeline folder by diffusers itself, in the precision in which everything is sampled here."""
    pipe = StableDiffusionPipeline.from_pretrained(folder, local_files_only=True, dtype=torch.float32)
    pipe.set_progress_bar_config(disable=True)
    return pipe.to(device)


def measured(pair: Pair, rounds: int, repeats: int) -> dict[str, Any]:
    """Measure both sides in turns, after one call of each to warm up."""
    pair.one_step()
    pair.base_model()
    times = [(_seconds(pair.one_step, repeats), _seconds(pair.base_model, 1)) for _ in range(rounds)]
    row = summary(pair, times)
    print(f"{pair.name}: {row['ratio']} times as fast ({', '.join(str(r) for r in row['ratios'])})", flush=True)
    return row


def summary(pair: Pair, times: Sequence[tuple[float, float]]) -> dict[str, Any]:
    """Return medians over rounds of (seconds a call of one step, of the base model); the ratio is the rounds'
    median."""
    ours, theirs = (statistics.median(pair.images / side for side in sides) for sides in zip(*times, strict=True))
    ratios = [many / one for one, many in times]
    return {
        "name": pair.name,
        "images": pair.images,
        "held": pair.held,
        "one_step_images_per_second": round(ours, 2),
        "base_model_images_per_second": round(theirs, 2),
        "ratio": round(statistics.median(ratios), 2),
        "ratios": [round(ratio, 2) for ratio in ratios],
    }


def _seconds(call: Callable[[], Any], repeats: int) -> float:
    began = time.perf_counter()
    for _ in range(repeats):
        call()
    if torch.cuda.is_available():
        torch.cuda.synchronize()
    return (time.perf_counter() - began) / repeats
