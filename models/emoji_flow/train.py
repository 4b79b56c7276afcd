"""Train the bundled flow-matching base model: a small Stable Diffusion 3 that draws what `emoji` draws.

    python -m models.emoji_flow.train            # resumes from build/emoji-flow if it was interrupted

Pictures, prompts and autoencoder are those of `emoji`, and so is the first text encoder, which stays as it is; the
second, small, is left as it was drawn. There is no T5. The loss is that of flow matching over velocities (Lipman et al.
2023, arXiv 2210.02747) at sigmas of a logistic normal (Esser et al. 2024, arXiv 2403.03206), spread wider than theirs.
A tenth of the prompts is left empty. What is kept is the moving average, in half precision.
"""

from __future__ import annotations

import argparse
import json
import random
import time
from pathlib import Path

import torch
from diffusers import AutoencoderKL, FlowMatchEulerDiscreteScheduler, SD3Transformer2DModel, StableDiffusion3Pipeline
from rich.progress import track
from torch import Tensor
from transformers import CLIPTextConfig, CLIPTextModelWithProjection, CLIPTokenizer

from models.emoji.train_teacher import AUGMENTATIONS, asked, latents_of
from models.emoji.training import Training, warm_cosine
from models.emoji.vocabulary import STYLES
from sfd_core.families.flow.family import FAMILY
from sfd_core.families.flow.parameterization import Flow
from sfd_core.families.flow.pipelines.sd3.empty_tokens import OneForMany
from sfd_core.families.text.text_parts import TextParts

HERE = Path(__file__).parent
EMOJI = HERE.parent / "emoji"
SEED, BATCH, LOGGED = 0, 64, 200
STEPS, WARMUP, LEARNING_RATE, EMA = 10_000, 300, 6e-4, 0.999
SPREAD = 1.3
"""Of the logits of sigma, whose mean is 0; Stable Diffusion 3 has 1. A generator of one step is asked at 1."""
ROUND = 1
"""Whose latents: pictures that vary half as much as those that `emoji` was first trained on."""
TOKENS = 36
"""That are read of a prompt: as many as the longest of those that a report asks with has, and some."""
WIDTH, SECOND = 64, 16
"""Of the text encoders' states."""


def build_text_encoder(width: int) -> CLIPTextModelWithProjection:
    """Build a text encoder as that of `emoji` is, whose pooled state is projected by the identity."""
    config = CLIPTextConfig.from_pretrained(
        EMOJI / "text_encoder", hidden_size=width, intermediate_size=4 * width, projection_dim=width
    )
    encoder = CLIPTextModelWithProjection(config)
    encoder.text_projection.weight.data = torch.eye(width)
    return encoder


def build_transformer() -> SD3Transformer2DModel:
    """Build a transformer of 4.4 M parameters on [B, 16, 8, 8], whose blocks do nothing at first, as those of a DiT
    (Peebles & Xie 2023, arXiv 2212.09748)."""
    transformer = SD3Transformer2DModel(
        sample_size=8,
        patch_size=2,
        in_channels=16,
        out_channels=16,
        num_layers=5,
        attention_head_dim=32,
        num_attention_heads=5,
        joint_attention_dim=WIDTH + SECOND,
        caption_projection_dim=160,
        pooled_projection_dim=WIDTH + SECOND,
        pos_embed_max_size=4,
    )
    for name, weight in transformer.named_parameters():
        if (".linear." in name and "norm" in name) or name.startswith("proj_out"):
            torch.nn.init.zeros_(weight)
    transformer.set_attn_processor(OneForMany())
    return transformer


def build_pipeline(transformer: SD3Transformer2DModel) -> StableDiffusion3Pipeline:
    """Build the stock pipeline of the network and all that is not trained."""
    tokenizer = CLIPTokenizer.from_pretrained(EMOJI / "tokenizer", model_max_length=TOKENS)
    first, second = build_text_encoder(WIDTH), build_text_encoder(SECOND)
    trained = CLIPTextModelWithProjection.from_pretrained(EMOJI / "text_encoder").state_dict()
    first.load_state_dict(trained | {"text_projection.weight": first.text_projection.weight})
    vae = AutoencoderKL.from_pretrained(EMOJI / "vae")
    vae.register_to_config(shift_factor=0.0)
    scheduler = FlowMatchEulerDiscreteScheduler()
    parts = (first.half(), tokenizer, second.half(), tokenizer, None, None)
    return StableDiffusion3Pipeline(transformer.half(), scheduler, vae, *parts)


def save(pipeline: StableDiffusion3Pipeline, folder: Path) -> None:
    """Write the folder of a pipeline. Its networks are kept in half precision and opened in the type that their
    configurations state, which transformers takes from the weights."""
    pipeline.save_pretrained(folder)
    for encoder in ("text_encoder", "text_encoder_2"):
        config = folder / encoder / "config.json"
        config.write_text(json.dumps({**json.loads(config.read_text()), "dtype": "float32"}, indent=2) + "\n")


def loss_of(network: SD3Transformer2DModel, text: TextParts, kind: Flow, x: Tensor, c: Tensor) -> Tensor:
    """Compute the loss of one batch, ``|| v - (eps - x) ||^2`` in the mean; x: [B, 16, 8, 8], c: embeddings [B, D]."""
    sigma = torch.sigmoid(SPREAD * torch.randn(len(x)))
    eps = torch.randn_like(x)
    x_t = kind.add_noise(x, eps, sigma)
    asked_with, t = kind.network_input(x_t, sigma)
    return (text.output(network, asked_with, t, c) - kind.target(x, eps)).square().mean()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--steps", type=int, default=STEPS)
    parser.add_argument("--work", type=Path, default=Path("build/emoji-flow"), help="checkpoints")
    parser.add_argument("--out", type=Path, default=HERE)
    arguments = parser.parse_args()

    torch.manual_seed(SEED)
    network, average = build_transformer(), build_transformer()
    save(build_pipeline(build_transformer()), arguments.out)
    text = FAMILY.load_text(arguments.out)
    vae = AutoencoderKL.from_pretrained(EMOJI / "vae").eval()
    arguments.work.mkdir(parents=True, exist_ok=True)
    latents = latents_of(ROUND, vae, arguments.work)
    rng, kind = torch.Generator().manual_seed(SEED), Flow()
    training = Training(network, average, EMA, rng, arguments.work, arguments.out / "training.log.jsonl")
    torch.manual_seed(SEED + training.step)
    draw = random.Random(SEED + training.step)
    began, seen = time.monotonic(), 0.0
    for step in track(range(training.step, arguments.steps), description="training"):
        chosen = torch.randint(0, len(latents), (BATCH,), generator=rng)
        which = torch.randint(0, AUGMENTATIONS, (BATCH,), generator=rng)
        prompts = [asked(i // len(STYLES), i % len(STYLES), draw) for i in chosen.tolist()]
        loss = loss_of(network, text, kind, latents[chosen, which].float(), text.embeddings(prompts))
        training.take(loss, warm_cosine(step, arguments.steps, WARMUP, LEARNING_RATE))
        seen += loss.item()
        if training.step % LOGGED == 0:
            training.keep(loss=round(seen / LOGGED, 5), seconds=round(time.monotonic() - began, 1))
            seen = 0.0
    average.half().save_pretrained(arguments.out / "transformer")


if __name__ == "__main__":
    main()
