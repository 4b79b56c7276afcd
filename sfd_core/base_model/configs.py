"""Configurations of a model's folder, in: JSON objects of bearable size, never a request to run code. Plain: importing
this does not import torch."""

from __future__ import annotations

import os
import stat
from functools import partial
from itertools import islice
from operator import eq
from pathlib import Path
from typing import Any

from sfd_core.base_model.config_checks import Checked
from sfd_core.errors import ModelRefused
from sfd_core.json_values import faults
from sfd_core.text_files import read_json

MAX_CONFIG_BYTES = 1 << 20
CONFIG = "config.json"
_ELSEWHERE = {
    "auto_map": "asks for code of its own to be run",
    "custom_pipelines": "asks for code of its own to be run",
    "transformers_weights": "names weights that the manifest does not",
}
"""What libraries take from a configuration to open or to run what is not in the folder."""
MOST_FAULTS = 100
"""Faults of one file that are told: who has more has another file in mind."""


def read_config(path: Path) -> dict[str, Any]:
    """Read a JSON object from a file of at most 1 MiB that is not a link out of its folder.

    Raises:
        ModelRefused: for another file, or one that asks for code of its own to be run.
    """
    refuse_link_out(path)
    config = read_object(path, MAX_CONFIG_BYTES)
    if asks := sorted(name for name in config if name in _ELSEWHERE and config[name] is not None):
        why = "; ".join(f"{name} {_ELSEWHERE[name]}" for name in asks)
        raise ModelRefused(f"{path}: {why}; such models are refused")
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


def read_object(path: Path, most_bytes: int) -> dict[str, Any]:
    """Read a JSON object from a plain file of at most ``most_bytes``; any other, a pipe say, is not opened.

    Raises:
        ModelRefused: for another file, or none.
    """
    try:
        found = path.stat()
        if not stat.S_ISREG(found.st_mode):
            raise ModelRefused(f"{path}: not a plain file")
        if found.st_size > most_bytes:
            raise ModelRefused(f"{path}: larger than {most_bytes} bytes")
        said = read_json(path)
    except ModelRefused:
        raise
    except (OSError, ValueError, RecursionError) as error:
        raise ModelRefused(f"{path}: not readable as JSON: {error}") from None
    if not isinstance(said, dict):
        raise ModelRefused(f"{path}: must be a JSON object")
    return said


def read_sound_object(path: Path, most_bytes: int) -> dict[str, Any]:
    """Read the same from a file whose values are shown and stored as they are.

    Raises:
        ModelRefused: as :func:`read_object`, and for values that cannot be, with every one.
    """
    said = read_object(path, most_bytes)
    if wrong := list(islice(faults(said), MOST_FAULTS)):
        raise ModelRefused(f"{path}: {'; '.join(f'{pointer} {what}' for pointer, what in wrong)}")
    return said


def refuse_link_out(path: Path) -> None:
    """Refuse a link that leaves the folder it stands in."""
    if path.is_symlink() and not path.resolve().is_relative_to(Path(os.path.realpath(path.parent))):
        raise ModelRefused(f"{path}: a link that leaves its folder")
