"""Base models that nothing was tuned for: small class-conditional diffusion models of other images, sizes, schedules
and predictions than the bundled ones, each with a judge of its own, trained here in a minute or a few."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from diffusers import DDPMScheduler, UNet2DModel
from numpy.typing import NDArray
from rich.progress import track
from torch import Tensor
from transformers import ResNetConfig, ResNetForImageClassification

from benchmarks.until_pass import data
from benchmarks.until_pass.data import Split
from models.shared.cards import judge_entry
from models.shared.judges import save
from sfd_core.base_model.manifest import BaseModel, ImageFormat, JudgeInfo, file_sha256
from sfd_core.evaluation.judge import ImageJudge
from sfd_core.evaluation.reference import Reference, ReferenceSet
from sfd_core.families.class_unet.base_sampler import ManyStepSampler
from sfd_core.families.images import to_uint8
from sfd_core.families.protocol import LoadedBase
from sfd_core.families.registry import load_manifest
from sfd_core.families.schedules import load_schedule
from sfd_core.training.state import update_average

STEPS, JUDGE_STEPS = 20, 600
"""DDIM steps of a base model's own sampler; steps of a judge's training."""
BATCH, LEARNING_RATE, EMA = 64, 1e-3, 0.995
FIRST_SEED = 500_000_000


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
    """Train the base model for ``steps`` steps and its judge, and measure its reference on ``images`` a concept. What
    is in ``folder`` is not made again."""
    if not (folder / "manifest.json").is_file():
        folder.mkdir(parents=True, exist_ok=True)
        torch.manual_seed(0)
        train, test = stranger.images()
        DDPMScheduler(**stranger.scheduler).save_pretrained(folder / "scheduler")
        unet = trained_unet(stranger, train, folder, steps)
        unet.save_pretrained(folder / "unet")
        save(trained_judge(stranger, train, min(steps, JUDGE_STEPS)), folder / "judge", stranger.sees, channels=1)
        measured(stranger, folder, unet, test, images)
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


def measured(stranger: Stranger, folder: Path, unet: UNet2DModel, test: Split, images: int) -> None:
    """Judge real and the base model's own images, and write reference and manifest."""
    side, concepts = test.images.shape[-1], stranger.concepts
    info = JudgeInfo("", "judge", 0.0, 0, (), "")
    shape = ImageFormat(1, side, side, 1)
    bare = BaseModel(stranger.name, "", folder, "class_unet", "", "", concepts, shape, info, "", {}, {}, "")
    judge = ImageJudge.load(bare)
    labels = np.repeat(np.arange(len(concepts)), images)
    sampler = ManyStepSampler(LoadedBase(bare, unet, load_schedule(folder)), STEPS)
    made = sampler.sample_labels(labels.tolist(), range(FIRST_SEED, FIRST_SEED + len(labels)))
    real = _seen(judge, to_uint8(test.images), test.labels.numpy())
    own = _seen(judge, made, labels)
    Reference(real, own).save(folder / "reference.safetensors")
    files = {
        path.relative_to(folder).as_posix(): file_sha256(path)
        for path in sorted(folder.rglob("*"))
        if path.is_file() and path.name != "manifest.json"
    }
    manifest = {
        "schema_version": 1,
        "name": stranger.name,
        "title": stranger.title,
        "family": "class_unet",
        "license": stranger.licence,
        "data": stranger.title,
        "concepts": list(concepts),
        "image": {"channels": 1, "height": side, "width": side, "patch": 1},
        "judge": judge_entry("ResNet on real images", "judge", _right(real, len(concepts)), files),
        "reference": "reference.safetensors",
        "teacher": {"sampler": "DDIM", "network_evaluations": STEPS, "accuracy": _share(own)},
        "files": files,
    }
    (folder / "manifest.json").write_text(json.dumps(manifest, indent=2) + "\n")


def _seen(judge: ImageJudge, images: NDArray[np.uint8], labels: NDArray[np.int64]) -> ReferenceSet:
    judgement = judge.judge(images)
    confidence = judgement.probabilities[np.arange(len(labels)), labels]
    return ReferenceSet(judgement.features, labels, judgement.seen, confidence)


def _share(part: ReferenceSet) -> float:
    return round(float((part.seen == part.labels).mean()), 4)


def _right(real: ReferenceSet, concepts: int) -> dict[str, Any]:
    by_concept = [_share(real.only([label])) for label in range(concepts)]
    return {"accuracy": _share(real), "accuracy_images": len(real.labels), "by_concept": by_concept}
