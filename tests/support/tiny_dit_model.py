"""A diffusion transformer that trains in milliseconds: a stock ``DiTPipeline``, untrained, with DiT's learned range,
five classes and 16x16 pixels from 8x8 latents, an untrained judge and made-up reference statistics. What it draws means
nothing; how it is handled does."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import torch
from diffusers import AutoencoderKL, DDIMScheduler, DiTPipeline, DiTTransformer2DModel

from sfd_core.base_model.manifest import BaseModel
from sfd_core.families.registry import load_manifest
from tests.support.tiny_parts import digests, judge_entry, made_up_reference, untrained_judge

CONCEPTS = ("goldfish", "crane (bird)", "crane (machine)", "tench", "hen")
ID2LABEL = {
    "0": "goldfish, Carassius auratus",
    "1": "crane",
    "2": "crane",
    "3": "tench, Tinca tinca",
    "4": "hen",
}
"""As ImageNet has them: several names of a class, and one of two."""


def make_tiny_dit_model(
    folder: Path, name: str = "tiny-dit", *, learned_range: bool = True, distilled: bool = False
) -> BaseModel:
    """Write the model into ``folder`` and read its manifest. Seeded: the same bytes every time. ``distilled``: with a
    distilled pair, the base model's own weights."""
    with torch.random.fork_rng():
        torch.manual_seed(0)
        pipeline = tiny_pipeline(learned_range)
        judge, second_judge = (untrained_judge(3, CONCEPTS) for _ in range(2))
    pipeline.save_pretrained(folder)
    index = folder / "model_index.json"
    index.write_text(json.dumps({**json.loads(index.read_text()), "id2label": ID2LABEL}))
    judge.save_pretrained(folder / "judge")
    second_judge.save_pretrained(folder / "second_judge")
    made_up_reference(CONCEPTS).save(folder / "reference.safetensors")
    for part in ("generator", "fake_score") if distilled else ():
        pipeline.transformer.save_pretrained(folder / "distilled" / part)
    files = digests(folder)
    pair = {"generator": "distilled/generator", "fake_score": "distilled/fake_score", "t_init": 440}
    manifest: dict[str, Any] = {
        "schema_version": 1,
        "name": name,
        "title": "Noise by class",
        "family": "dit",
        "license": "CC0-1.0",
        "data": "none",
        "concepts": list(CONCEPTS),
        "image": {"channels": 3, "height": 16, "width": 16, "patch": 1},
        "judge": judge_entry("judge", files, CONCEPTS),
        "second_judge": judge_entry("second_judge", files, CONCEPTS),
        "reference": "reference.safetensors",
        "teacher": {"sampler": "DDIM", "network_evaluations": 2, "guidance": 1.5},
        "recipe": {"batch": 4, "lr_generator": 1e-4, "lr_fake_score": 3e-4, "evaluate_every": 2},
        **({"distilled": pair} if distilled else {}),
        "files": files,
    }
    (folder / "manifest.json").write_text(json.dumps(manifest))
    return load_manifest(folder)


def tiny_pipeline(learned_range: bool = True) -> DiTPipeline:
    """Make the stock pipeline, with weights from torch's generator."""
    transformer = DiTTransformer2DModel(
        sample_size=8,
        in_channels=4,
        out_channels=8 if learned_range else 4,
        num_layers=2,
        num_attention_heads=2,
        attention_head_dim=8,
        patch_size=2,
        num_embeds_ada_norm=len(CONCEPTS),
    )
    vae = AutoencoderKL(
        block_out_channels=(8, 8),
        down_block_types=("DownEncoderBlock2D",) * 2,
        up_block_types=("UpDecoderBlock2D",) * 2,
        latent_channels=4,
        norm_num_groups=4,
        sample_size=16,
    )
    return DiTPipeline(transformer, vae, DDIMScheduler(clip_sample=False))
