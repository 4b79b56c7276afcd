"""A generator's files as a zip, made while it is sent: nothing is kept in memory or on the disk."""

from __future__ import annotations

import zipfile
from collections.abc import Iterator, Mapping

from jobs.artifacts import ArtifactStore
from jobs.job import StoredFile


class _Outbox:
    """A file to write to that gives what was written to whoever asks, and cannot seek."""

    def __init__(self) -> None:
        self._written: list[bytes] = []

    def write(self, data: bytes) -> int:
        """Keep ``data`` until it is taken."""
        self._written.append(bytes(data))
        return len(data)

    def flush(self) -> None:
        """Do nothing: nothing is held back."""

    def close(self) -> None:
        """Do nothing: nothing is held open."""

    def take(self) -> bytes:
        """Take what was written since the last time."""
        data = b"".join(self._written)
        self._written.clear()
        return data


def zip_chunks(
    artifacts: ArtifactStore,
    prefix: str,
    files: Mapping[str, StoredFile],
    made: Mapping[str, bytes],
    date: tuple[int, int, int, int, int, int],
) -> Iterator[bytes]:
    """Yield the files as one zip, stored without compression (weights do not compress), in order of their names. The
    same files and date give the same bytes.

    Args:
        files: in the artefact store, below ``prefix``.
        made: what lies nowhere in the store.
        date: year to second, UTC, of every entry.

    Raises:
        ArtifactCorrupt: a file is missing or is not what its digest says. Where that comes out in the middle, the
            answer breaks off: the zip has no directory, and no program takes it for whole.
    """
    outbox = _Outbox()
    with zipfile.ZipFile(outbox, "w", zipfile.ZIP_STORED) as archive:
        for name in sorted([*files, *made]):
            entry = zipfile.ZipInfo(name, date)
            entry.external_attr = 0o644 << 16
            entry.file_size = len(made[name]) if name in made else files[name].size
            chunks = iter([made[name]]) if name in made else artifacts.chunks(prefix, files[name])
            with archive.open(entry, "w") as target:
                for chunk in chunks:
                    target.write(chunk)
                    yield outbox.take()
    yield outbox.take()
