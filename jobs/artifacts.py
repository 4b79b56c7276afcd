"""Files of attempts, named by their digest, in a folder or an object store (fsspec).

A file lies at ``<prefix>/<sha256>`` and never changes: what is there already is never written again, and whoever
reads it can tell whether it is still what it was. It becomes visible by the row that names it, so a file that no row
names is only waste.
"""

from __future__ import annotations

import hashlib
import os
import re
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path, PurePosixPath
from typing import IO, Any, BinaryIO, cast

import fsspec
from fsspec.callbacks import Callback
from fsspec.implementations.local import LocalFileSystem

from jobs.errors import ArtifactCorrupt
from jobs.job import ATTEMPTS, StoredFile

CHUNK_BYTES = 1 << 20
Between = Callable[[], object]
"""Called between two pieces of a file that is copied, which may take hours; what it raises ends the copy."""
_PREFIX = re.compile(r"[A-Za-z0-9_-]+(/[A-Za-z0-9_-]+)*\Z")
_SHA256 = re.compile(r"[0-9a-f]{64}\Z")


class ArtifactStore:
    """Files by digest below ``url``, such as ``file:///folder`` or ``s3://bucket/prefix``."""

    def __init__(self, url: str) -> None:
        filesystem, root = fsspec.url_to_fs(url)
        self._fs: Any = filesystem
        self._root: str = root.rstrip("/")
        self._local = isinstance(filesystem, LocalFileSystem)

    def put_file(self, path: Path, prefix: str, type: str | None = None, between: Between = lambda: None) -> StoredFile:
        """Store a file and say what it is stored as. All or nothing, whenever the process is killed.

        Args:
            type: its media type, kept with the result.
            between: called between two pieces of it.

        Raises:
            ArtifactCorrupt: the store has a file of this digest whose content is another; it is left as it is.
        """
        digest = hashlib.sha256()
        with path.open("rb") as stream:
            for piece in _pieces(stream, between):
                digest.update(piece)
        stored = StoredFile(digest.hexdigest(), path.stat().st_size, type)
        target = self._path(prefix, stored.sha256)
        if not self._fs.exists(target):
            if self._local:
                _put_local(path, Path(target), between)
            else:  # An object appears whole or not at all.
                self._fs.put_file(str(path), target, callback=Callback(hooks={"between": lambda *_, **__: between()}))
        # Also what was there before, and what changed while it was copied.
        for _ in self.chunks(prefix, stored, between):
            pass
        return stored

    def open(self, prefix: str, sha256: str) -> BinaryIO:
        """Open the file as a stream, unverified.

        Raises:
            FileNotFoundError: there is none.
        """
        return cast(BinaryIO, self._fs.open(self._path(prefix, sha256), "rb"))

    def chunks(self, prefix: str, file: StoredFile, between: Between = lambda: None) -> Iterator[bytes]:
        """Yield the file piece by piece, verified at the end: an answer made of it breaks off rather than pass for
        whole.

        Raises:
            ArtifactCorrupt: it is missing, or is not what its name says.
        """
        digest = hashlib.sha256()
        try:
            with self.open(prefix, file.sha256) as stream:
                for piece in _pieces(stream, between):
                    digest.update(piece)
                    yield piece
        except FileNotFoundError:
            raise ArtifactCorrupt(f"{prefix}/{file.sha256} is missing from the artefact store") from None
        if digest.hexdigest() != file.sha256:
            raise ArtifactCorrupt(f"{prefix}/{file.sha256} has the digest {digest.hexdigest()}")

    def read(self, prefix: str, file: StoredFile) -> bytes:
        """Read the whole file, verified. For what is small enough to be held in memory.

        Raises:
            ArtifactCorrupt: it is missing, or is not what its name says.
        """
        return b"".join(self.chunks(prefix, file))

    def fetch(
        self, prefix: str, files: Mapping[str, StoredFile], folder: Path, between: Between = lambda: None
    ) -> None:
        """Copy ``files`` (by name) into ``folder``, which is made if need be. Each file appears whole and verified,
        or not at all. ``between`` is called between two pieces of each.

        Raises:
            ArtifactCorrupt: a file is missing or is not what its name says.
            ValueError: a name that would lie outside ``folder``.
        """
        for name, file in files.items():
            parts = PurePosixPath(name)
            if not name or parts.is_absolute() or ".." in parts.parts or "\\" in name:
                raise ValueError(f"{name!r} would lie outside the folder")
            target = folder / name
            target.parent.mkdir(parents=True, exist_ok=True)
            with _beside(target) as (temporary, stream):
                stream.writelines(self.chunks(prefix, file, between))
                _sync(stream)
                temporary.replace(target)

    def attempts(self, job_id: str) -> Sequence[int]:
        """List the attempts of a job of which there are files, whole or not, by number."""
        return sorted(int(name) for name in self._names(f"{ATTEMPTS}/{job_id}") if name.isdecimal())

    def jobs(self) -> Sequence[str]:
        """List the jobs of which there are files."""
        return sorted(self._names(ATTEMPTS))

    def remove(self, prefix: str) -> None:
        """Remove everything below ``prefix``, also what a killed process left half-written; that it is gone already is
        no trouble."""
        with suppress(FileNotFoundError):
            self._fs.rm(self._folder(prefix), recursive=True)

    def remove_file(self, prefix: str, sha256: str) -> None:
        """Remove one file; that it is gone already is no trouble."""
        with suppress(FileNotFoundError):
            self._fs.rm_file(self._path(prefix, sha256))

    def _names(self, prefix: str) -> list[str]:
        try:
            found = self._fs.ls(self._folder(prefix), detail=False, refresh=True)
        except FileNotFoundError:
            return []
        return [PurePosixPath(path).name for path in found]

    def _folder(self, prefix: str) -> str:
        if not _PREFIX.match(prefix):
            raise ValueError(f"{prefix!r} is not a prefix of the artefact store")
        return f"{self._root}/{prefix}"

    def _path(self, prefix: str, sha256: str) -> str:
        if not _SHA256.match(sha256):
            raise ValueError(f"{sha256!r} is not a SHA-256 in hexadecimal")
        return f"{self._folder(prefix)}/{sha256}"


def _pieces(stream: IO[bytes], between: Between) -> Iterator[bytes]:
    while piece := stream.read(CHUNK_BYTES):
        between()
        yield piece


def _put_local(path: Path, target: Path, between: Between) -> None:
    """Copy ``path`` to ``target`` unless that is there by now: written beside, made to last, then given its name by a
    link, which unlike a rename never replaces a file."""
    target.parent.mkdir(parents=True, exist_ok=True)
    with path.open("rb") as source, _beside(target) as (temporary, stream):
        stream.writelines(_pieces(source, between))
        _sync(stream)
        with suppress(FileExistsError):
            os.link(temporary, target)
    folder = os.open(target.parent, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


@contextmanager
def _beside(target: Path) -> Iterator[tuple[Path, IO[bytes]]]:
    """A temporary file in ``target``'s folder, gone afterwards unless it was renamed."""
    with tempfile.NamedTemporaryFile(dir=target.parent, prefix=".new-", delete=False) as stream:
        temporary = Path(stream.name)
        try:
            yield temporary, stream
        finally:
            temporary.unlink(missing_ok=True)


def _sync(stream: IO[bytes]) -> None:
    stream.flush()
    os.fsync(stream.fileno())
