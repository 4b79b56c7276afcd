"""What is fetched of a hub's model of one family. Plain: importing this does not import torch."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from sfd_core.base_model.configs import MAX_CONFIG_BYTES
from sfd_core.base_model.manifest import BaseModel
from sfd_core.base_model.manifest_parts import ImageFormat

MAX_TOKENIZER_BYTES = 64 << 20
MAX_WEIGHTS_BYTES = 20 << 30


@dataclass(frozen=True)
class HubLayout:
    """The files of a family's pipeline on a hub: nothing else of a repository is ever fetched.

    ``configs``: JSON that says what the model is; ``weights``: safetensors; both must be there. ``tokenizers``: groups
    of files, of which one group must be there whole; ``optional``: what is read beside them where it is there.
    ``check``: refuses a folder whose configurations are not the family's, before any weights are fetched. ``image``:
    what the pipeline of a folder makes. ``unfetched``: a model of which only name and title are known.
    """

    pipeline: str
    family: str
    configs: Sequence[str]
    weights: Sequence[str]
    tokenizers: Sequence[Sequence[str]]
    optional: Sequence[str]
    check: Callable[[Path], object]
    image: Callable[[Path], ImageFormat]
    unfetched: Callable[[str, str], BaseModel]

    @cached_property
    def words(self) -> tuple[str, ...]:
        """Every file of the tokenizers."""
        return tuple(dict.fromkeys((*(name for group in self.tokenizers for name in group), *self.optional)))

    @cached_property
    def limits(self) -> Mapping[str, int]:
        """Every file that may be fetched, with the most bytes that it may have."""
        return {
            **dict.fromkeys(self.configs, MAX_CONFIG_BYTES),
            **dict.fromkeys(self.words, MAX_TOKENIZER_BYTES),
            **dict.fromkeys(self.weights, MAX_WEIGHTS_BYTES),
        }
