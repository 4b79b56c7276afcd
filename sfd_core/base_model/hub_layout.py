"""What is fetched of a hub's model of one family. Plain: importing this does not import torch."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from sfd_core.base_model.configs import MAX_CONFIG_BYTES
from sfd_core.base_model.manifest import BaseModel
from sfd_core.base_model.manifest_parts import ImageFormat

MAX_TOKENIZER_BYTES = 64 << 20
MAX_WEIGHTS_BYTES = 20 << 30
TOKENIZER = (("tokenizer.json",), ("vocab.json", "merges.txt"))
_BESIDE = ("tokenizer_config.json", "special_tokens_map.json")


@dataclass(frozen=True)
class HubLayout:
    """The files of a family's pipeline on a hub: nothing else of a repository is ever fetched.

    ``configs``: JSON that says what the model is; ``weights``: safetensors; both must be there. ``tokenizers``:
    folders; in each one group of :data:`TOKENIZER` must be there whole, and what else is read is taken where it is.
    ``check``: refuses a folder whose configurations are not the family's, before any weights are fetched. ``image``:
    what the pipeline of a folder makes. ``unfetched``: a model of which only name and title are known.
    """

    pipeline: str
    family: str
    configs: Sequence[str]
    weights: Sequence[str]
    tokenizers: Sequence[str]
    check: Callable[[Path], object]
    image: Callable[[Path], ImageFormat]
    unfetched: Callable[[str, str], BaseModel]

    @cached_property
    def words(self) -> tuple[str, ...]:
        """Every file of the tokenizers."""
        names = (*(name for group in TOKENIZER for name in group), *_BESIDE)
        return tuple(f"{folder}/{name}" for folder in self.tokenizers for name in names)

    def without_words(self, listed: Collection[str]) -> str | None:
        """Say which files a tokenizer lacks, if one does, of those ``listed``."""
        for folder in self.tokenizers:
            groups = [[f"{folder}/{name}" for name in group] for group in TOKENIZER]
            if not any(set(group) <= set(listed) for group in groups):
                return " nor ".join(" and ".join(group) for group in groups)
        return None

    @cached_property
    def limits(self) -> Mapping[str, int]:
        """Every file that may be fetched, with the most bytes that it may have."""
        return {
            **dict.fromkeys(self.configs, MAX_CONFIG_BYTES),
            **dict.fromkeys(self.words, MAX_TOKENIZER_BYTES),
            **dict.fromkeys(self.weights, MAX_WEIGHTS_BYTES),
        }
