"""A checkpoint of one file, as communities share them, becomes a folder: by diffusers' own converter, offline."""

from __future__ import annotations

import tempfile
from pathlib import Path

import diffusers
import torch

from sfd_core.adding.recognition import family_of_folder
from sfd_core.base_model.layout import INDEX, class_named
from sfd_core.base_model.safe_files import read_header
from sfd_core.base_model.sources import put_file
from sfd_core.errors import ModelRefused


def convert(file: Path, like: Path | None, folder: Path) -> None:
    """Write the pipeline of ``file`` to ``folder``. ``like``: a folder of a pipeline of the same architecture, whose
    configurations and tokenizer are taken; its weights are not needed.

    Raises:
        ModelRefused: for a file that is no safetensors, or that the converter cannot make a pipeline of; and without
            ``like``, since one file holds weights alone and nothing is fetched.
    """
    if file.suffix != ".safetensors":
        raise ModelRefused(f"{file}: weights are read from .safetensors alone, never from pickles")
    read_header(file)
    if like is None:
        raise ModelRefused(
            f"{file}: one file holds weights alone: name a folder of a pipeline of the same architecture (--like), "
            "as of the model that it was tuned from; its configurations and tokenizer are taken, its weights not needed"
        )
    _, layout = family_of_folder(like)
    pipeline = class_named(like / INDEX)
    kind = getattr(diffusers, str(pipeline), None)
    if not hasattr(kind, "from_single_file"):
        raise ModelRefused(f"{like}: diffusers converts no one file to a {pipeline}")
    with tempfile.TemporaryDirectory() as bare:
        # Of the folder nothing is there to be opened but what its family reads.
        for name in (*layout.configs, *layout.words):
            if (like / name).is_file():
                put_file(like / name, Path(bare) / name)
        try:
            made = kind.from_single_file(  # type: ignore[union-attr]
                str(file), config=bare, local_files_only=True, torch_dtype=torch.float32
            )
        except Exception as error:  # noqa: BLE001 - whatever a file of something else provokes is a refusal
            raise ModelRefused(f"{file}: no {pipeline} like {like} can be made of it: {error}") from None
        made.save_pretrained(folder, safe_serialization=True)
