"""Base models that nothing was tuned for: small class-conditional diffusion models of other images, sizes, schedules
and predictions than the bundled ones, each with a judge of its own, trained here in a minute or a few."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from diffusers import DDPMScheduler, UNet2DModel
from rich.progress import track
from torch import Tensor
from transformers import ResNetConfig, ResNetForImageClassification

from benchmarks.until_pass import data
from benchmarks.until_pass.data import Split
from models.shared.judges import save
from sfd_core.adding.add import add_model
from sfd_core.adding.measuring import keep, measure_model
from sfd_core.adding.real_images import RealImages
from sfd_core.adding.said import Said
from sfd_core.base_model.manifest import BaseModel
from sfd_core.families.images import to_uint8
from sfd_core.families.registry import load_manifest
from sfd_core.families.schedules import load_schedule
from sfd_core.training.state import update_average

STEPS, JUDGE_STEPS = 20, 600
"""DDIM steps of a base model's own sampler; steps of a judge's training."""
BATCH, LEARNING_RATE, EMA = 64, 1e-3, 0.995


@dataclass(frozen=True)
class Stranger:
    """A base model to be made. ``forget``: concept and override, fixed before any run. ``widths``: channels of its
    U-Net by level; ``scheduler``: what differs from diffusers' DDPM; ``sees``: pixels a side that its judge sees."""

    name: str
    title: str
    licence: str
    concepts: tuple[str, ...]
    forget: tuple[str, str]
    images: Callable[[], tuple[Split, Split]]
    widths: tuple[int, ...]
    sees: int
    scheduler: Mapping[str, Any] = field(default_factory=dict)


STRANGERS = {
    one.name: one
    for one in (
        Stranger("shapes", "Drawn shapes, 12x12", "CC0-1.0", data.SHAPES, ("ring", "bars"), data.shapes, (24, 48), 24),
        Stranger(
            "digits",
            "Digits of scikit-learn, 8x8",
            "CC BY 4.0 (UCI optical recognition of handwritten digits)",
            data.DIGITS,
            ("7", "0"),
            data.digits,
            (48, 96),
            32,
            {"beta_schedule": "scaled_linear", "beta_start": 0.00085, "beta_end": 0.012},
        ),
        Stranger(
            "clothes",
            "Six classes of Fashion-MNIST, 14x14",
            "MIT",
            data.CLOTHES,
            ("Sneaker", "Bag"),
            data.clothes,
            (24, 48),
            28,
            {"beta_schedule": "squaredcos_cap_v2", "prediction_type": "v_prediction"},
        ),
    )
}


def make(stranger: Stranger, folder: Path, steps: int, images: int) -> BaseModel:
    """Train the base model for ``steps`` steps and its judge, add it as anybody adds a model, and measure it on
    ``images`` of its own a concept. What is in ``folder`` is not made again."""
    if not (folder / "manifest.json").is_file():
        own = folder.with_name(f".{stranger.name}-trained")
        torch.manual_seed(0)
        train, test = stranger.images()
        DDPMScheduler(**stranger.scheduler).save_pretrained(own / "scheduler")
        trained_unet(stranger, train, own, steps).save_pretrained(own / "unet")
        save(trained_judge(stranger, train, min(steps, JUDGE_STEPS)), own / "judge", stranger.sees, channels=1)
        judges = {"": own / "judge"}
        said = Said(folder.name, stranger.title, stranger.licence, stranger.title, judges=judges, steps=STEPS)
        model = add_model(own, folder.parent, said)
        real = RealImages(to_uint8(test.images), test.labels.numpy())
        (*_, (_, _, measured)) = measure_model(model, real, images)
        assert measured is not None
        keep(model, measured)
    return load_manifest(folder)


def trained_unet(stranger: Stranger, train: Split, folder: Path, steps: int) -> UNet2DModel:
    """Train the diffusion model by the plain loss of what it predicts, and return its moving average."""
    side = train.images.shape[-1]
    unet, average = (_unet(stranger, side) for _ in range(2))
    average.load_state_dict(unet.state_dict())
    schedule = load_schedule(folder)
    optimizer = torch.optim.AdamW(unet.parameters(), LEARNING_RATE)
    for step in track(range(steps), description=f"{stranger.name}, base model"):
        optimizer.param_groups[0]["lr"] = LEARNING_RATE * min(1.0, (step + 1) / 100) * (1 - step / steps)
        x, c = _batch(train)
        t = torch.randint(schedule.steps, (BATCH,))
        eps = torch.randn_like(x)
        x_t = schedule.add_noise(x, eps, t)
        output = unet(x_t, t, class_labels=c).sample
        x0 = schedule.x0_from_output(output, x_t, t)
        # The error in v (Salimans & Ho 2022), whatever is predicted: with a min-SNR of 1 in eps or x0.
        a, b = (part.view(-1, 1, 1, 1) for part in (schedule.signal(t), schedule.noise(t)))
        loss = F.mse_loss(a * schedule.eps_from_x0(x0, x_t, t) - b * x0, a * eps - b * x)
        optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(unet.parameters(), 1.0, error_if_nonfinite=True)
        optimizer.step()
        update_average(average, unet, EMA, step)
    return average.eval()


def _unet(stranger: Stranger, side: int) -> UNet2DModel:
    levels = len(stranger.widths)
    return UNet2DModel(
        sample_size=side,
        in_channels=1,
        out_channels=1,
        block_out_channels=stranger.widths,
        layers_per_block=1,
        down_block_types=("DownBlock2D",) * (levels - 1) + ("AttnDownBlock2D",),
        up_block_types=("AttnUpBlock2D",) + ("UpBlock2D",) * (levels - 1),
        norm_num_groups=8,
        attention_head_dim=16,
        num_class_embeds=len(stranger.concepts),
    )


def _batch(train: Split) -> tuple[Tensor, Tensor]:
    chosen = torch.randint(len(train.labels), (BATCH,))
    return train.images[chosen], train.labels[chosen]


def trained_judge(stranger: Stranger, train: Split, steps: int) -> ResNetForImageClassification:
    """Train a classifier on shifted real images."""
    names = dict(enumerate(stranger.concepts))
    judge = ResNetForImageClassification(
        ResNetConfig(
            num_channels=1,
            embedding_size=24,
            hidden_sizes=[24, 48, 64],
            depths=[1, 1, 1],
            layer_type="basic",
            id2label=names,
            label2id={name: i for i, name in names.items()},
        )
    )
    optimizer = torch.optim.AdamW(judge.parameters(), 3e-3, weight_decay=0.05)
    for step in track(range(steps), description=f"{stranger.name}, judge"):
        optimizer.param_groups[0]["lr"] = 3e-3 * (1 - step / steps)
        x, c = _batch(train)
        seen = F.interpolate(x, size=(stranger.sees, stranger.sees), mode="bilinear")
        dy, dx = (int(v) for v in torch.randint(-1, 2, (2,)))
        loss = F.cross_entropy(judge(seen.roll((dy, dx), (2, 3))).logits, c, label_smoothing=0.05)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    return judge.eval()
