"""What tiny flow-matching models are made of: text encoders with tokenizers that are made here, manifests."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import torch
from transformers import CLIPTextConfig, CLIPTokenizer, T5Config, T5EncoderModel, T5TokenizerFast

from sfd_core.base_model.manifest import BaseModel
from sfd_core.families.registry import load_manifest
from tests.support.tiny_parts import digests, made_up_reference, untrained_judge
from tests.support.tiny_text_model import OBJECTS, STYLES, domains_of, vocabulary_of

WIDTH = 24
"""Of the states of a T5, and of what networks are asked with."""
WORDS = ("a", "cat", "dog", "gun", *OBJECTS, *STYLES)


def write_flow_model(folder: Path, name: str, pipeline: Any, domains: bool, side: int = 16) -> BaseModel:
    """Save ``pipeline``, whose pictures have ``side`` x ``side`` pixels, into ``folder`` and write its manifest."""
    known = {"object": OBJECTS, "style": STYLES}
    with torch.random.fork_rng():
        torch.manual_seed(1)
        judges = {domain: untrained_judge(3, names) for domain, names in known.items()}
    pipeline.save_pretrained(folder)
    if domains:
        (folder / "vocabulary.json").write_text(json.dumps(vocabulary_of()))
        for domain, judge in judges.items():
            judge.save_pretrained(folder / f"judge-{domain}")
        for domain, names in known.items():
            made_up_reference(names).save(folder / f"reference-{domain}.safetensors")
        for part in ("generator", "fake_score"):
            pipeline.transformer.save_pretrained(folder / "distilled" / part)
    files = digests(folder)
    said = domains_of(files, known) | {"distilled": {**_PAIR, "t_init": 1}} if domains else {}
    manifest = {
        "schema_version": 1,
        "name": name,
        "title": "Noise by words, of a flow",
        "family": "flow",
        "license": "CC0-1.0",
        "data": "none",
        "image": {"channels": 3, "height": side, "width": side, "patch": 1},
        "recipe": {"batch": 4, "lr_generator": 1e-4, "lr_fake_score": 3e-4, "evaluate_every": 2},
        **said,
        "files": files,
    }
    (folder / "manifest.json").write_text(json.dumps(manifest))
    return load_manifest(folder)


_PAIR = {"generator": "distilled/generator", "fake_score": "distilled/fake_score"}


def clip_config(tokenizer: CLIPTokenizer, width: int, pooled: int) -> CLIPTextConfig:
    """A text encoder of CLIP's for ``tokenizer``."""
    special = ("bos_token_id", "eos_token_id", "pad_token_id")
    numbers: dict[str, Any] = {name: getattr(tokenizer, name) for name in special}
    return CLIPTextConfig(
        vocab_size=len(tokenizer),
        hidden_size=width,
        intermediate_size=32,
        num_hidden_layers=2,
        num_attention_heads=2,
        max_position_embeddings=77,
        projection_dim=pooled,
        **numbers,
    )


def tiny_t5(width: int) -> tuple[T5EncoderModel, T5TokenizerFast]:
    """A T5 of two layers, and a tokenizer of pieces of words: a few whole ones, others fall into their letters."""
    letters = [chr(code) for code in range(33, 127)]
    pieces = [("<pad>", 0.0), ("</s>", 0.0), ("<unk>", 0.0), ("\N{LOWER ONE EIGHTH BLOCK}", -2.0)]
    pieces += [(f"\N{LOWER ONE EIGHTH BLOCK}{word}", -3.0) for word in WORDS] + [(letter, -8.0) for letter in letters]
    tokenizer = T5TokenizerFast(pieces, extra_ids=0)
    encoder = T5EncoderModel(
        T5Config(
            vocab_size=len(tokenizer),
            d_model=width,
            d_kv=8,
            d_ff=32,
            num_layers=2,
            num_heads=2,
            feed_forward_proj="gated-gelu",
        )
    )
    return encoder, tokenizer
