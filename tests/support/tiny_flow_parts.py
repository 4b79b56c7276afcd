"""What tiny flow-matching models are made of: text encoders with tokenizers that are made here, manifests."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from transformers import CLIPTextConfig, CLIPTokenizer, T5Config, T5EncoderModel, T5TokenizerFast

from sfd_core.base_model.manifest import BaseModel
from tests.support.tiny_text_model import OBJECTS, STYLES, write_text_model

WIDTH = 24
"""Of the states of a T5, and of what networks are asked with."""
WORDS = ("a", "cat", "dog", "gun", *OBJECTS, *STYLES)


def write_flow_model(folder: Path, name: str, pipeline: Any, domains: bool, side: int = 16) -> BaseModel:
    """Save ``pipeline``, whose pictures have ``side`` x ``side`` pixels, into ``folder`` and write its manifest."""
    said = {"name": name, "title": "Noise by words, of a flow", "family": "flow"}
    with torch.random.fork_rng():
        torch.manual_seed(1)
        return write_text_model(folder, pipeline, said, domains=domains, network="transformer", side=side, t_init=1)


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
