"""Text-to-image base models that train in milliseconds: stock ``StableDiffusionPipeline`` parts, untrained, in the
shape of Stable Diffusion 1.5 (eps) or 2 (v-prediction), 16x16 pixels from 8x8 latents. What they draw means nothing;
how they are handled does."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

import torch
from diffusers import AutoencoderKL, DDIMScheduler, PNDMScheduler, StableDiffusionPipeline, UNet2DConditionModel
from transformers import CLIPTextConfig, CLIPTextModel, CLIPTokenizer
from transformers.convert_slow_tokenizer import bytes_to_unicode

from sfd_core.base_model.manifest import BaseModel
from sfd_core.families.registry import load_manifest
from tests.support.tiny_parts import digests, judge_entry, made_up_reference, untrained_judge

OBJECTS = ("apple", "banana", "pistol", "castle")
STYLES = ("noto", "fluent")
VOCABULARY = {
    "domains": {
        "object": [
            {"name": "apple", "adjective": "red"},
            {"name": "banana", "adjective": "yellow"},
            {"name": "pistol", "adjective": "green", "synonyms": ["gun"], "translations": {"de": "Pistole"}},
            {"name": "castle", "adjective": "old"},
        ],
        "style": [{"name": "noto"}, {"name": "fluent"}],
    },
    "templates": ["{a} {adjective} {object}, in the style of {style}", "{object}, {style} style"],
    "unseen_templates": ["drawn in {style}: {a} {object}"],
}
T_INIT = 625

Prediction = Literal["epsilon", "v_prediction"]


def make_tiny_text_model(
    folder: Path,
    name: str = "tiny-text",
    *,
    prediction_type: Prediction = "epsilon",
    domains: bool = False,
    more_objects: Sequence[str] = (),
    apart: float = 0.0,
) -> BaseModel:
    """Write the model into ``folder`` and read its manifest. Seeded: the same bytes every time.

    ``domains``: with a vocabulary of objects and styles, a judge and made-up reference statistics of each, and a
    distilled pair (the teacher's own weights); without, it is a plain pipeline of which nothing else is known.
    ``more_objects``: words for the vocabulary. ``apart``: see :func:`tests.support.tiny_parts.made_up_reference`.
    """
    said = {"name": name, "title": "Noise by words", "family": "stable_diffusion"}
    with torch.random.fork_rng():
        torch.manual_seed(0)
        pipeline = _pipeline(prediction_type)
        return write_text_model(folder, pipeline, said, domains=domains, more_objects=more_objects, apart=apart)


def write_text_model(
    folder: Path,
    pipeline: Any,
    said: Mapping[str, str],
    *,
    domains: bool,
    more_objects: Sequence[str] = (),
    apart: float = 0.0,
    network: str = "unet",
    side: int = 16,
    t_init: float = T_INIT,
) -> BaseModel:
    """Write a stock ``pipeline`` into ``folder``, its manifest beside it, and read that. ``said``: the manifest's
    ``name``, ``title`` and ``family``; ``network``: its part that is trained; ``side``: of its pictures, in pixels;
    ``t_init``: of its distilled pair; the rest as of :func:`make_tiny_text_model`. Its judges are drawn from torch's
    generator as it is."""
    known = {"object": (*OBJECTS, *more_objects), "style": STYLES}
    pipeline.save_pretrained(folder)
    if domains:
        (folder / "vocabulary.json").write_text(json.dumps(vocabulary_of(more_objects)))
        for domain, names in known.items():
            untrained_judge(3, names).save_pretrained(folder / f"judge-{domain}")
            made_up_reference(names, apart).save(folder / f"reference-{domain}.safetensors")
        for part in ("generator", "fake_score"):
            getattr(pipeline, network).save_pretrained(folder / "distilled" / part)
    files = digests(folder)
    manifest = {
        "schema_version": 1,
        **said,
        "license": "CC0-1.0",
        "data": "none",
        "image": {"channels": 3, "height": side, "width": side, "patch": 1},
        "recipe": {"batch": 4, "lr_generator": 1e-4, "lr_fake_score": 3e-4, "evaluate_every": 2},
        **(domains_of(files, known, t_init) if domains else {}),
        "files": files,
    }
    (folder / "manifest.json").write_text(json.dumps(manifest))
    return load_manifest(folder)


def _pipeline(prediction_type: Prediction) -> StableDiffusionPipeline:
    second = prediction_type == "v_prediction"
    tokenizer = clip_tokenizer()
    unet = UNet2DConditionModel(
        sample_size=8,
        in_channels=4,
        out_channels=4,
        block_out_channels=(8, 16),
        layers_per_block=1,
        down_block_types=("CrossAttnDownBlock2D", "DownBlock2D"),
        up_block_types=("UpBlock2D", "CrossAttnUpBlock2D"),
        attention_head_dim=[1, 2] if second else 2,  # in this class: the number of heads
        cross_attention_dim=16,
        norm_num_groups=4,
        use_linear_projection=second,
    )
    vae = tiny_autoencoder()
    text_encoder = CLIPTextModel(
        CLIPTextConfig(
            vocab_size=len(tokenizer),
            hidden_size=16,
            intermediate_size=32,
            num_hidden_layers=1,
            num_attention_heads=2,
            max_position_embeddings=77,
            projection_dim=16,
            hidden_act="gelu" if second else "quick_gelu",
            bos_token_id=tokenizer.bos_token_id,
            eos_token_id=tokenizer.eos_token_id,
            pad_token_id=tokenizer.pad_token_id,
        )
    )
    schedule: dict[str, Any] = {
        "beta_start": 0.00085,
        "beta_end": 0.012,
        "beta_schedule": "scaled_linear",
        "steps_offset": 1,
        "set_alpha_to_one": False,
        "prediction_type": prediction_type,
    }
    scheduler = (
        DDIMScheduler(**schedule, clip_sample=False) if second else PNDMScheduler(**schedule, skip_prk_steps=True)
    )
    return StableDiffusionPipeline(
        vae, text_encoder, tokenizer, unet, scheduler, None, None, requires_safety_checker=False
    )


def tiny_autoencoder() -> AutoencoderKL:
    """16x16 pixels from 8x8 latents."""
    return AutoencoderKL(
        block_out_channels=(8, 8),
        down_block_types=("DownEncoderBlock2D",) * 2,
        up_block_types=("UpDecoderBlock2D",) * 2,
        latent_channels=4,
        norm_num_groups=4,
        sample_size=16,
    )


def clip_tokenizer(**options: Any) -> CLIPTokenizer:
    """CLIP's byte-pair tokenizer with a merge for each beginning of a few words: others fall into their letters."""
    letters = list(bytes_to_unicode().values())
    vocabulary = [*letters, *(f"{letter}</w>" for letter in letters)]
    merges: list[tuple[str, str]] = []
    for word in ("a", "cat", "dog", *OBJECTS, *STYLES):
        parts = [*word[:-1], f"{word[-1]}</w>"]
        while len(parts) > 1:
            pair = (parts[0], parts[1])
            parts[:2] = ["".join(pair)]
            if parts[0] not in vocabulary:
                vocabulary.append(parts[0])
                merges.append(pair)
    vocabulary += ["<|startoftext|>", "<|endoftext|>"]
    return CLIPTokenizer({token: i for i, token in enumerate(vocabulary)}, merges, model_max_length=77, **options)


def vocabulary_of(more_objects: Sequence[str] = ()) -> dict[str, Any]:
    """What ``vocabulary.json`` says."""
    written: dict[str, Any] = json.loads(json.dumps(VOCABULARY))
    written["domains"]["object"] += [{"name": name, "adjective": "big"} for name in more_objects]
    return written


def domains_of(files: dict[str, str], known: Mapping[str, Sequence[str]], t_init: float = T_INIT) -> dict[str, object]:
    """What a manifest says of the domains ``known`` and the distilled pair."""
    return {
        "vocabulary": "vocabulary.json",
        "domains": {
            domain: {
                "judge": judge_entry(f"judge-{domain}", files, names),
                "reference": f"reference-{domain}.safetensors",
                "teacher": {"sampler": "DDIM", "network_evaluations": 2, "guidance": 2.0},
            }
            for domain, names in known.items()
        },
        "distilled": {"generator": "distilled/generator", "fake_score": "distilled/fake_score", "t_init": t_init},
    }
