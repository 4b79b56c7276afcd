"""The files that a saved generator is made of."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from sfd_core.base_model.manifest import file_sha256


def saved_files(folder: Path, folders: Sequence[str], files: Sequence[str] = ("model_index.json",)) -> dict[str, str]:
    """Return the SHA-256 of ``files`` and of what lies in ``folders`` of a generator's folder, by name. What lies
    beside them (the card, the evaluation, the record) speaks of these and is not among them."""
    parts = [*(folder / name for name in files), *(part for name in folders for part in folder.glob(f"{name}/*"))]
    return {part.relative_to(folder).as_posix(): file_sha256(part) for part in sorted(parts) if part.is_file()}
