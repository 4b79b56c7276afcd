"""The tokens that the text encoder reads of a prompt, from the files of a pipeline's tokenizer. Plain: does not import
torch.

The service asks for them as a request is submitted, long before a run loads the tokenizer itself, which
``transformers`` builds of the same files in the same way.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any

from sfd_core.text_files import read_json, text_of

Tokens = tuple[int, ...]
_FOLDER = "tokenizer"
_CONFIG = "tokenizer_config.json"
_SPECIAL = {
    "bos_token": "<|startoftext|>",
    "eos_token": "<|endoftext|>",
    "unk_token": "<|endoftext|>",
    "pad_token": "<|endoftext|>",
}
_WORDS = r"<\|startoftext\|>|<\|endoftext\|>|'s|'t|'re|'ve|'m|'ll|'d|[\p{L}]+|[\p{N}]|[^\s\p{L}\p{N}]+"
"""What CLIP takes apart before it looks for pairs of bytes."""


class PromptTokenizer:
    """A CLIP tokenizer. ``longest``: tokens that are read of a prompt, with those of its start and end."""

    def __init__(self, tokenizer: Any, longest: int) -> None:
        self._tokenizer = tokenizer
        self.longest = longest

    def read(self, prompts: Sequence[str]) -> list[Tokens]:
        """Return the tokens that are read of each prompt: those that do not fit are cut off its end."""
        return [tuple(self._tokenizer.encode(prompt).ids) for prompt in prompts]


def prompt_tokenizer(folder: Path) -> PromptTokenizer | None:
    """Read the tokenizer of the pipeline in ``folder``; None where its files are not there, as of a hub's model before
    it is fetched, or are none of a CLIP tokenizer, which a run refuses as it loads them."""
    files = [folder / _FOLDER / name for name in (_CONFIG, "tokenizer.json", "vocab.json", "merges.txt")]
    there = [path for path in files if path.is_file()]
    return _loaded(folder, tuple(path.stat().st_mtime_ns for path in there)) if there else None


@lru_cache(maxsize=4)
def _loaded(folder: Path, changed: tuple[int, ...]) -> PromptTokenizer | None:
    """The tokenizer, kept while its files stay as they are."""
    try:
        return _built(folder / _FOLDER)
    except Exception:  # noqa: BLE001 - whatever a broken file provokes is refused where the run loads it
        return None


def _built(folder: Path) -> PromptTokenizer:
    from tokenizers import Regex, Tokenizer, normalizers, pre_tokenizers, processors
    from tokenizers.models import BPE

    config = read_json(folder / _CONFIG)
    longest = int(config["model_max_length"])
    special = {name: _text(config.get(name, token)) for name, token in _SPECIAL.items()}
    vocabulary, merges = _vocabulary(folder)
    tokenizer = Tokenizer(
        BPE(
            vocabulary,
            merges,
            unk_token=special["unk_token"],
            continuing_subword_prefix="",
            end_of_word_suffix="</w>",
            fuse_unk=False,
        )
    )
    tokenizer.normalizer = normalizers.Sequence(
        [normalizers.NFC(), normalizers.Replace(Regex(r"\s+"), " "), normalizers.Lowercase()]
    )
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(Regex(_WORDS), behavior="removed", invert=True),
            pre_tokenizers.ByteLevel(add_prefix_space=False),
        ]
    )
    tokenizer.add_special_tokens(list(dict.fromkeys(special.values())))

    def numbered(name: str) -> tuple[str, int]:
        number = tokenizer.token_to_id(special[name])
        assert number is not None  # it was added
        return special[name], number

    start, end = numbered("bos_token"), numbered("eos_token")
    tokenizer.post_processor = processors.RobertaProcessing(end, start, trim_offsets=False, add_prefix_space=False)
    tokenizer.enable_truncation(longest)
    return PromptTokenizer(tokenizer, longest)


def _text(token: Any) -> str:
    """A special token of a configuration: its text, or an object with that."""
    return str(token["content"] if isinstance(token, dict) else token)


def _vocabulary(folder: Path) -> tuple[dict[str, int], list[tuple[str, str]]]:
    """The tokens with their numbers and the pairs that make them, of either form in which they are saved."""
    if (path := folder / "tokenizer.json").is_file():
        model = read_json(path)["model"]
        pairs = [pair.split(" ") if isinstance(pair, str) else pair for pair in model["merges"]]
        return model["vocab"], [(a, b) for a, b in pairs]
    lines = text_of((folder / "merges.txt").read_bytes()).split("\n")
    pairs = [re.split(" ", line.strip()) for line in lines if line.strip() and not line.startswith("#version")]
    return read_json(folder / "vocab.json"), [(a, b) for a, b in pairs]
