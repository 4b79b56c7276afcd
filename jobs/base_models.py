"""The base models that a service has: the manifests on its disk, read again once they change, so that a model that is
added or mended while it runs can be forgotten from at once."""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from sfd_core.base_model.manifest import BaseModel
from sfd_core.errors import ModelRefused
from sfd_core.families.registry import Registered, registered
from sfd_core.suggestions import unknown

logger = logging.getLogger("lethe.models")

Stamp = tuple[tuple[str, int, int], ...]


class BaseModels(Mapping[str, BaseModel]):
    """The models below ``folders``, by name, as they are now. One that is refused is none, and takes no other with it.
    ``made_later``: one of the folders that need not be there yet.

    Raises:
        ModelRefused: for one of ``folders`` that cannot be read at the start. Later that is logged, and what was known
            before stays.
    """

    def __init__(self, folders: Sequence[Path], made_later: Path | None = None) -> None:
        self.folders, self.made_later = tuple(folders), made_later
        self._lock = threading.Lock()
        self._stamp = self._now()
        self._found = Registered({}, {})
        self._found = self._read()

    def __getitem__(self, name: str) -> BaseModel:
        return self._current().models[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._current().models)

    def __len__(self) -> int:
        return len(self._current().models)

    @property
    def refused(self) -> Mapping[str, str]:
        """Why a model is refused, by the name of its folder; of the folders around it nothing is said."""
        return self._current().refused

    def missing(self, name: str) -> str:
        """Say why there is no model ``name``: it is refused, or unknown."""
        found = self._current()
        if name in found.refused:
            return f"the base model in {name!r} is refused: {found.refused[name]}"
        also = f"; refused are: {', '.join(sorted(found.refused))}" if found.refused else ""
        return unknown("base model", name, sorted(found.models)) + also

    def _current(self) -> Registered:
        with self._lock:
            if (now := self._now()) != self._stamp:
                self._stamp = now
                try:
                    self._found = self._read()
                except ModelRefused as error:
                    logger.warning("models stay as they were: %s", error)
            return self._found

    def _read(self) -> Registered:
        found = registered(folder for folder in self.folders if folder != self.made_later or folder.is_dir())
        refused = {name: self._inside(reason) for name, reason in found.refused.items()}
        for name, reason in refused.items():
            if self._found.refused.get(name) != reason:
                logger.warning("a base model is refused: %s", reason)
        return Registered(found.models, refused)

    def _inside(self, reason: str) -> str:
        for folder in self.folders:
            reason = reason.replace(f"{folder}/", "")
        return reason

    def _now(self) -> Stamp:
        """Every file that lies where a manifest does and decides what is read of a model, with its size and the time
        of its last change, of who may read it too."""
        found = []
        for folder in self.folders:
            for path in sorted(folder.glob("[!.]*/*.json")):
                try:
                    at = path.stat()
                except OSError:  # removed since it was listed, or a link to nothing
                    continue
                found.append((str(path), at.st_size, at.st_ctime_ns))
        return tuple(found)
