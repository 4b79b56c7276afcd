"""A base model that trains in milliseconds: an untrained U-Net on 8x8 images with four concepts, an untrained judge and
made-up reference statistics, in the same files as a real one. What it draws means nothing; how it is handled does."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import torch
from diffusers import DDPMScheduler, EDMEulerScheduler, UNet2DModel

from sfd_core.base_model.manifest import BaseModel
from sfd_core.families.edm.song.song_unet import SongUNet
from sfd_core.families.registry import load_manifest
from tests.support.tiny_parts import digests, judge_entry, made_up_reference, untrained_judge

CONCEPTS = ("red", "green", "blue", "grey")


def make_tiny_edm_model(folder: Path, name: str = "tiny-edm", **scheduler: Any) -> BaseModel:
    """The same in EDM's preconditioning. ``scheduler``: what its scheduler's configuration says otherwise."""
    return make_tiny_model(folder, name, family="edm", scheduler=EDMEulerScheduler(**scheduler))


def make_tiny_song_model(folder: Path, name: str = "tiny-song") -> BaseModel:
    """The same with a network of NVlabs/edm's kind."""
    return make_tiny_model(folder, name, family="edm", scheduler=EDMEulerScheduler(), network=tiny_song)


def tiny_unet(classes: int) -> UNet2DModel:
    """Make a network of ``classes``, with weights from torch's generator."""
    return UNet2DModel(
        sample_size=8,
        in_channels=1,
        out_channels=1,
        block_out_channels=(8,),
        layers_per_block=1,
        down_block_types=("DownBlock2D",),
        up_block_types=("UpBlock2D",),
        norm_num_groups=4,
        num_class_embeds=classes,
        add_attention=False,
    )


def tiny_song(classes: int) -> SongUNet:
    """Make a network of ``classes``, with weights from torch's generator."""
    return SongUNet(
        sample_size=8,
        in_channels=1,
        out_channels=1,
        num_class_embeds=classes,
        model_channels=8,
        channel_mult=[1, 2],
        channel_mult_emb=4,
        num_blocks=1,
        attn_resolutions=[4],
    )


def make_tiny_model(
    folder: Path,
    name: str = "tiny",
    concepts: Sequence[str] = CONCEPTS,
    apart: float = 0.0,
    family: str = "class_unet",
    scheduler: Any = None,
    network: Callable[[int], Any] = tiny_unet,
) -> BaseModel:
    """Write the model into ``folder`` and read its manifest. Seeded: the same bytes every time. ``apart``: see
    :func:`tests.support.tiny_parts.made_up_reference`. ``scheduler``: how its network is written; none: as DDPM.
    ``network``: makes it."""
    with torch.random.fork_rng():
        torch.manual_seed(0)
        unet = network(len(concepts))
        judge, second_judge = (untrained_judge(1, concepts) for _ in range(2))
    unet.save_pretrained(folder / "unet")
    scheduler = scheduler or DDPMScheduler(num_train_timesteps=1000, beta_schedule="linear")
    scheduler.save_pretrained(folder / "scheduler")
    judge.save_pretrained(folder / "judge")
    second_judge.save_pretrained(folder / "second_judge")
    made_up_reference(concepts, apart).save(folder / "reference.safetensors")
    files = digests(folder)
    manifest = {
        "schema_version": 1,
        "name": name,
        "title": "Four colours",
        "family": family,
        "license": "CC0-1.0",
        "data": "none",
        "concepts": list(concepts),
        "image": {"channels": 1, "height": 8, "width": 8, "patch": 1},
        "judge": judge_entry("judge", files, concepts),
        "second_judge": judge_entry("second_judge", files, concepts),
        "reference": "reference.safetensors",
        "teacher": {"sampler": "DDIM", "network_evaluations": 4},
        "files": files,
    }
    (folder / "manifest.json").write_text(json.dumps(manifest))
    return load_manifest(folder)
