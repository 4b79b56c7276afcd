"""Configurations of a model's folder, in: JSON objects of bearable size, never a request to run code. Plain: importing
this does not import torch."""

from __future__ import annotations

import os
from functools import partial
from operator import eq
from pathlib import Path
from typing import Any

from sfd_core.base_model.config_checks import Checked
from sfd_core.errors import ModelRefused
from sfd_core.text_files import read_json

MAX_CONFIG_BYTES = 1 << 20
CONFIG = "config.json"


def read_config(path: Path) -> dict[str, Any]:
    """Read a JSON object from a file of at most 1 MiB that is not a link out of its folder.

    Raises:
        ModelRefused: for another file, or one that asks for code of its own to be run.
    """
    refuse_link_out(path)
    try:
        if path.exists() and not path.is_file():
            raise ModelRefused(f"{path}: not a file")
        if path.stat().st_size > MAX_CONFIG_BYTES:
            raise ModelRefused(f"{path}: larger than {MAX_CONFIG_BYTES} bytes")
        config = read_json(path)
    except (OSError, ValueError, RecursionError) as error:
        raise ModelRefused(f"{path}: not readable as JSON: {error}") from None
    if not isinstance(config, dict):
        raise ModelRefused(f"{path}: must be a JSON object")
    if "auto_map" in config:
        raise ModelRefused(f"{path}: auto_map asks for code of its own to be run; such models are refused")
    return config


def check_class(folder: Path, library: str, name: str) -> None:
    """Check that the ``config.json`` in ``folder`` is that of a network of the class ``name`` of this ``library``,
    diffusers or transformers, and that its weights are numbers as they were trained.

    Raises:
        ModelRefused: naming the file and every field that is wrong.
    """
    checked = Checked(read_config(folder / CONFIG))
    field, right = ("architectures", [name]) if library == "transformers" else ("_class_name", name)
    checked.value(field, partial(eq, right), f"be {right!r}")
    checked.unset("quantization_config", "quantized weights are not read: take the model as it was before")
    checked.refuse(folder / CONFIG)


def refuse_link_out(path: Path) -> None:
    """Refuse a link that leaves the folder it stands in."""
    if path.is_symlink() and not path.resolve().is_relative_to(Path(os.path.realpath(path.parent))):
        raise ModelRefused(f"{path}: a link that leaves its folder")
