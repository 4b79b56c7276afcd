"""Train the bundled base model: a class-conditional DDPM on the Fashion-MNIST training set, from scratch.

    python -m models.fashion.train            # resumes from build/fashion-teacher if it was interrupted
    python -m models.fashion.train --without Sneaker --work build/without-sneaker --out build/without-sneaker

With ``--without`` it never sees that class: the gold standard of unlearning, and the network retrained without it.

The U-Net sees a 28x28 image as 14x14 cells of 2x2 pixels (``pixel_unshuffle``): Gaussian noise does not care how
pixels are ordered, and a step costs half of one on 28x28 at the same width. What is kept is the
moving average of the weights.
"""

from __future__ import annotations

import argparse
import json
import os
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TypeAlias

import torch
import torch.nn.functional as F
from diffusers import DDPMScheduler, SchedulerMixin, UNet2DModel
from rich.progress import track
from torch import Tensor

from models.fashion.dataset import CONCEPTS, load
from models.shared.denoising import denoising_loss
from sfd_core.families.parameterization import VariancePreserving, linear_schedule

HERE = Path(__file__).parent
SEED, STEPS, BATCH = 0, 10_000, 64
LEARNING_RATE, WARMUP, EMA = 4e-4, 500, 0.999
PATCH = 2
Loss: TypeAlias = Callable[[UNet2DModel, Tensor, Tensor], Tensor]
"""The loss of a network on one batch: x [B, 4, 14, 14], c [B]."""


def build_unet() -> UNet2DModel:
    """Build a U-Net of 1.85 M parameters on [B, 4, 14, 14]."""
    return UNet2DModel(
        sample_size=14,
        in_channels=PATCH * PATCH,
        out_channels=PATCH * PATCH,
        block_out_channels=(64, 96),
        layers_per_block=1,
        down_block_types=("DownBlock2D", "AttnDownBlock2D"),
        up_block_types=("AttnUpBlock2D", "UpBlock2D"),
        norm_num_groups=8,
        attention_head_dim=32,
        num_class_embeds=len(CONCEPTS),
    )


def loss_of(unet: UNet2DModel, x: Tensor, c: Tensor, schedule: VariancePreserving) -> Tensor:
    """Compute the denoising loss of one batch; x: [B, 4, 14, 14], c: [B]."""
    t = torch.randint(0, schedule.steps, (len(x),))
    eps = torch.randn_like(x)
    predicted = unet(schedule.add_noise(x, eps, t), t, class_labels=c).sample
    return denoising_loss(predicted, eps, schedule, t)


def learning_rate(step: int, steps: int) -> float:
    """Return the learning rate of a step: a linear warm-up, then a cosine to zero."""
    if step < WARMUP:
        return LEARNING_RATE * (step + 1) / WARMUP
    return 0.5 * LEARNING_RATE * float(1 + torch.cos(torch.tensor(torch.pi * (step - WARMUP) / (steps - WARMUP))))


def main() -> None:
    scheduler = DDPMScheduler(
        num_train_timesteps=1000, beta_start=1e-4, beta_end=0.02, beta_schedule="linear", clip_sample=True
    )
    train(partial(loss_of, schedule=linear_schedule()), scheduler, options(__doc__, HERE, "build/fashion-teacher"))


def options(said: str | None, here: Path, work: str) -> argparse.Namespace:
    """Read the command line of a training. ``said``: its module's own words; ``here``, ``work``: where the model and
    its checkpoints lie."""
    parser = argparse.ArgumentParser(description=(said or "").splitlines()[0])
    parser.add_argument("--steps", type=int, default=STEPS)
    parser.add_argument("--without", choices=CONCEPTS, help="a class that this network never sees")
    parser.add_argument("--work", type=Path, default=Path(work), help="checkpoints")
    parser.add_argument("--out", type=Path, default=here)
    return parser.parse_args()


def train(loss_of: Loss, scheduler: SchedulerMixin, arguments: argparse.Namespace) -> None:
    """Train the network by ``loss_of`` and write it, and the ``scheduler`` that says how it is written. ``arguments``:
    as of :func:`options`."""
    arguments.work.mkdir(parents=True, exist_ok=True)
    checkpoint, log_file = arguments.work / "checkpoint.pt", arguments.out / "training.log.jsonl"

    torch.manual_seed(SEED)
    images, labels = load("train")
    if arguments.without:
        known = labels != CONCEPTS.index(arguments.without)
        images, labels = images[known], labels[known]
    cells = F.pixel_unshuffle(images, PATCH)  # [N, 4, 14, 14]
    unet, average = build_unet(), build_unet()
    average.load_state_dict(unet.state_dict())
    optimizer = torch.optim.AdamW(unet.parameters(), lr=LEARNING_RATE, weight_decay=0.0)
    first = 0
    if checkpoint.exists():
        state = torch.load(checkpoint, weights_only=True)
        unet.load_state_dict(state["unet"])
        average.load_state_dict(state["average"])
        optimizer.load_state_dict(state["optimizer"])
        torch.set_rng_state(state["rng"])
        first = state["step"]

    began, seen_loss = time.monotonic(), 0.0
    for step in track(range(first, arguments.steps), description="teacher"):
        for group in optimizer.param_groups:
            group["lr"] = learning_rate(step, arguments.steps)
        chosen = torch.randint(0, len(cells), (BATCH,))
        loss = loss_of(unet, cells[chosen], labels[chosen])
        optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(unet.parameters(), 1.0, error_if_nonfinite=True)
        optimizer.step()
        decay = min(EMA, (step + 1) / (step + 10))
        with torch.no_grad():
            for mean, parameter in zip(average.parameters(), unet.parameters(), strict=True):
                mean.lerp_(parameter, 1 - decay)
        seen_loss += loss.item()
        if (step + 1) % 250 == 0:
            line = {
                "step": step + 1,
                "loss": round(seen_loss / 250, 5),
                "lr": round(optimizer.param_groups[0]["lr"], 8),
                "seconds": round(time.monotonic() - began, 1),
            }
            seen_loss = 0.0
            with log_file.open("a") as log:
                log.write(json.dumps(line) + "\n")
            state = {
                "unet": unet.state_dict(),
                "average": average.state_dict(),
                "optimizer": optimizer.state_dict(),
            }
            torch.save({**state, "rng": torch.get_rng_state(), "step": step + 1}, checkpoint.with_suffix(".new"))
            os.replace(checkpoint.with_suffix(".new"), checkpoint)

    average.save_pretrained(arguments.out / "unet")
    scheduler.save_pretrained(arguments.out / "scheduler")


if __name__ == "__main__":
    main()
