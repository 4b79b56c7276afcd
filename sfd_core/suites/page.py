"""The page of a benchmark's result, made from its JSON alone. Plain: does not import torch."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from sfd_core.display.numbers import FILTERS, estimate, measure

TEMPLATE = "result.html"


def written(figure: Mapping[str, Any]) -> str:
    """Write a figure with its interval; one that was not measured as such."""
    if figure["measured"] is None:
        return "not measured"
    return (estimate if figure["kind"] == "share" else measure)(figure["measured"])


def page(result: Mapping[str, Any]) -> str:
    """Return the page of a result as its ``result.json`` has it."""
    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent / "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {**FILTERS, "written": written}
    return environment.get_template(TEMPLATE).render(r=result)
