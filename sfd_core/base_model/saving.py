"""Networks and tensors of a model's folder, out: each in one safetensors file, which is what is read back
(:mod:`sfd_core.base_model.safe_files`), and for whoever may look into the folder: safetensors writes for its owner
alone."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from safetensors.torch import save_file
from torch import Tensor

from sfd_core.base_model.layout import MAX_WEIGHTS_BYTES

ONE_FILE = MAX_WEIGHTS_BYTES
"""``max_shard_size`` of whatever saves a network: diffusers cuts weights of more than 10 GB into parts by itself."""


def save_tensors(tensors: Mapping[str, Tensor], path: Path, metadata: Mapping[str, str] | None = None) -> None:
    """Write ``tensors`` to ``path``. ``metadata``: texts in its header."""
    save_file(dict(tensors), path, metadata=None if metadata is None else dict(metadata))
    _let_read(path)


def save_network(network: Any, folder: Path) -> None:
    """Write a network of diffusers into ``folder``: its configuration and its weights."""
    network.save_pretrained(folder, max_shard_size=ONE_FILE)
    for path in folder.glob("*.safetensors"):
        _let_read(path)


def _let_read(path: Path) -> None:
    """Whom the folder lets in, as the umask had it when it was made."""
    path.chmod(path.parent.stat().st_mode & 0o666)
