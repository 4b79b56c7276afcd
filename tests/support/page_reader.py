"""A rendered report as a reader gets it."""

from __future__ import annotations

from collections.abc import Mapping
from html.parser import HTMLParser
from typing import Any

import numpy as np

from sfd_core.display.pictures import png
from sfd_core.report.page import render
from sfd_core.report.report import from_json
from tests.support.sample_report import sample_report

HTML_VOID = {"meta", "img", "source", "br", "link", "input", "hr"}
PICTURES = {
    name: png(np.full((4, 4), i, np.uint8)) for i, name in enumerate(sorted(sample_report()["pictures"].values()))
}
"""Every picture of a sample report, each of its own grey."""


class Page(HTMLParser):
    """What a reader gets: the text, the tags with their attributes, and whether every element is closed."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.parts: list[str] = []
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.open: list[str] = []
        self.feed(html)
        self.close()
        assert not self.open, f"not closed: {self.open}"

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag in ("td", "th"):
            self.parts.append(" ")  # cells stand apart
        if tag not in HTML_VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if "style" not in self.open:
            self.parts.append(data)

    @property
    def text(self) -> str:
        return " ".join("".join(self.parts).split())


def read(report: Mapping[str, Any], files: Mapping[str, bytes] | None = None) -> Page:
    """The page of ``report``, with ``files`` or all its pictures."""
    return Page(render(from_json(report), PICTURES if files is None else files))
