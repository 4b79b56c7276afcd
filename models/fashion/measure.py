"""Measure the bundled base model: the judge on real images, the teacher at its own sampler; write the reference
statistics, the manifest and the card.

    python models/fashion/measure.py            # after train.py and train_judge.py

Every figure of the card comes from here.
"""

from __future__ import annotations

import argparse
import json
import time
from pathlib import Path

import numpy as np
from dataset import CONCEPTS, digest, load
from rich.progress import track

from sfd_core.evaluation.judge import ImageJudge
from sfd_core.evaluation.metrics import frechet_distance, halves
from sfd_core.evaluation.pictures import grid
from sfd_core.evaluation.reference import Reference, ReferenceSet
from sfd_core.evaluation.teacher import TeacherSampler
from sfd_core.generator import to_uint8
from sfd_core.loading import LoadedBase, load_unet
from sfd_core.manifest import BaseModel, ImageFormat, JudgeInfo, digest_of, file_sha256
from sfd_core.noise import linear_schedule

HERE = Path(__file__).parent
FIRST_SEED = 500_000_000
FILES = (
    "unet/config.json",
    "unet/diffusion_pytorch_model.safetensors",
    "scheduler/scheduler_config.json",
    "judge/config.json",
    "judge/model.safetensors",
    "judge/preprocessor_config.json",
    "reference.safetensors",
)


def seen_by(judge: ImageJudge, images: np.ndarray, labels: np.ndarray) -> ReferenceSet:
    judgement = judge.judge(images)
    confidence = judgement.probabilities[np.arange(len(labels)), labels]
    return ReferenceSet(judgement.features, labels, judgement.seen, confidence)


def teacher_samples(base: LoadedBase, steps: int, images: int) -> tuple[np.ndarray, np.ndarray, float]:
    """``images`` a concept, their labels, and the seconds that they took."""
    sampler = TeacherSampler(base, steps)
    labels = np.repeat(np.arange(len(CONCEPTS)), images)
    began, pieces = time.monotonic(), []
    for i in track(range(0, len(labels), 500), description=f"teacher, {steps} steps"):
        seeds = range(FIRST_SEED + i, FIRST_SEED + min(i + 500, len(labels)))
        pieces.append(sampler.sample_labels(labels[i : i + 500].tolist(), list(seeds)))
    return np.concatenate(pieces), labels, time.monotonic() - began


def rates(part: ReferenceSet) -> list[float]:
    return [round(float((part.seen[part.labels == i] == i).mean()), 4) for i in range(len(CONCEPTS))]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--steps", type=int, default=10, help="DDIM steps of the teacher's own sampler")
    parser.add_argument("--images", type=int, default=1000, help="teacher images a concept")
    parser.add_argument("--curve", type=int, nargs="*", default=[5, 20, 50], help="other step counts, 100 images each")
    arguments = parser.parse_args()

    unnamed = JudgeInfo("", "judge", 0.0, 0, (), "")
    model = BaseModel(
        "fashion", "", HERE, "class_unet", "", "", CONCEPTS, ImageFormat(1, 28, 28, 2), unnamed, "", {}, {}, ""
    )
    base = LoadedBase(model, load_unet(HERE / "unet"), linear_schedule())
    judge = ImageJudge.load(model)
    test_images, test_labels = load("t10k")
    real = seen_by(judge, to_uint8(test_images), test_labels.numpy())
    accuracy = float((real.seen == real.labels).mean())

    images, labels, seconds = teacher_samples(base, arguments.steps, arguments.images)
    teacher = seen_by(judge, images, labels)
    (HERE / "samples.png").write_bytes(
        grid(images.reshape(len(CONCEPTS), -1, 28, 28)[:, :12].reshape(-1, 28, 28), 12, 2)
    )
    curve = {}
    for steps in arguments.curve:
        few, few_labels, _ = teacher_samples(base, steps, 100)
        part = seen_by(judge, few, few_labels)
        curve[steps] = {
            "accuracy": round(float((part.seen == part.labels).mean()), 4),
            "fd": round(frechet_distance(real.features, part.features), 3),
        }
    Reference(real, teacher).save(HERE / "reference.safetensors")

    figures = {
        "sampler": "DDIM",
        "network_evaluations": arguments.steps,
        "images_per_concept": arguments.images,
        "accuracy": round(float((teacher.seen == teacher.labels).mean()), 4),
        "by_concept": rates(teacher),
        "features": f"judge-{teacher.features.shape[1]}",
        "fd_against_real": round(frechet_distance(real.features, teacher.features), 3),
        "fd_floor_real": round(frechet_distance(*halves(real.features)), 3),
        "images_per_second": round(len(images) / seconds, 1),
        "other_step_counts": curve,
    }
    files = {name: file_sha256(HERE / name) for name in FILES}
    manifest = {
        "schema_version": 1,
        "name": "fashion",
        "title": "Fashion-MNIST, class-conditional DDPM, 28x28",
        "family": "class_unet",
        "license": "MIT (data: Fashion-MNIST, Zalando SE, MIT)",
        "data": "Fashion-MNIST training set, 60 000 images",
        "concepts": list(CONCEPTS),
        "image": {"channels": 1, "height": 28, "width": 28, "patch": 2},
        "judge": {
            "name": "ResNet on real Fashion-MNIST",
            "folder": "judge",
            "accuracy": round(accuracy, 4),
            "accuracy_images": len(real.labels),
            "by_concept": rates(real),
            "digest": digest_of({name: value for name, value in files.items() if name.startswith("judge/")}),
        },
        "reference": "reference.safetensors",
        "teacher": figures,
        "files": files,
    }
    (HERE / "manifest.json").write_text(json.dumps(manifest, indent=2) + "\n")
    measured = {
        "judge_accuracy": accuracy,
        "teacher": figures,
        "data_sha256": {s: digest(s) for s in ("train", "t10k")},
    }
    (HERE / "measured.json").write_text(json.dumps(measured, indent=2) + "\n")
    print(json.dumps(measured, indent=2))


if __name__ == "__main__":
    main()
