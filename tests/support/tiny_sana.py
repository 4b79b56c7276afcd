"""A SANA that trains in milliseconds: stock ``SanaPipeline`` parts, untrained; 32x32 pixels, the least that it
draws."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import torch
from diffusers import AutoencoderDC, DPMSolverMultistepScheduler, SanaPipeline, SanaTransformer2DModel
from transformers import Gemma2Config, Gemma2Model, GemmaTokenizerFast

from sfd_core.base_model.manifest import BaseModel
from sfd_core.families.flow.pipelines.sana.reader import INSTRUCTION
from tests.support.tiny_flow_parts import WIDTH, WORDS, write_flow_model

SPACE = "\N{LOWER ONE EIGHTH BLOCK}"


def make_tiny_sana(folder: Path, name: str = "tiny-sana", *, scheduler: Any = None, domains: bool = False) -> BaseModel:
    """Write the model into ``folder`` and read its manifest. Seeded: the same bytes every time. ``scheduler``: another
    than the solver that published ones come with. ``domains``: as of
    :func:`tests.support.tiny_text_model.make_tiny_text_model`."""
    solver = DPMSolverMultistepScheduler(use_flow_sigmas=True, prediction_type="flow_prediction", flow_shift=3.0)
    with torch.random.fork_rng():
        torch.manual_seed(0)
        pipeline = _pipeline(scheduler or solver)
    return write_flow_model(folder, name, pipeline, domains, 32)


def _pipeline(scheduler: Any) -> SanaPipeline:
    tokenizer = gemma_tokenizer()
    transformer = SanaTransformer2DModel(
        in_channels=4,
        out_channels=4,
        num_attention_heads=2,
        attention_head_dim=8,
        num_layers=1,
        num_cross_attention_heads=2,
        cross_attention_head_dim=8,
        cross_attention_dim=16,
        caption_channels=WIDTH,
        sample_size=8,
    )
    for weight in transformer.parameters():
        torch.nn.init.normal_(weight, std=0.25)
    encoder = Gemma2Model(
        Gemma2Config(
            vocab_size=len(tokenizer),
            hidden_size=WIDTH,
            intermediate_size=32,
            num_hidden_layers=1,
            num_attention_heads=2,
            num_key_value_heads=1,
            head_dim=8,
            query_pre_attn_scalar=8,
        )
    )
    vae = AutoencoderDC(
        latent_channels=4,
        attention_head_dim=8,
        encoder_block_out_channels=(8, 8, 8),
        decoder_block_out_channels=(8, 8, 8),
        encoder_layers_per_block=(1, 1, 1),
        decoder_layers_per_block=(1, 1, 1),
        encoder_qkv_multiscales=((), (), ()),
        decoder_qkv_multiscales=((), (), ()),
        scaling_factor=1.5,
    )
    return SanaPipeline(tokenizer, encoder, vae, transformer, scheduler)


def gemma_tokenizer() -> GemmaTokenizerFast:
    """Byte pairs with a merge for each beginning of a few words and of those of the instruction."""
    letters = [*(chr(code) for code in range(33, 127)), SPACE, "\n"]
    vocabulary = ["<pad>", "<eos>", "<bos>", "<unk>", "<mask>", *(f"<0x{byte:02X}>" for byte in range(256)), *letters]
    merges: list[tuple[str, str]] = []
    for word in dict.fromkeys((*WORDS, *re.findall(r"[A-Za-z]+", INSTRUCTION))):
        whole = SPACE
        for letter in word:
            pair = (whole, letter)
            whole += letter
            if whole not in vocabulary:
                vocabulary.append(whole)
                merges.append(pair)
    return GemmaTokenizerFast({token: i for i, token in enumerate(vocabulary)}, merges)
