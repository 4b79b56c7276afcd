"""A base model that trains in milliseconds: an untrained U-Net on 8x8 images with four concepts, an untrained judge and
made-up reference statistics, in the same files as a real one. What it draws means nothing; how it is handled does."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import torch
from diffusers import DDPMScheduler, UNet2DModel
from transformers import ResNetConfig, ResNetForImageClassification

from sfd_core.evaluation.reference import Reference, ReferenceSet
from sfd_core.manifest import BaseModel, digest_of, file_sha256, load_manifest

CONCEPTS = ("red", "green", "blue", "grey")


def make_tiny_model(folder: Path, name: str = "tiny") -> BaseModel:
    """Write the model into ``folder`` and read its manifest. Seeded: the same bytes every time."""
    with torch.random.fork_rng():
        torch.manual_seed(0)
        unet = UNet2DModel(
            sample_size=8,
            in_channels=1,
            out_channels=1,
            block_out_channels=(8,),
            layers_per_block=1,
            down_block_types=("DownBlock2D",),
            up_block_types=("UpBlock2D",),
            norm_num_groups=4,
            num_class_embeds=len(CONCEPTS),
            add_attention=False,
        )
        judge, second_judge = (
            ResNetForImageClassification(
                ResNetConfig(
                    num_channels=1,
                    embedding_size=8,
                    hidden_sizes=[8],
                    depths=[1],
                    layer_type="basic",
                    id2label=dict(enumerate(CONCEPTS)),
                    label2id={c: i for i, c in enumerate(CONCEPTS)},
                )
            )
            for _ in range(2)
        )
    unet.save_pretrained(folder / "unet")
    DDPMScheduler(num_train_timesteps=1000, beta_schedule="linear").save_pretrained(folder / "scheduler")
    judge.save_pretrained(folder / "judge")
    second_judge.save_pretrained(folder / "second_judge")
    made_up = _reference(np.random.default_rng(0))
    Reference(made_up, made_up).save(folder / "reference.safetensors")
    files = {
        path.relative_to(folder).as_posix(): file_sha256(path)
        for path in sorted(folder.rglob("*"))
        if path.is_file() and path.name != "manifest.json"
    }
    manifest = {
        "schema_version": 1,
        "name": name,
        "title": "Four colours",
        "family": "class_unet",
        "license": "CC0-1.0",
        "data": "none",
        "concepts": list(CONCEPTS),
        "image": {"channels": 1, "height": 8, "width": 8, "patch": 1},
        "judge": _judge("judge", files),
        "second_judge": _judge("second_judge", files),
        "reference": "reference.safetensors",
        "teacher": {"sampler": "DDIM", "network_evaluations": 4},
        "files": files,
    }
    (folder / "manifest.json").write_text(json.dumps(manifest))
    return load_manifest(folder)


def _judge(folder: str, files: dict[str, str]) -> dict[str, object]:
    return {
        "name": f"untrained {folder}",
        "folder": folder,
        "accuracy": 0.25,
        "accuracy_images": 400,
        "by_concept": [0.25] * len(CONCEPTS),
        "digest": digest_of({n: d for n, d in files.items() if n.startswith(f"{folder}/")}),
    }


def _reference(random: np.random.Generator) -> ReferenceSet:
    labels = np.repeat(np.arange(len(CONCEPTS)), 50)
    seen = np.where(random.random(len(labels)) < 0.9, labels, 0)
    features = random.normal(size=(len(labels), 8)).astype(np.float32)
    second = np.where(random.random(len(labels)) < 0.8, labels, 1)
    return ReferenceSet(features, labels, seen, np.full(len(labels), 0.9, np.float32), second)
