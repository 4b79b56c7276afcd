"""A T5 as text encoder with the tokenizer that reads for it, in."""

from __future__ import annotations

from pathlib import Path

from transformers import T5EncoderModel, T5TokenizerFast

from sfd_core.base_model.libraries import load_pretrained, load_tokenizer
from sfd_core.families.text.reader import SENTENCEPIECE_WORD, TextReader


def load_t5(folder: Path, encoder: str, tokenizer: str, length: int) -> TextReader:
    """Load the tokenizer and the text encoder in these subfolders of a pipeline whose configurations were checked, in
    float32 on the CPU. ``length``: how many tokens the pipeline reads of a prompt.

    Raises:
        ModelRefused: naming the file and what is wrong with it.
    """
    network = load_pretrained(T5EncoderModel, folder / encoder, "model.safetensors").eval().requires_grad_(False)
    read = load_tokenizer(folder / tokenizer, T5TokenizerFast, "T5", network.config.vocab_size)
    return TextReader(read, network, length=length, word=SENTENCEPIECE_WORD)
