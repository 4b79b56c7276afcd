"""Train a judge of the emoji model: an image classifier on real pictures, of the object or of the style that is shown.

    python -m models.emoji.train_judge object      # judge-object/, judge-object.log.jsonl
    python -m models.emoji.train_judge style       # judge-style/, judge-style.log.jsonl

It is never the network that is trained on, shares no code or weights with the base model (its autoencoder included),
and is a stock ``transformers`` folder. Half of what it learns from is clean, half has the imperfections of images made
in one step. Its accuracy is measured on pictures of other seeds: other backgrounds, places, sizes and turns of the same
drawings, for there are no others; and on the same pictures blurred and noisy, which says how far it can be trusted on
images that are not perfect.
"""

from __future__ import annotations

import argparse
import json
import math
import time
from dataclasses import dataclass
from pathlib import Path

import torch
import torch.nn.functional as F
from rich.progress import track
from torch import Tensor
from transformers import PreTrainedModel, ResNetConfig, ResNetForImageClassification

from models.emoji.imperfections import Strength, blurred, imperfect, noisy
from models.emoji.pictures import SIDE, atlas, augmented
from models.emoji.vocabulary import OBJECTS, STYLES
from models.shared.judges import accuracy, save

HERE = Path(__file__).parent
CONCEPTS = {"object": tuple(thing.name for thing in OBJECTS), "style": tuple(style.name for style in STYLES)}
SEEDS = {"object": 1, "style": 2}
STEPS, BATCH, LEARNING_RATE, WARMUP, SMOOTHING = 2400, 64, 3e-3, 150, 0.05
STRENGTH = Strength(bend=6, blur=2.5, noise=0.3, colour=0.15, hole=20)
HELD_OUT, HELD_OUT_ROUNDS = 900_001, 6
"""Seed of the pictures that no training sees, and how many of each drawing."""


def build_judge(concepts: tuple[str, ...]) -> ResNetForImageClassification:
    """Build a ResNet (He et al. 2015) of 0.4 M parameters on [B, 3, 64, 64]; its pooled features have 96 numbers."""
    return ResNetForImageClassification(
        ResNetConfig(
            num_channels=3,
            embedding_size=24,
            hidden_sizes=[24, 48, 96],
            depths=[1, 2, 2],
            layer_type="basic",
            id2label=dict(enumerate(concepts)),
            label2id={name: i for i, name in enumerate(concepts)},
        )
    )


def labels_of(domain: str, drawings: Tensor) -> Tensor:
    """Return the label of each drawing, by its index in the atlas ([n], object by object, in each its styles)."""
    return drawings // len(STYLES) if domain == "object" else drawings % len(STYLES)


def held_out(rounds: int = HELD_OUT_ROUNDS) -> tuple[Tensor, Tensor]:
    """Make real pictures that no training saw: ``rounds`` of each drawing, and which drawing each is of; [n, 3, 64,
    64]."""
    drawings = atlas().flatten(0, 1)
    generator = torch.Generator().manual_seed(HELD_OUT)
    pictures = [augmented(drawings, generator) for _ in range(rounds)]
    return torch.cat(pictures), torch.arange(len(drawings)).repeat(rounds)


def tests_of(x: Tensor) -> dict[str, Tensor]:
    """Return the held-out pictures as they are, and made worse in ways that have a number."""
    generator, ones = torch.Generator().manual_seed(HELD_OUT + 1), torch.ones(len(x))
    worse = {f"blur_{sigma}": blurred(x, sigma * ones) for sigma in (1.0, 2.0)}
    worse |= {f"noise_{std}": noisy(x, std * ones, generator) for std in (0.15, 0.3)}
    return {"clean": x, **worse, "imperfect": imperfect(x, STRENGTH, generator)}


@dataclass(frozen=True)
class Training:
    """The training of a judge: its seed, batches, largest learning rate, and the imperfections it learns to bear."""

    seed: int
    steps: int = STEPS
    learning_rate: float = LEARNING_RATE
    strength: Strength = STRENGTH


def train(judge: PreTrainedModel, domain: str, how: Training, log: Path) -> None:
    """Train by AdamW; writes a line of ``log`` every 300 batches with the accuracies on held-out pictures."""
    generator = torch.Generator().manual_seed(how.seed)
    drawings = atlas().flatten(0, 1)
    tests, shown = held_out()
    tested = tests_of(tests)

    def right(x: Tensor) -> float:
        answers = accuracy(judge, lambda part: judge(part).logits, x, labels_of(domain, shown), batch=144)
        return round(answers, 4)

    optimizer = torch.optim.AdamW(judge.parameters(), lr=how.learning_rate, weight_decay=0.05)
    began, total = time.monotonic(), 0.0
    judge.to(memory_format=torch.channels_last).train()  # a third faster on a CPU
    for step in track(range(how.steps), description=f"judge of {domain}s"):
        rate = min(1.0, (step + 1) / WARMUP) * 0.5 * (1 + math.cos(math.pi * step / how.steps))
        for group in optimizer.param_groups:
            group["lr"] = how.learning_rate * rate
        chosen = torch.randint(0, len(drawings), (BATCH,), generator=generator)
        x = augmented(drawings[chosen], generator)
        x[BATCH // 2 :] = imperfect(x[BATCH // 2 :], how.strength, generator)
        loss = F.cross_entropy(judge(x).logits, labels_of(domain, chosen), label_smoothing=SMOOTHING)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        total += loss.item()
        if (step + 1) % 300 == 0:
            line = {
                "step": step + 1,
                "loss": round(total / 300, 4),
                "accuracy": {name: right(x) for name, x in tested.items()},
                "seconds": round(time.monotonic() - began, 1),
            }
            total = 0.0
            with log.open("a") as file:
                file.write(json.dumps(line) + "\n")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("domain", choices=list(CONCEPTS))
    parser.add_argument("--steps", type=int, default=STEPS)
    parser.add_argument("--out", type=Path, default=HERE)
    arguments = parser.parse_args()
    name, seed = f"judge-{arguments.domain}", SEEDS[arguments.domain]
    torch.manual_seed(seed)
    judge = build_judge(CONCEPTS[arguments.domain])
    train(judge, arguments.domain, Training(seed, arguments.steps), arguments.out / f"{name}.log.jsonl")
    save(judge, arguments.out / name, SIDE, channels=3)


if __name__ == "__main__":
    main()
