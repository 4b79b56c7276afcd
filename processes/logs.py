"""The last words of a program, for the error that tells of its end."""

from __future__ import annotations

from pathlib import Path


def tail(log: Path, characters: int = 2000) -> str:
    """Return the end of a log file, to be shown in an error; empty where there is none."""
    try:
        with open(log, "rb") as stream:
            stream.seek(max(0, log.stat().st_size - characters))
            return stream.read().decode(errors="replace").strip()
    except OSError:
        return ""
