"""Memory and time on a GPU in the shapes of Stable Diffusion 1.5 at 512 pixels, with random weights: docs/memory.md.

    python -m benchmarks.gpu training [--micro-batch 8] [--settings 5 4 2] [--json FILE]
    python -m benchmarks.gpu sampling [--json FILE]
    python -m benchmarks.gpu job [--json FILE]

Training: ``sfd_core.training.loop.Stage``'s own step, beside what ``python -m benchmarks.memory`` counts for it.
Sampling: the generator as it is published, one step, and the same pipeline asked as a teacher is, both through stock
diffusers in turns. Job: a whole one, from a pipeline's folder to its report, allowed no more memory than a card of
24 GB has. What random weights draw is noise; what it costs is the same.
"""

from __future__ import annotations

import argparse
import gc
import json
import statistics
import time
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import torch
from diffusers import AutoencoderKL, DDIMScheduler, StableDiffusionPipeline, UNet2DConditionModel
from transformers import CLIPTextConfig, CLIPTextModel, CLIPTokenizer

from benchmarks.memory import GB
from benchmarks.sd15 import SCHEDULE, SETTINGS, UNET, VAE, Bench, Setting
from sfd_core.admission import admit
from sfd_core.base_model.manifest import MANIFEST, SCHEMA_VERSION, BaseModel, file_sha256, load_manifest
from sfd_core.families.class_unet.generator import SAMPLE_BATCH, one_step_scheduler
from sfd_core.families.parameterization import schedule_from_config
from sfd_core.families.stable_diffusion.generator import TextGenerator
from sfd_core.families.stable_diffusion.text_parts import TextParts
from sfd_core.request.recipe import STABLE_DIFFUSION
from sfd_core.run import Finished, PhaseStarted, Progress, unlearn

BATCH, STEPS, ROUNDS = 8, 3, 3
TEACHER_STEPS, GUIDANCE = 50, 7.5
"""What diffusers asks a Stable Diffusion pipeline for unless it is told otherwise."""
TOKENIZER = Path("models/emoji/tokenizer")
"""CLIP's, from the bundled model: only how long a prompt becomes matters here, and every prompt becomes 77 tokens."""
CARD = 24 * 2**30 - 10**9
"""A card of 24 GB, less what its context and the kernels' own buffers take outside of torch's memory."""
JOB: dict[str, Any] = {
    "forget": [{"concept": "pistol", "override": {"prompts": ["a banana"]}}],
    "retain": {"prompts": ["a red apple", "an old castle", "a house by the sea"]},
    "budget": {"images": 16},
    "recipe": {**SETTINGS[-1].changes, "micro_batch": 1},
    "evaluation": {"images_per_concept": 4, "images_per_forgotten_concept": 4},
}
PROMPT = "a photograph of a red apple on a table"


def trained(setting: Setting, micro_batch: int, device: torch.device) -> dict[str, Any]:
    """The second step and those after it: what Adam keeps is there from then on."""
    _forget_memory(device)
    bench = Bench(setting, BATCH, micro_batch, device)
    bench.step()
    torch.cuda.reset_peak_memory_stats(device)
    seconds = [_timed(bench.step) for _ in range(STEPS)]
    weights, optimizer, gradients = bench.kept()
    row = {
        "setting": setting.name,
        "micro_batch": micro_batch,
        "weights": weights,
        "optimizer": optimizer,
        "gradients": gradients,
        "peak": torch.cuda.max_memory_allocated(device),
        "reserved": torch.cuda.max_memory_reserved(device),
        "images_per_second": round(BATCH / statistics.median(seconds), 2),
    }
    print(
        f"{setting.name}, {micro_batch} at once: peak {row['peak'] / GB:.1f}, reserved {row['reserved'] / GB:.1f}, "
        f"{row['images_per_second']} images/s",
        flush=True,
    )
    return row


def sampling(device: torch.device) -> list[dict[str, Any]]:
    """One step and the teacher's steps, a picture and four, in bf16; the published sampler's own batch, in float32."""
    _forget_memory(device)
    schedule = schedule_from_config(SCHEDULE)
    unet, vae, text_encoder, tokenizer = _parts(device)
    parts = TextParts(tokenizer, text_encoder, vae.to(memory_format=torch.channels_last))
    generator = TextGenerator(unet, one_step_scheduler(schedule, STABLE_DIFFUSION.t_init), parts)
    torch.cuda.reset_peak_memory_stats(device)
    generator.sample(PROMPT, SAMPLE_BATCH, 0)
    seconds = statistics.median(_timed(lambda: generator.sample(PROMPT, SAMPLE_BATCH, 0)) for _ in range(ROUNDS))
    rows: list[dict[str, Any]] = [
        {
            "name": f"{SAMPLE_BATCH} pictures by the endpoint's sampler, float32",
            "images_per_second": round(SAMPLE_BATCH / seconds, 2),
            "peak": torch.cuda.max_memory_allocated(device),
        }
    ]
    print(rows[0], flush=True)
    one_step, teacher = (
        _pipeline(unet, vae, text_encoder, tokenizer, scheduler)
        for scheduler in (generator.scheduler, DDIMScheduler(**SCHEDULE, clip_sample=False, steps_offset=1))
    )
    for n in (1, 4):
        rows.append(_in_turns(n, one_step, teacher))
        print(rows[-1], flush=True)
    return rows


def _in_turns(n: int, one_step: Any, teacher: Any) -> dict[str, Any]:
    def ours() -> Any:
        return one_step([PROMPT] * n, num_inference_steps=1, guidance_scale=1, output_type="np")

    def theirs() -> Any:
        return teacher([PROMPT] * n, num_inference_steps=TEACHER_STEPS, guidance_scale=GUIDANCE, output_type="np")

    ours(), theirs()
    times = [(_timed(ours), _timed(theirs)) for _ in range(ROUNDS)]
    return {
        "name": f"{n} at once, stock diffusers, bf16",
        "one_step_seconds": round(statistics.median(a for a, _ in times), 4),
        "teacher_seconds": round(statistics.median(b for _, b in times), 4),
        "ratio": round(statistics.median(b / a for a, b in times), 1),
        "ratios": [round(b / a, 1) for a, b in times],
    }


def job(device: torch.device) -> list[dict[str, Any]]:
    """By adapters on both sides, as docs/memory.md has it."""
    total = torch.cuda.get_device_properties(device).total_memory
    torch.cuda.set_per_process_memory_fraction(CARD / total, device)
    with TemporaryDirectory(prefix="lethe-gpu-") as scratch:
        model = _written(Path(scratch) / "base", device)
        _forget_memory(device)
        admitted = admit(JOB, model)
        for event in unlearn(admitted, Path(scratch) / "out", device=str(device)):
            if isinstance(event, PhaseStarted | Progress):
                print(event, f"peak {torch.cuda.max_memory_allocated(device) / GB:.1f}", flush=True)
    assert isinstance(event, Finished)
    cost, reserved = event.report["cost"], torch.cuda.max_memory_reserved(device)
    print(f"{cost}, reserved {reserved / GB:.1f}", flush=True)
    return [{"allowed": CARD, "request": JOB, "cost": cost, "reserved": reserved}]


def _written(folder: Path, device: torch.device) -> BaseModel:
    """A pipeline's folder with a manifest, and no judge."""
    unet, vae, text_encoder, tokenizer = _parts(device)
    scheduler = DDIMScheduler(**SCHEDULE, clip_sample=False, steps_offset=1)
    parts = (vae, text_encoder, tokenizer, unet, scheduler, None, None)
    StableDiffusionPipeline(*parts, requires_safety_checker=False).save_pretrained(folder)
    files = {str(p.relative_to(folder)): file_sha256(p) for p in folder.rglob("*") if p.is_file()}
    size = VAE["sample_size"]
    manifest = {
        "schema_version": SCHEMA_VERSION,
        "name": "random-sd15",
        "title": "Random weights",
        "family": "stable_diffusion",
        "license": "CC0-1.0",
        "data": "none",
        "image": {"channels": 3, "height": size, "width": size, "patch": 1},
        "files": files,
    }
    (folder / MANIFEST).write_text(json.dumps(manifest))
    return load_manifest(folder)


def _parts(device: torch.device) -> tuple[UNet2DConditionModel, AutoencoderKL, CLIPTextModel, CLIPTokenizer]:
    text = CLIPTextConfig(
        vocab_size=49408, hidden_size=768, intermediate_size=3072, num_hidden_layers=12, num_attention_heads=12
    )
    with device:
        networks = UNet2DConditionModel(**UNET), AutoencoderKL(**VAE), CLIPTextModel(text)
    unet, vae, text_encoder = (network.eval().requires_grad_(False) for network in networks)
    return unet, vae, text_encoder, CLIPTokenizer.from_pretrained(TOKENIZER, local_files_only=True)


def _pipeline(unet: Any, vae: Any, text_encoder: Any, tokenizer: Any, scheduler: Any) -> Any:
    parts = (vae, text_encoder, tokenizer, unet, scheduler, None, None)
    pipe = StableDiffusionPipeline(*parts, requires_safety_checker=False).to(torch.bfloat16)
    pipe.set_progress_bar_config(disable=True)
    return pipe


def _timed(call: Callable[[], Any]) -> float:
    torch.cuda.synchronize()
    began = time.perf_counter()
    call()
    torch.cuda.synchronize()
    return time.perf_counter() - began


def _forget_memory(device: torch.device) -> None:
    gc.collect()
    torch.cuda.empty_cache()
    torch.cuda.reset_peak_memory_stats(device)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("part", choices=("training", "sampling", "job"))
    parser.add_argument("--micro-batch", type=int, default=1, help=f"images at once, of the {BATCH} of a step")
    parser.add_argument("--settings", type=int, nargs="+", default=range(1, len(SETTINGS) + 1), help="rows, from 1")
    parser.add_argument("--json", type=Path, help="where to keep the figures")
    arguments = parser.parse_args()
    if not torch.cuda.is_available():
        raise SystemExit("benchmarks.gpu needs a GPU; python -m benchmarks.memory counts without one")
    device = torch.device("cuda", torch.cuda.current_device())
    match arguments.part:
        case "training":
            rows = [trained(SETTINGS[i - 1], arguments.micro_batch, device) for i in arguments.settings]
        case "sampling":
            rows = sampling(device)
        case _:
            rows = job(device)
    if arguments.json is not None:
        result = {"device": torch.cuda.get_device_name(device), "torch": torch.__version__, "rows": rows}
        arguments.json.write_text(json.dumps(result, indent=2) + "\n")


if __name__ == "__main__":
    main()
