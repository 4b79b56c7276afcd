"""A checkpoint that is a pickle, read without running any of it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from sfd_core.errors import ModelRefused
from sfd_core.importing.containers import MAX_FILE_BYTES, is_archive, mapped, read_archive, read_pickle


def read_checkpoint(path: Path) -> Any:
    """Read what ``path`` describes: tensors and plain containers, as ``torch.load(weights_only=True)`` gives them, and
    records of the networks that known origins pickle whole, which that refuses.

    Ours reads them all: torch's own takes memory for what a file only says of its sizes, and a tuple as a key that is
    200 000 deep ends its process.

    Raises:
        ModelRefused: naming the file, the name that it asks for, and what to do.
    """
    try:
        length = path.stat().st_size
        if not path.is_file() or not length:
            raise ModelRefused(f"{path}: not a file, or an empty one")
        if length > MAX_FILE_BYTES:
            raise ModelRefused(f"{path}: larger than {MAX_FILE_BYTES} bytes")
        if is_archive(path):
            return read_archive(path)
        data = mapped(path)
    except OSError as error:
        raise ModelRefused(f"{path}: cannot be read: {error.strerror or error}") from None
    if bytes(data[:1]) != b"\x80" and bytes(data[8:9]) == b"{":
        raise ModelRefused(f"{path}: looks like safetensors already: nothing has to be imported")
    return read_pickle(data, str(path))
