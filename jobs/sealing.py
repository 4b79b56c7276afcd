"""Secrets that must be used again, and so cannot be kept as digests: sealed with a key that is not in the database.
Whoever has the database alone, or a dump of it, has neither webhooks' secrets nor their URLs: of these the host, of a
mail the address.
"""

from __future__ import annotations

import os
import secrets
import threading
from pathlib import Path

from cryptography.fernet import Fernet, InvalidToken, MultiFernet


class Unsealable(Exception):
    """A sealed text that no key of this service's file opens. The message is for operators."""


class Sealer:
    """A key file: Fernet keys, one a line, of which the first seals and each opens. It is made, readable by its owner
    alone, when the first text is sealed. Safe to share between threads; several processes may make it at once."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._lock = threading.Lock()
        self._keys: MultiFernet | None = None

    def seal(self, text: str) -> str:
        """Seal a text.

        Raises:
            Unsealable: the key file holds something else.
            OSError: it cannot be read or made.
        """
        return self._load(make=True).encrypt(text.encode()).decode()

    def open(self, sealed: str) -> str:
        """Open what was sealed.

        Raises:
            Unsealable: with another key, or there is no key file.
            OSError: it cannot be read.
        """
        try:
            return self._load(make=False).decrypt(sealed.encode()).decode()
        except InvalidToken:
            raise Unsealable(f"it was sealed with a key that is not in {self._path}") from None

    def _load(self, make: bool) -> MultiFernet:
        with self._lock:
            if self._keys is None:
                if make and not self._path.exists():
                    _make(self._path)
                self._keys = _read(self._path)
            return self._keys


def _read(path: Path) -> MultiFernet:
    try:
        keys = [Fernet(line) for line in path.read_text("ascii").split()]
    except FileNotFoundError:
        raise Unsealable(f"there is no key file {path}: put the one there that this was sealed with") from None
    except ValueError:
        keys = []
    if not keys:
        raise Unsealable(f"{path} must have Fernet keys, one a line")
    return MultiFernet(keys)


def _make(path: Path) -> None:
    """Make the file whole or not at all. Where another process is first, its file stays."""
    path.parent.mkdir(parents=True, exist_ok=True)
    new = path.with_name(f".{path.name}-{secrets.token_hex(8)}")
    with os.fdopen(os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
        file.write(Fernet.generate_key() + b"\n")
        file.flush()
        os.fsync(file.fileno())
    try:
        os.link(new, path)
    except FileExistsError:
        pass
    finally:
        new.unlink()
