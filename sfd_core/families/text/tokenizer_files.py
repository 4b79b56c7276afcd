"""Tokenizers of a pipeline's folder, in: nothing of it is executed."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from sfd_core.base_model.configs import read_config
from sfd_core.errors import ModelRefused


def load_tokenizer(folder: Path, kind: type[Any], name: str, known: int) -> Any:
    """Load a tokenizer of transformers' class ``kind`` for a text encoder that knows so many tokens. ``name``: what its
    tokenizers are called in a message.

    Raises:
        ModelRefused: naming the file and what is wrong with it.
    """
    for file in sorted(folder.glob("*.json")):
        if file.name in ("tokenizer_config.json", "special_tokens_map.json"):
            read_config(file)
    try:
        read = kind.from_pretrained(folder, local_files_only=True, trust_remote_code=False)
    except Exception as error:  # noqa: BLE001 - whatever a hostile file provokes is a refusal
        raise ModelRefused(f"{folder}: no {name} tokenizer can be read from it: {error}") from None
    cat, dog = (read.backend_tokenizer.encode(text).ids for text in ("a cat", "b dog"))
    if cat == dog:  # its class makes one up where a file is without words
        raise ModelRefused(f"{folder}: the {name} tokenizer reads 'a cat' as it reads 'b dog': its files have no words")
    # The file numbers its tokens as it likes, with gaps or without.
    if known < (numbers := max(read.get_vocab().values(), default=-1) + 1):
        raise ModelRefused(f"{folder}: {numbers} tokens, the text encoder knows {known}")
    return read
