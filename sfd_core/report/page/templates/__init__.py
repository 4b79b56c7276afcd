"""The page's templates: the frame's are files here, those of sections, criteria and probes are texts that they
bring."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cache
from pathlib import Path
from typing import Any

from jinja2 import ChainableUndefined, Environment, FileSystemLoader, Template
from markupsafe import Markup

from sfd_core.display.numbers import FILTERS
from sfd_core.evaluation.intervals import Interval

FOLDER = Path(__file__).parent
_MACROS = '{% from "macros.html" import change, confidence, section %}'


@cache
def _environment() -> Environment:
    environment = Environment(
        loader=FileSystemLoader(FOLDER),
        autoescape=True,
        undefined=ChainableUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    of_intervals = {name: _of_interval(FILTERS[name]) for name in ("interval", "span")}
    environment.filters |= FILTERS | of_intervals
    return environment


def _of_interval(filter_: Any) -> Callable[..., str]:
    """A filter that takes an interval as JSON has it, for one that is typed."""

    def of(value: Any, *more: Any) -> str:
        return str(filter_(vars(value) if isinstance(value, Interval) else None, *more))

    return of


@cache
def _compiled(text: str) -> Template:
    return _environment().from_string(_MACROS + text)


def page_template() -> Template:
    """Return the whole page's template."""
    return _environment().get_template("report.html")


def filled(text: str, context: Mapping[str, Any]) -> Markup:
    """Fill in a template's ``text``, without blanks around it."""
    return Markup(_compiled(text).render(context).strip())
