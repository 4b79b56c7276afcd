"""Train the emoji model's text encoder and U-Net together, on latents of the autoencoder.

    python -m models.emoji.train_teacher           # resumes from build/emoji-teacher if it was interrupted
    python -m models.emoji.train_teacher --frozen-text --steps 600 --work build/emoji-frozen --out build/emoji-frozen

Loss: eps-prediction over Stable Diffusion's own schedule with min-SNR-5 weights (Hang et al. 2023, arXiv 2303.09556).
A tenth of the prompts is left empty, so that the network can be guided (Ho & Salimans 2022). What is kept is the moving
average of the weights, in half precision: no file of the repository is larger than 10 MB.
"""

import argparse
import json
import random
import time
from dataclasses import dataclass
from pathlib import Path

import torch
from diffusers import AutoencoderKL, DDIMScheduler, StableDiffusionPipeline, UNet2DConditionModel
from rich.progress import track
from torch import Tensor, nn
from transformers import CLIPTextConfig, CLIPTextModel, CLIPTokenizer

from models.emoji.pictures import atlas, augmented
from models.emoji.training import Training, warm_cosine
from models.emoji.vocabulary import OBJECTS, STYLES, TEMPLATES, article, prompt
from models.shared.denoising import denoising_loss
from sfd_core.families.parameterization import VariancePreserving
from sfd_core.families.schedules import schedule_from_config

HERE = Path(__file__).parent
SEED, BATCH, LOGGED = 0, 64, 200
WARMUP, EMA = 300, 0.999
EMPTY, STYLE_ALONE, OBJECT_ALONE = 0.1, 0.04, 0.04
"""Shares of the prompts that say nothing, only the style, only the object."""
AUGMENTATIONS = 320
"""Of each drawing: encoded once, before training."""


@dataclass(frozen=True)
class Round:
    """Steps with a learning rate of their own, from ``learning_rate`` to zero by a cosine after a warm-up."""

    steps: int
    learning_rate: float
    spread: float
    """Of the augmentation: see ``pictures.augmented``."""


ROUNDS = (Round(5000, 6e-4, 1.0), Round(8000, 5e-4, 0.5))
"""After the first the shapes were still soft: the second is longer, on pictures that vary half as much."""


def build_text_encoder() -> CLIPTextModel:
    """Build a text encoder of two layers of 64: with CLIP's 49 408 tokens that is 3.3 M parameters, nearly all of them
    embeddings."""
    config = CLIPTextConfig(
        vocab_size=49408,
        hidden_size=64,
        intermediate_size=256,
        num_hidden_layers=2,
        num_attention_heads=4,
        max_position_embeddings=77,
        projection_dim=64,
        bos_token_id=49406,
        eos_token_id=49407,
        pad_token_id=49407,
    )
    return CLIPTextModel(config)


def build_unet() -> UNet2DConditionModel:
    """Build a U-Net of 4.2 M parameters on [B, 16, 8, 8]."""
    return UNet2DConditionModel(
        sample_size=8,
        in_channels=16,
        out_channels=16,
        block_out_channels=(64, 128),
        down_block_types=("CrossAttnDownBlock2D", "CrossAttnDownBlock2D"),
        up_block_types=("CrossAttnUpBlock2D", "CrossAttnUpBlock2D"),
        layers_per_block=1,
        attention_head_dim=4,  # in this class: the number of heads
        cross_attention_dim=64,
        norm_num_groups=8,
    )


def build_scheduler() -> DDIMScheduler:
    """Build Stable Diffusion's schedule, sampled by DDIM."""
    return DDIMScheduler(
        num_train_timesteps=1000,
        beta_start=0.00085,
        beta_end=0.012,
        beta_schedule="scaled_linear",
        clip_sample=False,
        set_alpha_to_one=False,
        steps_offset=1,
    )


def asked(row: int, column: int, draw: random.Random) -> str:
    """Write a prompt for the drawing of object ``row`` in style ``column``: its name half of the time, else another
    word."""
    thing, style = OBJECTS[row], STYLES[column]
    kind = draw.random()
    style_word = style.name if draw.random() < 0.8 else style.synonym
    word = thing.name if draw.random() < 0.5 else draw.choice(thing.words)
    if kind < EMPTY:
        return ""
    if kind < EMPTY + STYLE_ALONE:
        return draw.choice([f"an emoji, in the style of {style_word}", f"something, {style_word} style"])
    if kind < EMPTY + STYLE_ALONE + OBJECT_ALONE:
        return draw.choice([f"{article(word)} {word}", f"an emoji of {article(word)} {word}"])
    return prompt(draw.choice(TEMPLATES), word, thing.adjective, style_word)


@torch.no_grad()
def encoded(vae: AutoencoderKL, drawings: Tensor, spread: float, generator: torch.Generator) -> Tensor:
    """Encode ``AUGMENTATIONS`` pictures of each drawing as latents: [drawings, AUGMENTATIONS, 16, 8, 8]."""
    rounds = [
        vae.encode(augmented(drawings, generator, spread)).latent_dist.mean.half()
        for _ in track(range(AUGMENTATIONS), description="latents")
    ]
    return torch.stack(rounds, dim=1)


def loss_of(
    unet: nn.Module, schedule: VariancePreserving, x: Tensor, text: Tensor, generator: torch.Generator
) -> Tensor:
    """Compute the denoising loss of one batch; x: [B, 16, 8, 8], text: [B, 77, 64]."""
    t = torch.randint(0, schedule.steps, (len(x),), generator=generator)
    eps = torch.randn(x.shape, generator=generator)
    predicted = unet(schedule.add_noise(x, eps, t), t, encoder_hidden_states=text).sample
    return denoising_loss(predicted, eps, schedule, t)


def round_of(step: int) -> tuple[int, int]:
    """Return the round of a step, and how many of its steps came before."""
    first = 0
    for i, part in enumerate(ROUNDS):
        if step < first + part.steps:
            return i, step - first
        first += part.steps
    raise ValueError(f"{step} is beyond the last round")


def latents_of(part: int, vae: AutoencoderKL, work: Path) -> Tensor:
    """Return the round's latents, encoded once: [drawings, AUGMENTATIONS, 16, 8, 8] in half precision."""
    file = work / f"latents-{part}.pt"
    if not file.exists():
        generator = torch.Generator().manual_seed(SEED + part)
        torch.save(encoded(vae, atlas().flatten(0, 1), ROUNDS[part].spread, generator), file)
    latents: Tensor = torch.load(file, weights_only=True)
    return latents


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--steps", type=int, default=sum(part.steps for part in ROUNDS))
    parser.add_argument("--frozen-text", action="store_true", help="leave the text encoder as it was drawn")
    parser.add_argument("--work", type=Path, default=Path("build/emoji-teacher"), help="checkpoints")
    parser.add_argument("--out", type=Path, default=HERE)
    arguments = parser.parse_args()

    torch.manual_seed(SEED)
    generator = torch.Generator().manual_seed(SEED)
    tokenizer = CLIPTokenizer.from_pretrained(HERE / "tokenizer")
    vae = AutoencoderKL.from_pretrained(HERE / "vae").eval()
    schedule = schedule_from_config(json.loads(build_scheduler().to_json_string()))
    networks = nn.ModuleDict({"text": build_text_encoder(), "unet": build_unet()})
    average = nn.ModuleDict({"text": build_text_encoder(), "unet": build_unet()})
    networks["text"].requires_grad_(not arguments.frozen_text)
    training = Training(networks, average, EMA, generator, arguments.work, arguments.out / "teacher.log.jsonl")
    draw = random.Random(SEED + training.step)
    latents_round, latents = -1, torch.empty(0)
    began, seen = time.monotonic(), 0.0
    for step in track(range(training.step, arguments.steps), description="teacher"):
        part, within = round_of(step)
        if part != latents_round:
            latents_round, latents = part, latents_of(part, vae, arguments.work)
        chosen = torch.randint(0, len(latents), (BATCH,), generator=generator)
        which = torch.randint(0, AUGMENTATIONS, (BATCH,), generator=generator)
        prompts = [asked(i // len(STYLES), i % len(STYLES), draw) for i in chosen.tolist()]
        ids = tokenizer(prompts, padding="max_length", truncation=True, return_tensors="pt").input_ids
        text = networks["text"](ids).last_hidden_state
        loss = loss_of(networks["unet"], schedule, latents[chosen, which].float(), text, generator)
        lr = warm_cosine(within, ROUNDS[part].steps, WARMUP, ROUNDS[part].learning_rate)
        training.take(loss, lr)
        seen += loss.item()
        if training.step % LOGGED == 0:
            seconds = round(time.monotonic() - began, 1)
            training.keep(loss=round(seen / LOGGED, 5), lr=round(lr, 8), seconds=seconds)
            seen = 0.0

    pipe = StableDiffusionPipeline(
        vae,
        average["text"].half(),
        tokenizer,
        average["unet"].half(),
        build_scheduler(),
        safety_checker=None,
        feature_extractor=None,
        requires_safety_checker=False,
    )
    pipe.save_pretrained(arguments.out)
    # transformers opens a network in the type that its configuration states: it is only kept in half precision.
    config = arguments.out / "text_encoder" / "config.json"
    config.write_text(json.dumps({**json.loads(config.read_text()), "dtype": "float32"}, indent=2) + "\n")


if __name__ == "__main__":
    main()
