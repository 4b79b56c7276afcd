"""A model's card, whose part between two marks is what was measured."""

from __future__ import annotations

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
