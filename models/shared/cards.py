"""A model's card, whose part between two marks is what was measured, and a judge's entry in its manifest."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sfd_core.base_model.manifest import digest_of

BEGIN, END = "<!-- figures: written by measure.py -->", "<!-- end of figures -->"


def written_anew(card: str, figures: str) -> str:
    """Return the card with ``figures`` between the two marks.

    Raises:
        ValueError: for a card without the marks.
    """
    before, begin, rest = card.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not begin or not end:
        raise ValueError(f"the card needs the marks {BEGIN!r} and {END!r}")
    return f"{before}{BEGIN}\n\n{figures}\n{END}{after}"


def judge_entry(name: str, folder: str, measured: Mapping[str, Any], files: Mapping[str, str]) -> dict[str, Any]:
    """Return what a manifest says of a judge. ``files``: digests by path, the judge's own among them."""
    digest = digest_of({path: value for path, value in files.items() if path.startswith(f"{folder}/")})
    return {"name": name, "folder": folder, **measured, "digest": digest}
