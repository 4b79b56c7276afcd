"""What goes wrong on one machine, each with a message that says what to do about it."""

from __future__ import annotations

from pathlib import Path


class LocalError(RuntimeError):
    """Something on this machine keeps the service from starting or from staying up."""


class DataFolderError(LocalError):
    """The data folder cannot be used: not a folder, not ours, or not writable."""


class ServerError(LocalError):
    """An embedded server does not start, does not stop, or cannot be run by this user."""


class ChildError(LocalError):
    """A process of the service ended again and again, or never became ready."""


def tail(log: Path, characters: int = 2000) -> str:
    """The end of a log file, to be shown in an error; empty where there is none."""
    try:
        with open(log, "rb") as stream:
            stream.seek(max(0, log.stat().st_size - characters))
            return stream.read().decode(errors="replace").strip()
    except OSError:
        return ""
