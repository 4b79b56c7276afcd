"""Train the second judge of the bundled base model, so that no figure rests on the errors of one network.

    python -m models.fashion.train_second_judge              # both phases
    python -m models.fashion.train_second_judge --phase 2    # the second alone, from what the first left

Two judges are worth more than one only if they err apart. This one has another architecture (ConvNeXt instead of
ResNet), sees the image at its own size, and is trained with another seed and another augmentation (each image turned,
scaled and moved on its own, with noise); it shares no weights, features or order of images with the first.
Its accuracy is measured on the 10 000 test images, which no training here ever sees.

Two phases: ten epochs with the whole augmentation, which hold a network this small back, then five with a quarter of
it. Each has its own seed, warm-up and optimizer, so the second can be run alone.
"""

from __future__ import annotations

import argparse
import json
import math
import time
from pathlib import Path

import torch
import torch.nn.functional as F
from rich.progress import track
from torch import Tensor
from transformers import ConvNextConfig, ConvNextForImageClassification

from models.fashion.dataset import CONCEPTS, load
from models.shared.judges import accuracy, save

HERE = Path(__file__).parent
SEED, BATCH, WARMUP = 2, 128, 300
PHASES = ((10, 2e-3, 1.0), (5, 1.5e-3, 0.25))
"""Of each phase: epochs, largest learning rate, strength of the augmentation."""
TURN, SCALE, SHIFT, NOISE = 0.12, 0.08, 0.08, 0.04
"""Largest turn in radians, largest relative scale, largest shift in half images, standard deviation of the noise."""


def build_judge() -> ConvNextForImageClassification:
    """Build a ConvNeXt (Liu et al. 2022) of 0.14 M parameters on [B, 1, 28, 28]; its pooled features have 64
    numbers."""
    return ConvNextForImageClassification(
        ConvNextConfig(
            num_channels=1,
            image_size=28,
            patch_size=2,
            num_stages=2,
            hidden_sizes=[32, 64],
            depths=[2, 3],
            layer_scale_init_value=0.0,  # plain residuals: its usual 1e-6 is for deep networks and long trainings
            id2label=dict(enumerate(CONCEPTS)),
            label2id={c: i for i, c in enumerate(CONCEPTS)},
        )
    )


def augment(x: Tensor, strength: float) -> Tensor:
    """Turn, scale and move each image on its own, and add noise; x: [B, 1, 28, 28] in [-1, 1]."""
    n = len(x)
    turn = (torch.rand(n) * 2 - 1) * TURN * strength
    scale = 1 + (torch.rand(n) * 2 - 1) * SCALE * strength
    shift = (torch.rand(n, 2) * 2 - 1) * SHIFT * strength
    cos, sin = turn.cos() * scale, turn.sin() * scale
    affine = torch.stack(
        [torch.stack([cos, -sin, shift[:, 0]], 1), torch.stack([sin, cos, shift[:, 1]], 1)], 1
    )  # [B, 2, 3]
    # Black outside: the grid's padding is zero, so the image is moved where black is zero and back.
    moved = F.grid_sample(x + 1, F.affine_grid(affine, list(x.shape), align_corners=False), align_corners=False) - 1
    return (moved + torch.randn_like(moved) * NOISE * strength).clamp(-1, 1)


def learning_rate(step: int, steps: int, largest: float) -> float:
    """Return the learning rate of a step: a linear warm-up, then a cosine to zero."""
    return largest * min(1.0, (step + 1) / WARMUP) * 0.5 * (1 + math.cos(math.pi * step / steps))


def train(judge: ConvNextForImageClassification, phase: int, out: Path) -> None:
    """Train one phase, 1 or 2; writes a line of ``second_judge.log.jsonl`` an epoch."""
    epochs, largest, strength = PHASES[phase - 1]
    images, labels = load("train")
    test_images, test_labels = load("t10k")
    optimizer = torch.optim.AdamW(judge.parameters(), lr=largest, weight_decay=0.05)
    steps_an_epoch = len(images) // BATCH
    total, step, began = epochs * steps_an_epoch, 0, time.monotonic()
    judge.train()
    for epoch in range(epochs):
        order = torch.randperm(len(images))[: steps_an_epoch * BATCH]
        for chosen in track(order.split(BATCH), description=f"second judge, phase {phase}, epoch {epoch + 1}"):
            for group in optimizer.param_groups:
                group["lr"] = learning_rate(step, total, largest)
            logits = judge(augment(images[chosen], strength)).logits
            loss = F.cross_entropy(logits, labels[chosen], label_smoothing=0.02)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            step += 1
        line = {
            "phase": phase,
            "epoch": epoch + 1,
            "loss": round(loss.item(), 4),
            "test_accuracy": accuracy(judge, lambda x: judge(x).logits, test_images, test_labels, batch=500),
            "seconds": round(time.monotonic() - began, 1),
        }
        with (out / "second_judge.log.jsonl").open("a") as log:
            log.write(json.dumps(line) + "\n")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--phase", type=int, choices=[1, 2], help="one phase alone; without it, both")
    parser.add_argument("--out", type=Path, default=HERE)
    arguments = parser.parse_args()
    torch.manual_seed(SEED)
    judge = build_judge()
    if arguments.phase != 2:
        train(judge, 1, arguments.out)
        save(judge, arguments.out / "second_judge", side=28, channels=1)
    if arguments.phase != 1:
        judge = ConvNextForImageClassification.from_pretrained(arguments.out / "second_judge")
        torch.manual_seed(SEED + 1)
        train(judge, 2, arguments.out)
        save(judge, arguments.out / "second_judge", side=28, channels=1)


if __name__ == "__main__":
    main()
