"""Memory and time on a GPU in the shapes of Stable Diffusion 1.5 at 512 pixels, with random weights: docs/memory.md.

    python -m benchmarks.gpu training [--micro-batch 8] [--settings 5 4 2] [--json FILE]
    python -m benchmarks.gpu sampling [--json FILE]
    python -m benchmarks.gpu job [--json FILE]

Training: ``sfd_core.training.step.TrainingStep``'s own step, beside what ``python -m benchmarks.memory`` counts for it.
Sampling: the generator as it is published, one step, and the same pipeline asked as a base model is, both through stock
diffusers in turns. Job: a whole one, from a pipeline's folder to its report, allowed no more memory than a card of
24 GB has. What random weights draw is noise; what it costs is the same.

The quick form runs all three on the CPU, in miniature: it measures no memory, which needs a GPU.
"""

from __future__ import annotations

import argparse
import gc
import json
import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import torch
from diffusers import AutoencoderKL, DDIMScheduler, StableDiffusionPipeline, UNet2DConditionModel
from transformers import CLIPTextConfig, CLIPTextModel, CLIPTokenizer

from benchmarks.memory import GB
from benchmarks.shared.bench import SETTINGS, SMALLEST, Bench, Setting
from benchmarks.shared.command import Command, Option
from benchmarks.shared.experiment import job
from benchmarks.shared.sd15 import SCHEDULE, SHAPES, Shapes
from sfd_core.base_model.manifest import MANIFEST, SCHEMA_VERSION, BaseModel, file_sha256
from sfd_core.families.autoencoder import Autoencoder
from sfd_core.families.device import device_name
from sfd_core.families.registry import load_manifest
from sfd_core.families.sampling import SAMPLE_BATCH
from sfd_core.families.schedules import schedule_from_config
from sfd_core.families.stable_diffusion.recipe import STABLE_DIFFUSION
from sfd_core.families.stable_diffusion.text import StableDiffusionText
from sfd_core.families.text.generator import TextGenerator
from sfd_core.families.text.reader import TextReader
from sfd_core.families.text.schedulers import OneEulerStep
from sfd_core.run import Finished, PhaseStarted, Progress

BATCH, STEPS, ROUNDS = 8, 3, 3
BASE_MODEL_STEPS, GUIDANCE = 50, 7.5
"""What diffusers asks a Stable Diffusion pipeline for unless it is told otherwise."""
TOKENIZER = Path("models/emoji/tokenizer")
"""CLIP's, from the bundled model: only how long a prompt becomes matters here, and every prompt becomes 77 tokens."""
CARD = 24 * 2**30 - 10**9
"""A card of 24 GB, less what its context and the kernels' own buffers take outside of torch's memory."""
JOB: dict[str, Any] = {
    "forget": [{"concept": "pistol", "override": {"prompts": ["a banana"]}}],
    "retain": {"prompts": ["a red apple", "an old castle", "a house by the sea"]},
    "evaluation": {"images_per_concept": 4, "images_per_forgotten_concept": 4},
}
PROMPT = "a photograph of a red apple on a table"
PARTS = ("training", "sampling", "job")
NUMBERS = tuple(range(1, len(SETTINGS) + 1))
COMMAND = Command(
    "gpu",
    __doc__,
    Option("parts", ("training",), "what is measured", quick=PARTS, choices=PARTS),
    Option("--micro-batch", 1, f"images at once, of the {BATCH} of a step"),
    Option("--settings", NUMBERS, "rows by number", quick=(SETTINGS.index(SMALLEST) + 1,), choices=NUMBERS),
    Option("--steps", STEPS, "measured of each setting", quick=1),
    Option("--rounds", ROUNDS, "of each way to sample, in turns", quick=1),
    Option("--base-model-steps", BASE_MODEL_STEPS, "of the base model's sampler", quick=2),
    Option("--budget", 2 * BATCH, "images of training of the job", quick=BATCH),
    Option("--shapes", "sd15", "of the networks", quick="small", choices=tuple(SHAPES)),
    Option("--device", "cuda", "where it runs", quick="cpu"),
    Option("--json", None, "where to keep the figures", kind=Path),
)


@dataclass(frozen=True)
class Meter:
    """Time and memory of a device. On the CPU no memory is measured: its figures are None."""

    device: torch.device

    @property
    def on_gpu(self) -> bool:
        return self.device.type == "cuda"

    def timed(self, call: Callable[[], Any]) -> float:
        """Return the seconds of a call, to the end of what it has started on the device."""
        self._wait()
        began = time.perf_counter()
        call()
        self._wait()
        return time.perf_counter() - began

    def forget(self) -> None:
        """Give back what is no longer used, and forget the peaks."""
        gc.collect()
        if self.on_gpu:
            torch.cuda.empty_cache()
            torch.cuda.reset_peak_memory_stats(self.device)

    def forget_peak(self) -> None:
        """Forget the peaks alone."""
        if self.on_gpu:
            torch.cuda.reset_peak_memory_stats(self.device)

    def peaks(self) -> tuple[int | None, int | None]:
        """Return the most bytes that were allocated and reserved since."""
        if not self.on_gpu:
            return None, None
        return torch.cuda.max_memory_allocated(self.device), torch.cuda.max_memory_reserved(self.device)

    def allow(self, memory: int) -> None:
        """Let torch have no more than so many bytes."""
        if self.on_gpu:
            total = torch.cuda.get_device_properties(self.device).total_memory
            torch.cuda.set_per_process_memory_fraction(memory / total, self.device)

    def _wait(self) -> None:
        if self.on_gpu:
            torch.cuda.synchronize(self.device)


def billions(memory: int | None) -> str:
    """Write bytes in units of 10^9."""
    return "not measured (needs a GPU)" if memory is None else f"{memory / GB:.1f}"


def trained(setting: Setting, arguments: argparse.Namespace, meter: Meter) -> dict[str, Any]:
    """Measure the second step and those after it: what Adam keeps is there from then on."""
    meter.forget()
    bench = Bench(setting, BATCH, arguments.micro_batch, meter.device, SHAPES[arguments.shapes].trained)
    bench.step()
    meter.forget_peak()
    seconds = [meter.timed(bench.step) for _ in range(arguments.steps)]
    weights, optimizer, gradients = bench.kept()
    peak, reserved = meter.peaks()
    row = {
        "setting": setting.name,
        "micro_batch": arguments.micro_batch,
        "weights": weights,
        "optimizer": optimizer,
        "gradients": gradients,
        "peak": peak,
        "reserved": reserved,
        "images_per_second": round(BATCH / statistics.median(seconds), 2),
    }
    print(
        f"{setting.name}, {arguments.micro_batch} at once: peak {billions(peak)}, reserved {billions(reserved)}, "
        f"{row['images_per_second']} images/s",
        flush=True,
    )
    return row


def sampled(arguments: argparse.Namespace, meter: Meter) -> list[dict[str, Any]]:
    """Measure one step and the base model's steps, a picture and four, in bf16; the published sampler's own batch, in
    float32."""
    meter.forget()
    parts = Parts.of(SHAPES[arguments.shapes], meter.device)
    schedule = schedule_from_config(SCHEDULE)
    autoencoder = Autoencoder(parts.vae.to(memory_format=torch.channels_last))
    text = StableDiffusionText((TextReader(parts.tokenizer, parts.text_encoder),), autoencoder)
    generator = TextGenerator(parts.unet, OneEulerStep(schedule.one_step_scheduler(STABLE_DIFFUSION.t_init)), text)
    meter.forget_peak()
    generator.sample(PROMPT, SAMPLE_BATCH, 0)
    times = [meter.timed(lambda: generator.sample(PROMPT, SAMPLE_BATCH, 0)) for _ in range(arguments.rounds)]
    rows: list[dict[str, Any]] = [
        {
            "name": f"{SAMPLE_BATCH} pictures by the endpoint's sampler, float32",
            "images_per_second": round(SAMPLE_BATCH / statistics.median(times), 2),
            "peak": meter.peaks()[0],
        }
    ]
    print(rows[0], flush=True)
    one_step, base_model = parts.pipeline(generator.drawing.scheduler), parts.pipeline(base_model_scheduler())
    for pipe in (one_step, base_model):
        pipe.to(torch.bfloat16)
    for n in (1, 4):
        rows.append(in_turns(n, one_step, base_model, arguments, meter))
        print(rows[-1], flush=True)
    return rows


def in_turns(n: int, one_step: Any, base_model: Any, arguments: argparse.Namespace, meter: Meter) -> dict[str, Any]:
    """Time ``n`` pictures at once by one step and by the base model's steps, through stock diffusers."""

    def ours() -> Any:
        return one_step([PROMPT] * n, num_inference_steps=1, guidance_scale=1, output_type="np")

    def theirs() -> Any:
        steps = arguments.base_model_steps
        return base_model([PROMPT] * n, num_inference_steps=steps, guidance_scale=GUIDANCE, output_type="np")

    ours(), theirs()
    times = [(meter.timed(ours), meter.timed(theirs)) for _ in range(arguments.rounds)]
    return {
        "name": f"{n} at once, stock diffusers, bf16",
        "one_step_seconds": round(statistics.median(a for a, _ in times), 4),
        "base_model_seconds": round(statistics.median(b for _, b in times), 4),
        "ratio": round(statistics.median(b / a for a, b in times), 1),
        "ratios": [round(b / a, 1) for a, b in times],
    }


def whole_job(arguments: argparse.Namespace, meter: Meter) -> list[dict[str, Any]]:
    """Measure a whole job, by adapters on both sides, as docs/memory.md has it."""
    meter.allow(CARD)
    shapes = SHAPES[arguments.shapes]
    recipe = {**SMALLEST.changes(shapes.rank), "micro_batch": 1}
    body = {**JOB, "budget": {"images": arguments.budget, "until": "budget"}, "recipe": recipe}
    with TemporaryDirectory(prefix="lethe-gpu-") as scratch:
        model = written(Path(scratch) / "base", shapes, meter.device)
        meter.forget()
        for event in job(model, body, Path(scratch) / "out", meter.device):
            if isinstance(event, PhaseStarted | Progress):
                print(event, f"peak {billions(meter.peaks()[0])}", flush=True)
    assert isinstance(event, Finished)
    cost, (_, reserved) = event.report["cost"], meter.peaks()
    print(f"{cost}, reserved {billions(reserved)}", flush=True)
    return [{"allowed": CARD if meter.on_gpu else None, "request": body, "cost": cost, "reserved": reserved}]


@dataclass(frozen=True)
class Parts:
    """A pipeline's parts, with random weights."""

    unet: UNet2DConditionModel
    vae: AutoencoderKL
    text_encoder: CLIPTextModel
    tokenizer: CLIPTokenizer

    @classmethod
    def of(cls, shapes: Shapes, device: torch.device) -> Parts:
        """Make new networks of ``shapes``."""
        text = CLIPTextConfig(**shapes.text_encoder)
        with device:
            networks = UNet2DConditionModel(**shapes.unet), AutoencoderKL(**shapes.vae), CLIPTextModel(text)
        unet, vae, text_encoder = (network.eval().requires_grad_(False) for network in networks)
        return cls(unet, vae, text_encoder, CLIPTokenizer.from_pretrained(TOKENIZER, local_files_only=True))

    def pipeline(self, scheduler: Any) -> Any:
        """Return the stock pipeline around them."""
        parts = (self.vae, self.text_encoder, self.tokenizer, self.unet, scheduler, None, None)
        pipe = StableDiffusionPipeline(*parts, requires_safety_checker=False)
        pipe.set_progress_bar_config(disable=True)
        return pipe


def base_model_scheduler() -> DDIMScheduler:
    """Return the base model's own sampler."""
    return DDIMScheduler.from_config(SCHEDULE, clip_sample=False, steps_offset=1)


def written(folder: Path, shapes: Shapes, device: torch.device) -> BaseModel:
    """Write a pipeline's folder with a manifest, and no judge."""
    Parts.of(shapes, device).pipeline(base_model_scheduler()).save_pretrained(folder)
    files = {str(p.relative_to(folder)): file_sha256(p) for p in folder.rglob("*") if p.is_file()}
    manifest = {
        "schema_version": SCHEMA_VERSION,
        "name": "random-sd15",
        "title": "Random weights",
        "family": "stable_diffusion",
        "license": "CC0-1.0",
        "data": "none",
        "image": {"channels": 3, "height": shapes.pixels, "width": shapes.pixels, "patch": 1},
        "files": files,
    }
    (folder / MANIFEST).write_text(json.dumps(manifest))
    return load_manifest(folder)


def run(arguments: argparse.Namespace) -> str:
    """Measure the parts that are asked for."""
    if arguments.device == "cuda" and not torch.cuda.is_available():
        raise SystemExit(
            "benchmarks.gpu needs a GPU; without one: --quick runs its code on the CPU in miniature, and "
            "python -m benchmarks.memory counts"
        )
    meter = Meter(torch.device(arguments.device))
    rows: list[dict[str, Any]] = []
    for part in arguments.parts:
        match part:
            case "training":
                rows += [trained(SETTINGS[i - 1], arguments, meter) for i in arguments.settings]
            case "sampling":
                rows += sampled(arguments, meter)
            case _:
                rows += whole_job(arguments, meter)
    where = device_name(meter.device)
    if arguments.json is not None:
        result = {"device": where, "torch": torch.__version__, "rows": rows}
        arguments.json.write_text(json.dumps(result, indent=2) + "\n")
    return f"{', '.join(arguments.parts)} on {where}" + ("" if meter.on_gpu else "; memory needs a GPU")


if __name__ == "__main__":
    COMMAND.main(run)
