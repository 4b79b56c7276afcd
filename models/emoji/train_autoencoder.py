"""Train the autoencoder of the emoji model: 64 x 64 RGB to 8 x 8 latents of 16 channels (f = 8), and back.

    python models/emoji/train_autoencoder.py       # resumes from build/emoji-autoencoder if it was interrupted

Loss: L1 on pixels, plus L1 on their differences along both axes (flat drawings are edges), plus a light pull of the
latents towards N(0, I). At the end each latent channel is given mean 0 and variance 1 over the training pictures by
folding the shift and scale into the 1 x 1 convolutions on both sides of the latents: exact, and the diffusion model
sees channels of one size without a code path of its own (``scaling_factor`` is 1).
"""

import argparse
import json
import os
import time
from pathlib import Path

import torch
import torch.nn.functional as F
from diffusers import AutoencoderKL
from pictures import atlas, augmented
from rich.progress import track
from torch import Tensor

HERE = Path(__file__).parent
SEED, STEPS, BATCH = 0, 6000, 32
LEARNING_RATE, WARMUP, EMA, EDGES = 1e-3, 300, 0.998, 0.5
KL, KL_BEFORE, KL_FROM = 1e-3, 1e-4, 2250
"""Weight of the pull towards N(0, I): light until step ``KL_FROM``, so that pictures form first; then strong enough
that the decoder learns to bear latents that are a little off, as a diffusion model's are."""


def build_autoencoder() -> AutoencoderKL:
    """1.6 M parameters: wide where the picture is small, narrow where it is large, so that a decode costs little."""
    widths = (16, 16, 64, 96)
    return AutoencoderKL(
        block_out_channels=widths,
        down_block_types=("DownEncoderBlock2D",) * len(widths),
        up_block_types=("UpDecoderBlock2D",) * len(widths),
        layers_per_block=1,
        latent_channels=16,
        norm_num_groups=8,
        sample_size=64,
        mid_block_add_attention=False,
        scaling_factor=1.0,
        force_upcast=False,
    )


def edges(x: Tensor) -> tuple[Tensor, Tensor]:
    """Differences of neighbours along both axes of [B, C, H, W]."""
    return x[..., 1:] - x[..., :-1], x[..., 1:, :] - x[..., :-1, :]


def loss_of(autoencoder: AutoencoderKL, x: Tensor, kl: float, generator: torch.Generator) -> tuple[Tensor, Tensor]:
    """The loss of one batch, and its L1 part alone; x: [B, 3, 64, 64] in -1..1; kl: the weight of that term."""
    posterior = autoencoder.encode(x).latent_dist
    decoded = autoencoder.decode(posterior.sample(generator=generator)).sample.float()
    l1 = F.l1_loss(decoded, x)
    edge = sum(F.l1_loss(a, b) for a, b in zip(edges(decoded), edges(x), strict=True))
    return l1 + EDGES * edge + kl * posterior.kl().float().mean() / posterior.mean[0].numel(), l1


def learning_rate(step: int, steps: int) -> float:
    """Linear warm-up, then a cosine to zero."""
    if step < WARMUP:
        return LEARNING_RATE * (step + 1) / WARMUP
    return 0.5 * LEARNING_RATE * float(1 + torch.cos(torch.tensor(torch.pi * (step - WARMUP) / (steps - WARMUP))))


@torch.no_grad()
def whiten_channels(autoencoder: AutoencoderKL, drawings: Tensor, generator: torch.Generator) -> None:
    """Give each latent channel mean 0, variance 1 by folding the affine map into quant_conv and post_quant_conv."""
    means = [autoencoder.encode(augmented(drawings, generator)).latent_dist.mean for _ in range(8)]
    channels = torch.cat(means).transpose(0, 1).flatten(1)  # [16, n * 64]
    mean, std = channels.mean(1), channels.std(1)
    before, after = autoencoder.quant_conv, autoencoder.post_quant_conv
    n = len(mean)
    before.bias[:n] = (before.bias[:n] - mean) / std
    before.weight[:n] /= std[:, None, None, None]
    before.bias[n:] -= 2 * std.log()  # the second half is the log of the variance
    after.bias += (after.weight[:, :, 0, 0] * mean).sum(1)
    after.weight *= std[None, :, None, None]


@torch.no_grad()
def psnr(autoencoder: AutoencoderKL, drawings: Tensor, generator: torch.Generator) -> float:
    """Peak signal-to-noise ratio in dB over one augmentation of every drawing."""
    x = augmented(drawings, generator)
    decoded = autoencoder.decode(autoencoder.encode(x).latent_dist.mean).sample.clamp(-1, 1)
    return float(10 * torch.log10(4 / F.mse_loss(decoded, x)))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--steps", type=int, default=STEPS)
    parser.add_argument("--work", type=Path, default=Path("build/emoji-autoencoder"), help="checkpoints")
    parser.add_argument("--out", type=Path, default=HERE)
    arguments = parser.parse_args()
    arguments.work.mkdir(parents=True, exist_ok=True)
    checkpoint, log_file = arguments.work / "checkpoint.pt", arguments.out / "autoencoder.log.jsonl"

    generator = torch.Generator().manual_seed(SEED)
    torch.manual_seed(SEED)
    drawings = atlas().flatten(0, 1)
    autoencoder, average = build_autoencoder(), build_autoencoder()
    average.load_state_dict(autoencoder.state_dict())
    optimizer = torch.optim.AdamW(autoencoder.parameters(), lr=LEARNING_RATE, weight_decay=0.0)
    first = 0
    if checkpoint.exists():
        state = torch.load(checkpoint, weights_only=True)
        autoencoder.load_state_dict(state["autoencoder"])
        average.load_state_dict(state["average"])
        optimizer.load_state_dict(state["optimizer"])
        generator.set_state(state["rng"])
        first = state["step"]

    began, seen = time.monotonic(), 0.0
    for step in track(range(first, arguments.steps), description="autoencoder"):
        for group in optimizer.param_groups:
            group["lr"] = learning_rate(step, arguments.steps)
        x = augmented(drawings[torch.randint(0, len(drawings), (BATCH,), generator=generator)], generator)
        with torch.autocast("cpu", torch.bfloat16):
            loss, l1 = loss_of(autoencoder, x, KL if step >= KL_FROM else KL_BEFORE, generator)
        optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(autoencoder.parameters(), 1.0, error_if_nonfinite=True)
        optimizer.step()
        with torch.no_grad():
            decay = min(EMA, (step + 1) / (step + 10))
            for mean, parameter in zip(average.parameters(), autoencoder.parameters(), strict=True):
                mean.lerp_(parameter, 1 - decay)
        seen += l1.item()
        if (step + 1) % 250 == 0:
            held_out = torch.Generator().manual_seed(SEED + 1)
            line = {
                "step": step + 1,
                "l1": round(seen / 250, 5),
                "psnr_db": round(psnr(average, drawings, held_out), 2),
                "seconds": round(time.monotonic() - began, 1),
            }
            seen = 0.0
            with log_file.open("a") as log:
                log.write(json.dumps(line) + "\n")
            state = {
                "autoencoder": autoencoder.state_dict(),
                "average": average.state_dict(),
                "optimizer": optimizer.state_dict(),
                "rng": generator.get_state(),
                "step": step + 1,
            }
            torch.save(state, checkpoint.with_suffix(".new"))
            os.replace(checkpoint.with_suffix(".new"), checkpoint)

    whiten_channels(average, drawings, torch.Generator().manual_seed(SEED + 2))
    average.save_pretrained(arguments.out / "vae")


if __name__ == "__main__":
    main()
