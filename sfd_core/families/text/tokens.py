"""The tokens that text encoders read of a prompt, from the files of a pipeline's tokenizers. Plain: does not import
torch.

The service asks for them as a request is submitted, long before a run loads the tokenizer itself, which
``transformers`` builds of the same files in the same way.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache, partial
from itertools import chain
from pathlib import Path
from typing import Any

from sfd_core.base_model.configs import read_config
from sfd_core.base_model.layout import MAX_TOKENIZER_BYTES, PAIRS, WHOLE, Groups
from sfd_core.text_files import read_json, text_of

Tokens = tuple[int, ...]
Reading = tuple[Tokens, ...]
"""The tokens that are read of one prompt, by each of a model's tokenizers."""
_NO_LENGTH = int(1e30)
"""What transformers writes where there is none."""
_CONFIG, (_WHOLE,), (_NUMBERS, _MERGES) = "tokenizer_config.json", WHOLE, PAIRS
_SPECIAL = {
    "bos_token": "<|startoftext|>",
    "eos_token": "<|endoftext|>",
    "unk_token": "<|endoftext|>",
    "pad_token": "<|endoftext|>",
}
_WORDS = r"<\|startoftext\|>|<\|endoftext\|>|'s|'t|'re|'ve|'m|'ll|'d|[\p{L}]+|[\p{N}]|[^\s\p{L}\p{N}]+"
"""What CLIP takes apart before it looks for pairs of bytes."""


class PromptTokenizer:
    """A tokenizer. ``longest``: tokens that are read of a prompt, with those of its start and end."""

    def __init__(self, tokenizer: Any, longest: int, small: bool = False) -> None:
        self._tokenizer = tokenizer
        self.longest = longest
        self._small = small

    def read(self, prompts: Sequence[str]) -> list[Tokens]:
        """Return the tokens that are read of each prompt: those that do not fit are cut off its end."""
        said = [prompt.lower().strip() for prompt in prompts] if self._small else prompts
        return [tuple(self._tokenizer.encode(prompt).ids) for prompt in said]


@dataclass(frozen=True)
class PromptReader:
    """The tokenizers of a model, each of which reads every prompt."""

    tokenizers: Sequence[PromptTokenizer]

    @property
    def longest(self) -> int:
        """How many tokens are read of a prompt at most."""
        return max(tokenizer.longest for tokenizer in self.tokenizers)

    def read(self, prompts: Sequence[str]) -> list[Reading]:
        """Return the tokens that are read of each prompt."""
        return list(zip(*(tokenizer.read(prompts) for tokenizer in self.tokenizers), strict=True))


@dataclass(frozen=True)
class TokenizerKind:
    """A kind of tokenizer. ``names``: of its classes, as a ``model_index.json`` has them, the slow and the fast one.
    ``build``: reads one of the files in its folder. ``files``: what these are, in each form that is read."""

    names: tuple[str, ...]
    build: Callable[[Path], PromptTokenizer]
    files: Groups = (WHOLE,)


def prompt_reader(folder: Path, tokenizers: Mapping[str, TokenizerKind]) -> PromptReader | None:
    """Read the ``tokenizers``, by their folders, of the pipeline in ``folder``; None where one of them is not there or
    cannot be read."""
    found = [prompt_tokenizer(folder / name, kind) for name, kind in tokenizers.items()]
    return PromptReader(read) if len(read := [one for one in found if one is not None]) == len(found) else None


def prompt_tokenizer(folder: Path, kind: TokenizerKind) -> PromptTokenizer | None:
    """Read the tokenizer in ``folder``; None where its files are not there, as of a hub's model before it is fetched,
    or are none of its kind, which a run refuses as it loads them."""
    files = [folder / name for name in (_CONFIG, *chain(*kind.files))]
    there = [path for path in files if path.is_file()]
    if any(path.stat().st_size > MAX_TOKENIZER_BYTES for path in there):
        return None
    return _loaded(folder, kind, tuple(path.stat().st_mtime_ns for path in there)) if there else None


@lru_cache(maxsize=8)
def _loaded(folder: Path, kind: TokenizerKind, changed: tuple[int, ...]) -> PromptTokenizer | None:
    """The tokenizer, kept while its files stay as they are."""
    try:
        return kind.build(folder)
    except Exception:  # noqa: BLE001 - whatever a broken file provokes is refused where the run loads it
        return None


def _clip(folder: Path) -> PromptTokenizer:
    from tokenizers import Regex, Tokenizer, normalizers, pre_tokenizers, processors
    from tokenizers.models import BPE

    config = read_json(folder / _CONFIG) if (folder / _CONFIG).is_file() else {}
    said = config.get("model_max_length")
    if said is None or said == _NO_LENGTH:
        encoder = folder.with_name(folder.name.replace("tokenizer", "text_encoder"))  # as diffusers names the two
        said = read_config(encoder / "config.json").get("max_position_embeddings", 77)
    longest = int(said)
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


CLIP = TokenizerKind(("CLIPTokenizer", "CLIPTokenizerFast"), _clip, (WHOLE, PAIRS))


def t5_tokenizer(longest: int) -> TokenizerKind:
    """Return the kind of a T5's tokenizer, of which a pipeline reads so many tokens."""
    return TokenizerKind(("T5TokenizerFast", "T5Tokenizer"), partial(_whole, longest))


def gemma_tokenizer(longest: int) -> TokenizerKind:
    """Return the kind of a Gemma's tokenizer, of which a pipeline reads so many tokens, of prompts in small letters."""
    return TokenizerKind(("GemmaTokenizerFast", "GemmaTokenizer"), partial(_whole, longest, small=True))


def _whole(longest: int, folder: Path, small: bool = False) -> PromptTokenizer:
    """A tokenizer that ``tokenizer.json`` has all of. ``small``: its prompts are read in small letters."""
    from tokenizers import Tokenizer

    tokenizer = Tokenizer.from_file(str(folder / _WHOLE))
    tokenizer.enable_truncation(longest)
    return PromptTokenizer(tokenizer, longest, small)


def _text(token: Any) -> str:
    """A special token of a configuration: its text, or an object with that."""
    return str(token["content"] if isinstance(token, dict) else token)


def _vocabulary(folder: Path) -> tuple[dict[str, int], list[tuple[str, str]]]:
    """The tokens with their numbers and the pairs that make them, of either form in which they are saved."""
    if (path := folder / _WHOLE).is_file():
        model = read_json(path)["model"]
        pairs = [pair.split(" ") if isinstance(pair, str) else pair for pair in model["merges"]]
        return model["vocab"], [(a, b) for a, b in pairs]
    lines = text_of((folder / _MERGES).read_bytes()).split("\n")
    pairs = [re.split(" ", line.strip()) for line in lines if line.strip() and not line.startswith("#version")]
    return read_json(folder / _NUMBERS), [(a, b) for a, b in pairs]
