"""Train the second judge of a domain of the emoji model, so that no figure rests on the errors of one network.

    python -m models.emoji.train_second_judge object      # second-judge-object/, second-judge-object.log.jsonl
    python -m models.emoji.train_second_judge style       # second-judge-style/, second-judge-style.log.jsonl

Two judges are worth more than one only if they err apart. This one has another architecture (ConvNeXt instead of
ResNet), another seed, and other imperfections in what it learns from: more bent and more of it missing, less blurred
and noisy. It shares no weights, features or order of pictures with the first.

The judge of styles starts from that of objects (so object comes first): from nothing, 1500 batches brought it to 98.3
%, and to 83 % on imperfect pictures. Each still has another first judge of its own domain to be held against.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import torch
from transformers import ConvNextConfig, ConvNextForImageClassification

from models.emoji.imperfections import Strength
from models.emoji.pictures import SIDE
from models.emoji.train_judge import CONCEPTS, Training, train
from models.shared.judges import save

HERE = Path(__file__).parent
SEEDS = {"object": 3, "style": 4}
STEPS, LEARNING_RATE = 1500, 2e-3
STRENGTH = Strength(bend=8, blur=1.5, noise=0.2, colour=0.1, hole=26)


def build_judge(concepts: tuple[str, ...]) -> ConvNextForImageClassification:
    """Build a ConvNeXt (Liu et al. 2022) of 0.26 M parameters on [B, 3, 64, 64]; its pooled features have 96
    numbers."""
    return ConvNextForImageClassification(
        ConvNextConfig(
            num_channels=3,
            image_size=SIDE,
            patch_size=4,
            num_stages=2,
            hidden_sizes=[32, 96],
            depths=[1, 3],
            layer_scale_init_value=0.0,  # plain residuals: its usual 1e-6 is for deep networks and long trainings
            id2label=dict(enumerate(concepts)),
            label2id={name: i for i, name in enumerate(concepts)},
        )
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("domain", choices=list(CONCEPTS))
    parser.add_argument("--steps", type=int, default=STEPS)
    parser.add_argument("--out", type=Path, default=HERE)
    arguments = parser.parse_args()
    name = f"second-judge-{arguments.domain}"
    how = Training(SEEDS[arguments.domain], arguments.steps, LEARNING_RATE, STRENGTH)
    torch.manual_seed(how.seed)
    judge = build_judge(CONCEPTS[arguments.domain])
    if arguments.domain == "style":
        known = ConvNextForImageClassification.from_pretrained(HERE / "second-judge-object")
        judge.convnext.load_state_dict(known.convnext.state_dict())
    train(judge, arguments.domain, how, arguments.out / f"{name}.log.jsonl")
    save(judge, arguments.out / name, SIDE, channels=3)


if __name__ == "__main__":
    main()
