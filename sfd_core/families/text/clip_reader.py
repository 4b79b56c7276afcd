"""One of CLIP's text encoders with the tokenizer that reads for it, in."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from transformers import CLIPTextModel, CLIPTokenizer
from transformers.tokenization_utils_base import VERY_LARGE_INTEGER

from sfd_core.base_model.config_checks import is_whole, shown
from sfd_core.base_model.libraries import load_pretrained, load_tokenizer
from sfd_core.errors import ModelRefused
from sfd_core.families.text.reader import TextReader


def load_clip(
    folder: Path,
    kind: type[Any] = CLIPTextModel,
    encoder: str = "text_encoder",
    tokenizer: str = "tokenizer",
    *,
    masked: bool,
    every_layer: bool = False,
) -> TextReader:
    """Load the tokenizer and the text encoder in these subfolders of a pipeline whose configurations were checked, in
    float32 on the CPU. ``masked``: the stock pipeline hides from an encoder what fills a prompt up, where its
    configuration says so.

    Raises:
        ModelRefused: naming the file and what is wrong with it.
    """
    network = load_pretrained(kind, folder / encoder, "model.safetensors").eval().requires_grad_(False)
    read = load_tokenizer(folder / tokenizer, CLIPTokenizer, "CLIP", network.config.vocab_size)
    positions = network.config.max_position_embeddings
    if read.model_max_length == VERY_LARGE_INTEGER:  # where its files say none
        read.model_max_length = positions
    longest = read.model_max_length
    # A token to begin and one to end with, and one of the prompt.
    if not is_whole(longest) or not 3 <= longest <= positions:
        raise ModelRefused(
            f"{folder / tokenizer}: prompts of {shown(longest)} tokens, the text encoder has places for {positions} "
            "and needs 3"
        )
    masks = masked and bool(getattr(network.config, "use_attention_mask", None))
    return TextReader(read, network, masks, every_layer)


def same_length(folder: Path, first: TextReader, second: TextReader) -> None:
    """Refuse a second tokenizer that reads more or fewer tokens than the first: the states of both text encoders stand
    beside each other.

    Raises:
        ModelRefused: with both.
    """
    if first.longest != second.longest:
        raise ModelRefused(
            f"{folder / 'tokenizer_2'}: prompts of {second.longest} tokens, those of tokenizer have "
            f"{first.longest}: the states of both text encoders stand beside each other"
        )
