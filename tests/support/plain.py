"""Figures with plain spaces, so that a test can write them."""

from __future__ import annotations

from sfd_core.display.numbers import SPACE


def plain(text: str) -> str:
    """``text`` with a plain space for every narrow one that does not break."""
    return text.replace(SPACE, " ")
