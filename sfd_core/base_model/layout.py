"""What is read of a folder of a family's model, as diffusers saves it. Plain: importing this does not import torch."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

from sfd_core.base_model.configs import MAX_CONFIG_BYTES
from sfd_core.base_model.manifest_parts import ImageFormat
from sfd_core.text_files import read_json

INDEX = "model_index.json"
SCHEDULER = "scheduler/scheduler_config.json"
MAX_TOKENIZER_BYTES = 64 << 20
MAX_WEIGHTS_BYTES = 64 << 30
"""Of one network: FLUX.1 has 24 GB in bf16, and 48 in float32, which a generator of it is published in."""
Groups = Sequence[Sequence[str]]
"""Files of a tokenizer, in each of the forms that it is saved in: one form must be there whole."""
WHOLE, PAIRS = ("tokenizer.json",), ("vocab.json", "merges.txt")
_BESIDE = ("tokenizer_config.json", "special_tokens_map.json", "added_tokens.json")


@dataclass(frozen=True, kw_only=True)
class FolderLayout:
    """The files of a family's model: nothing else of a folder is read.

    ``configs``: JSON that says what the model is; ``weights``: safetensors, those of the network that is trained first;
    both must be there. ``tokenizers``: by folder, the files of each; what else is read of it is taken where it is.
    ``check``: refuses a folder whose configurations are not the family's, before any weights are read. ``image``: what
    the model of a folder makes, from its configurations; where cells of several pixels are one to the network, this
    counts cells. ``classes``: how many classes the model of a folder has; None where the layout has none, or the folder
    names them.

    Which family a folder is of, two of these say: ``pipeline``, the class in ``model_index.json``, and ``without``,
    parts that such a pipeline can do without and this one has not; or, of families
    whose folders need no such file, ``networks``, classes of the network that the first of ``configs`` names, and
    ``schedulers``, those that it is trained with.
    """

    configs: Sequence[str]
    weights: Sequence[str]
    check: Callable[[Path], object]
    image: Callable[[Path], ImageFormat]
    tokenizers: Mapping[str, Groups] = field(default_factory=dict)
    classes: Callable[[Path], int] | None = None
    pipeline: str | None = None
    without: Collection[str] = ()
    networks: Collection[str] = ()
    schedulers: Collection[str] = ()

    @cached_property
    def words(self) -> tuple[str, ...]:
        """Every file of the tokenizers."""
        return tuple(
            f"{folder}/{name}"
            for folder, groups in self.tokenizers.items()
            for name in (*(name for group in groups for name in group), *_BESIDE)
        )

    def without_words(self, listed: Collection[str]) -> str | None:
        """Say which files tokenizers lack, if any does, of those ``listed``."""
        lacking = []
        for folder, forms in self.tokenizers.items():
            groups = [[f"{folder}/{name}" for name in group] for group in forms]
            if not any(set(group) <= set(listed) for group in groups):
                said = " nor ".join(" and ".join(group) for group in groups)
                lacking.append(f"neither {said}" if len(groups) > 1 else f"no {said}")
        return ", ".join(lacking) or None

    @cached_property
    def limits(self) -> dict[str, int]:
        """Every file that may be read, with the most bytes that it may have."""
        return {
            **dict.fromkeys(self.configs, MAX_CONFIG_BYTES),
            **dict.fromkeys(self.words, MAX_TOKENIZER_BYTES),
            **dict.fromkeys(self.weights, MAX_WEIGHTS_BYTES),
        }

    def fits(self, folder: Path) -> bool:
        """Say whether ``folder`` has such a model, by the classes that it names; its scheduler's is not looked at."""
        if self.pipeline is not None:
            return pipeline_fits(folder, self.pipeline, self.without)
        return class_named(folder / self.configs[0]) in self.networks

    def fits_whole(self, folder: Path) -> bool:
        """Say whether the scheduler is one of the layout's besides."""
        return self.fits(folder) and (not self.schedulers or class_named(folder / SCHEDULER) in self.schedulers)


def pipeline_fits(folder: Path, pipeline: str, without: Collection[str]) -> bool:
    """Say whether the ``model_index.json`` of ``folder`` is that of such a ``pipeline``, and has none of the parts
    ``without``."""
    index = _said(folder / INDEX)
    nothing = (None, [None, None])  # as diffusers writes a part that is not there
    return index.get("_class_name") == pipeline and all(index.get(part) in nothing for part in without)


def class_named(path: Path) -> Any:
    """Return the ``_class_name`` of a configuration, a link or not, that nothing else is read of; None where there is
    none that can be read."""
    return _said(path).get("_class_name")


def _said(path: Path) -> dict[str, Any]:
    """What a configuration says; nothing where it cannot be read."""
    try:
        # A pipe in its place would have whoever reads wait for ever.
        config = read_json(path) if path.is_file() and path.stat().st_size <= MAX_CONFIG_BYTES else None
    except (OSError, ValueError, RecursionError):
        return {}
    return config if isinstance(config, dict) else {}
