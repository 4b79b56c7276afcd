"""One of CLIP's text encoders with the tokenizer that reads for it, in."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from transformers import CLIPTextModel, CLIPTokenizer
from transformers.tokenization_utils_base import VERY_LARGE_INTEGER

from sfd_core.base_model.config_checks import is_whole, shown
from sfd_core.base_model.configs import read_config
from sfd_core.base_model.safe_files import load_pretrained
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
    read = _load_tokenizer(folder / tokenizer)
    network = load_pretrained(kind, folder / encoder, "model.safetensors").eval().requires_grad_(False)
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
    if (known := network.config.vocab_size) < len(read):
        raise ModelRefused(f"{folder / tokenizer}: {len(read)} tokens, the text encoder knows {known}")
    masks = masked and bool(getattr(network.config, "use_attention_mask", None))
    return TextReader(read, network, masks, every_layer)


def _load_tokenizer(folder: Path) -> CLIPTokenizer:
    for file in sorted(folder.glob("*.json")):
        if file.name in ("tokenizer_config.json", "special_tokens_map.json"):
            read_config(file)
    try:
        return CLIPTokenizer.from_pretrained(folder, local_files_only=True, trust_remote_code=False)
    except Exception as error:  # noqa: BLE001 - whatever a hostile file provokes is a refusal
        raise ModelRefused(f"{folder}: no CLIP tokenizer can be read from it: {error}") from None
