"""Train the judge of the bundled base model: an image classifier on real Fashion-MNIST images.

    python -m models.fashion.train_judge

It is never the network that is trained on, shares no code or weights with the base model, and is a stock
``transformers`` folder. Its accuracy is measured on the 10 000 test images, which no training here ever sees.
Augmentation: shifts by up to two pixels and random erasing, since generated images are never perfectly centred.
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
from torch import Tensor, nn
from transformers import ResNetConfig, ResNetForImageClassification

from models.fashion.dataset import CONCEPTS, load
from models.shared.judges import accuracy, save

HERE = Path(__file__).parent
SEED, EPOCHS, BATCH, LEARNING_RATE = 1, 8, 128, 3e-3
SEEN = 56


class Judge(nn.Module):
    """ResNet (He et al. 2015) of 0.7 M parameters on [B, 1, 28, 28]; its pooled features have 128 numbers.

    It sees the image at twice its size, since a stock ResNet's first two layers divide it by four; the size stands
    in ``preprocessor_config.json``, as for every transformers classifier.
    """

    def __init__(self) -> None:
        super().__init__()
        self.net = ResNetForImageClassification(
            ResNetConfig(
                num_channels=1,
                embedding_size=32,
                hidden_sizes=[32, 64, 128],
                depths=[2, 2, 2],
                layer_type="basic",
                id2label=dict(enumerate(CONCEPTS)),
                label2id={c: i for i, c in enumerate(CONCEPTS)},
            )
        )

    def forward(self, x: Tensor) -> Tensor:
        """Return logits [B, 10]."""
        logits: Tensor = self.net(F.interpolate(x, size=(SEEN, SEEN), mode="bilinear")).logits
        return logits


def augment(x: Tensor) -> Tensor:
    """Shift the batch by one random offset of up to two pixels and blank one random square; x: [B, 1, 28, 28]."""
    dy, dx = (int(v) for v in torch.randint(-2, 3, (2,)))
    x = F.pad(x, (2, 2, 2, 2), value=-1.0)[:, :, 2 + dy : 30 + dy, 2 + dx : 30 + dx].clone()
    top, left = (int(v) for v in torch.randint(0, 22, (2,)))
    erased = torch.rand(len(x)) < 0.25
    x[erased, :, top : top + 7, left : left + 7] = -1.0
    return x


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--epochs", type=int, default=EPOCHS)
    parser.add_argument("--out", type=Path, default=HERE)
    arguments = parser.parse_args()
    torch.manual_seed(SEED)
    images, labels = load("train")
    test_images, test_labels = load("t10k")
    judge = Judge().train()
    optimizer = torch.optim.AdamW(judge.parameters(), lr=LEARNING_RATE, weight_decay=0.05)
    steps_an_epoch = len(images) // BATCH
    total, step, began = arguments.epochs * steps_an_epoch, 0, time.monotonic()
    for epoch in range(arguments.epochs):
        order = torch.randperm(len(images))
        for chosen in track(order[: steps_an_epoch * BATCH].split(BATCH), description=f"judge, epoch {epoch + 1}"):
            rate = min(1.0, (step + 1) / 200) * 0.5 * (1 + math.cos(math.pi * step / total))
            for group in optimizer.param_groups:
                group["lr"] = LEARNING_RATE * rate
            logits = judge(augment(images[chosen]))
            loss = F.cross_entropy(logits, labels[chosen], label_smoothing=0.05)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            step += 1
        line = {
            "epoch": epoch + 1,
            "loss": round(loss.item(), 4),
            "test_accuracy": accuracy(judge, judge, test_images, test_labels, batch=500),
            "seconds": round(time.monotonic() - began, 1),
        }
        with (arguments.out / "judge.log.jsonl").open("a") as log:
            log.write(json.dumps(line) + "\n")
    save(judge.net, arguments.out / "judge", SEEN, channels=1)


if __name__ == "__main__":
    main()
