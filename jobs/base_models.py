"""The base models that a service has: the manifests on its disk, read again once they change, so that a model that is
added while it runs can be forgotten from at once."""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from sfd_core.base_model.manifest import MANIFEST, BaseModel
from sfd_core.errors import ModelRefused
from sfd_core.families.registry import registered

logger = logging.getLogger("lethe.models")

Stamp = tuple[tuple[str, int], ...]


class BaseModels(Mapping[str, BaseModel]):
    """The models below ``folders``, by name, as they are now. ``made_later``: one of them that need not be there yet.

    Raises:
        ModelRefused: for a folder or manifest that cannot be read at the start. Later such a manifest is logged, and
            what was known before stays.
    """

    def __init__(self, folders: Sequence[Path], made_later: Path | None = None) -> None:
        self.folders, self.made_later = tuple(folders), made_later
        self._lock = threading.Lock()
        self._stamp = self._now()
        self._models = self._read()

    def __getitem__(self, name: str) -> BaseModel:
        return self._current()[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._current())

    def __len__(self) -> int:
        return len(self._current())

    def _current(self) -> Mapping[str, BaseModel]:
        with self._lock:
            if (now := self._now()) != self._stamp:
                self._stamp = now
                try:
                    self._models = self._read()
                except ModelRefused as error:
                    logger.warning("models stay as they were: %s", error)
            return self._models

    def _read(self) -> Mapping[str, BaseModel]:
        return registered(folder for folder in self.folders if folder != self.made_later or folder.is_dir())

    def _now(self) -> Stamp:
        """Every manifest with the time of its last change."""
        found = []
        for folder in self.folders:
            for path in sorted(folder.glob(f"[!.]*/{MANIFEST}")):
                try:
                    found.append((str(path), path.stat().st_mtime_ns))
                except OSError:  # removed since it was listed
                    continue
        return tuple(found)
