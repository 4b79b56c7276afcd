"""What the page's charts share: text, a frame, and the colours of their lines.

Charts are inline SVG written by hand because a report must stand alone, look the same everywhere and follow the page's
light or dark colours: text takes ``currentColor``, lines take the page's ``--line-1`` to ``--line-4`` where it sets
them. There is no style element and no style attribute, so a strict content security policy lets it through.
"""

from __future__ import annotations

from html import escape

COLOURS = ("var(--line-1, #1d5fd1)", "var(--line-2, #b4500f)", "var(--line-3, #5c6673)", "var(--line-4, #1a7f4b)")
FAINT = 'stroke="currentColor" stroke-opacity="0.16"'


def picture(kind: str, width: float, height: float, label: str, parts: list[str]) -> str:
    """Draw a whole chart. ``kind``: its class on the page; ``label``: what it says to who cannot see it."""
    return (
        f'<svg class="{kind}" viewBox="0 0 {width:g} {height:g}" role="img" aria-label="{escape(label)}" '
        f'xmlns="http://www.w3.org/2000/svg" fill="currentColor" font-size="13" '
        f'font-family="system-ui, sans-serif">{"".join(parts)}</svg>'
    )


def text(x: float, y: float, said: str, anchor: str = "start", faint: bool = False) -> str:
    opacity = ' fill-opacity="0.7"' if faint else ""
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}"{opacity}>{escape(said)}</text>'
