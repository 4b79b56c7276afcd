"""What tiny base models are made of: untrained judges, made-up reference statistics, the manifest's words for them."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from transformers import ResNetConfig, ResNetForImageClassification

from sfd_core.base_model.manifest import BaseModel, digest_of, file_sha256
from sfd_core.evaluation.reference import Reference, ReferenceSet
from sfd_core.families.registry import load_manifest


def untrained_judge(channels: int, concepts: Sequence[str]) -> ResNetForImageClassification:
    """A classifier over ``concepts`` with weights from torch's generator."""
    return ResNetForImageClassification(
        ResNetConfig(
            num_channels=channels,
            embedding_size=8,
            hidden_sizes=[8],
            depths=[1],
            layer_type="basic",
            id2label=dict(enumerate(concepts)),
            label2id={concept: i for i, concept in enumerate(concepts)},
        )
    )


def judge_entry(folder: str, files: Mapping[str, str], concepts: Sequence[str]) -> dict[str, object]:
    """What a manifest says of the judge in ``folder``."""
    return {
        "name": f"untrained {folder}",
        "folder": folder,
        "accuracy": 0.25,
        "accuracy_images": 400,
        "by_concept": [0.25] * len(concepts),
        "digest": digest_of({name: digest for name, digest in files.items() if name.startswith(f"{folder}/")}),
    }


def made_up_reference(concepts: Sequence[str], apart: float = 0.0) -> Reference:
    """Statistics of 50 images a concept that nobody has drawn. ``apart``: how far the features of the base model's own
    images lie from those of real ones."""
    random = np.random.default_rng(0)
    labels = np.repeat(np.arange(len(concepts)), 50)
    seen = np.where(random.random(len(labels)) < 0.9, labels, 0)
    features = random.normal(size=(len(labels), 8)).astype(np.float32)
    second = np.where(random.random(len(labels)) < 0.8, labels, 1)
    made_up = ReferenceSet(features, labels, seen, np.full(len(labels), 0.9, np.float32), second)
    return Reference(made_up, dataclasses.replace(made_up, features=features + np.float32(apart)))


def digests(folder: Path) -> dict[str, str]:
    """Every file of a model's folder but the manifest, as the manifest lists them."""
    return {
        path.relative_to(folder).as_posix(): file_sha256(path)
        for path in sorted(folder.rglob("*"))
        if path.is_file() and path.name != "manifest.json"
    }


def listed_again(folder: Path) -> BaseModel:
    """Write the digests of what lies in a model's folder into its manifest, as they are now, and read that."""
    path = folder / "manifest.json"
    manifest = json.loads(path.read_text())
    manifest["files"] = files = digests(folder)
    for part in (manifest, *manifest.get("domains", {}).values()):
        for name in {"judge", "second_judge"} & set(part):
            part[name]["digest"] = judge_entry(part[name]["folder"], files, ())["digest"]
    path.write_text(json.dumps(manifest))
    return load_manifest(folder)
