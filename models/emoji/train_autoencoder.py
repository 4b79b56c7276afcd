"""Train the autoencoder of the emoji model: 64 x 64 RGB to 8 x 8 latents of 16 channels (f = 8), and back.

    python -m models.emoji.train_autoencoder       # resumes from build/emoji-autoencoder if it was interrupted

Loss: L1 on pixels, plus L1 on their differences along both axes (flat drawings are edges), plus a light pull of the
latents towards N(0, I). At the end each latent channel is given mean 0 and variance 1 over the training pictures by
folding the shift and scale into the 1 x 1 convolutions on both sides of the latents: exact, and the diffusion model
sees channels of one size without a code path of its own (``scaling_factor`` is 1).
"""

import argparse
import time
from pathlib import Path

import torch
import torch.nn.functional as F
from diffusers import AutoencoderKL
from rich.progress import track
from torch import Tensor

from models.emoji.pictures import atlas, augmented
from models.emoji.training import Training, warm_cosine

HERE = Path(__file__).parent
SEED, STEPS, BATCH, LOGGED = 0, 6000, 32, 250
LEARNING_RATE, WARMUP, EMA, EDGES = 1e-3, 300, 0.998, 0.5
KL, KL_BEFORE, KL_FROM = 1e-3, 1e-4, 2250
"""Weight of the pull towards N(0, I): light until step ``KL_FROM``, so that pictures form first; then strong enough
that the decoder learns to bear latents that are a little off, as a diffusion model's are."""


def build_autoencoder() -> AutoencoderKL:
    """Build an autoencoder of 1.6 M parameters: wide where the picture is small, narrow where it is large, so that a
    decode costs little."""
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
    """Return differences of neighbours along both axes of [B, C, H, W]."""
    return x[..., 1:] - x[..., :-1], x[..., 1:, :] - x[..., :-1, :]


def loss_of(autoencoder: AutoencoderKL, x: Tensor, kl: float, generator: torch.Generator) -> tuple[Tensor, Tensor]:
    """Return the loss of one batch, and its L1 part alone; x: [B, 3, 64, 64] in -1..1; kl: the weight of that term."""
    posterior = autoencoder.encode(x).latent_dist
    decoded = autoencoder.decode(posterior.sample(generator=generator)).sample.float()
    l1 = F.l1_loss(decoded, x)
    edge = sum(F.l1_loss(a, b) for a, b in zip(edges(decoded), edges(x), strict=True))
    return l1 + EDGES * edge + kl * posterior.kl().float().mean() / posterior.mean[0].numel(), l1


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
    """Return the peak signal-to-noise ratio in dB over one augmentation of every drawing."""
    x = augmented(drawings, generator)
    decoded = autoencoder.decode(autoencoder.encode(x).latent_dist.mean).sample.clamp(-1, 1)
    return float(10 * torch.log10(4 / F.mse_loss(decoded, x)))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--steps", type=int, default=STEPS)
    parser.add_argument("--work", type=Path, default=Path("build/emoji-autoencoder"), help="checkpoints")
    parser.add_argument("--out", type=Path, default=HERE)
    arguments = parser.parse_args()

    generator = torch.Generator().manual_seed(SEED)
    torch.manual_seed(SEED)
    drawings = atlas().flatten(0, 1)
    autoencoder, average = build_autoencoder(), build_autoencoder()
    log = arguments.out / "autoencoder.log.jsonl"
    training = Training(autoencoder, average, EMA, generator, arguments.work, log)
    began, seen = time.monotonic(), 0.0
    for step in track(range(training.step, arguments.steps), description="autoencoder"):
        x = augmented(drawings[torch.randint(0, len(drawings), (BATCH,), generator=generator)], generator)
        with torch.autocast("cpu", torch.bfloat16):
            loss, l1 = loss_of(autoencoder, x, KL if step >= KL_FROM else KL_BEFORE, generator)
        training.take(loss, warm_cosine(step, arguments.steps, WARMUP, LEARNING_RATE))
        seen += l1.item()
        if training.step % LOGGED == 0:
            held_out = psnr(average, drawings, torch.Generator().manual_seed(SEED + 1))
            seconds = round(time.monotonic() - began, 1)
            training.keep(l1=round(seen / LOGGED, 5), psnr_db=round(held_out, 2), seconds=seconds)
            seen = 0.0

    whiten_channels(average, drawings, torch.Generator().manual_seed(SEED + 2))
    average.save_pretrained(arguments.out / "vae")


if __name__ == "__main__":
    main()
