"""Templates, what they may call, and the headers of a page."""

from __future__ import annotations

import functools
import hashlib
import re
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from fastapi import Request
from jinja2 import Environment, FileSystemLoader, StrictUndefined, select_autoescape
from markupsafe import Markup, escape
from starlette.responses import HTMLResponse, Response

from api.auth import ANYBODY, Identity
from jobs.generators import Report
from sfd_core.display.numbers import FILTERS, SPACE
from sfd_core.display.overrides import written_in_words
from sfd_core.request.concepts import Topic

HERE = Path(__file__).parent
STATIC = HERE / "static"

POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data: blob:; connect-src 'self'; "
    "form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)
"""No script or style but our own files; pictures also from an answer that a script has at hand."""


def ago(then: datetime) -> str:
    """Say how long ago, in one unit."""
    return f"{_coarse((datetime.now(UTC) - then).total_seconds())} ago"


def _coarse(seconds: float) -> str:
    for size, unit in ((86400, "d"), (3600, "h"), (60, "min")):
        if seconds >= size:
            return f"{int(seconds // size)}{SPACE}{unit}"
    return f"{max(0, int(seconds))}{SPACE}s"


def short(identifier: str) -> str:
    """Shorten an id for a table: its end, which is random, tells ids apart."""
    prefix, _, rest = identifier.partition("_")
    return f"{prefix}_…{rest[-6:]}"


def utc(moment: datetime) -> str:
    """Write a time to the second."""
    return moment.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S UTC")


def share(value: object) -> float | None:
    """Return a share as a report gives it, by itself or as an interval; ``None`` for anything else."""
    if isinstance(value, Mapping):
        value = value.get("value")
    return float(value) if isinstance(value, int | float) else None


def pictures(report: Report | None) -> dict[str, str | None]:
    """Find the pictures that a report names and has, by what they show."""
    named = report.report.get("pictures", {}) if report is not None else {}
    kinds = ("pairs", "pairs_narrow", "strip", "strip_narrow")
    return {kind: named.get(kind) if report and named.get(kind) in report.files else None for kind in kinds}


def distances(report: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return the Frechet distances to real images that a report has: name, distance, the floor and the base model's
    own."""
    found = []
    for each in report.get("quality") or ():
        real = each["against_real"]
        if real is not None and real["fd"] is not None:
            known = {"fd": real["fd"]["value"], "floor": real["fd_floor"], "base_model": real["fd_base_model"]}
            found.append({"name": each["fd_name"], **known})
    return found


def domains(report: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return what a report measured in each domain, with its ``domain_verdict``; of one alone the report as it is."""
    verdicts = report.get("domain_verdicts", {})
    parts: list[Mapping[str, Any]] = [report, *report.get("further_domains", ())]
    return [{**part, "domain_verdict": verdicts.get(part.get("domain"))} for part in parts]


def words(item: Mapping[str, Any]) -> str:
    """Say how a text-to-image model is told what it must forget: the words, and how many prompts. Nothing where it is
    told by the name alone, or by class."""
    said = []
    if (topic := item.get("topic")) is not None:
        made = Topic(tuple(topic["subjects"]), tuple(topic["keywords"])).prompts
        said.append(f"{', '.join(topic['keywords'][:8])} of {len(topic['subjects'])} subjects: {made} prompts")
    if len(named := item.get("words") or ()):
        said.append("by " + ", ".join(named[:8]) + (f" and {len(named) - 8} more" if len(named) > 8 else ""))
    prompts = item.get("prompts") or 0
    if count := prompts if isinstance(prompts, int) else len(prompts):
        said.append(f"{count} prompts of its own")
    return "; ".join(said)


def sentence(text: str) -> str:
    """Write a message as a sentence: an error's text begins small and has no full stop."""
    return text[:1].upper() + text[1:] + ("" if text.endswith((".", "!", "?", "…")) else ".")


def cut(text: str, longest: int) -> str:
    """Shorten a text to so many characters where a page has no room for more, and say so."""
    return text if len(text) <= longest else f"{text[: longest - 2].rstrip()} …"


def prose(text: str) -> Markup:
    """Return a docstring's text: its code and bold marks as HTML, all else as it is."""
    escaped = str(escape(text))
    marked = re.sub(r"`+([^`]+)`+", r"<code>\1</code>", escaped)
    return Markup(re.sub(r"\*\*([^*]+)\*\*", r"<strong>\1</strong>", marked))


@functools.cache
def static(name: str) -> str:
    """Return the URL of a static file, with its digest so that browsers may keep it."""
    return f"/static/{name}?v={hashlib.sha256((STATIC / name).read_bytes()).hexdigest()[:12]}"


_environment = Environment(
    loader=FileSystemLoader(HERE / "templates"),
    autoescape=select_autoescape(("html",)),
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)
_environment.filters |= FILTERS | {
    "ago": ago,
    "cut": cut,
    "override": written_in_words,
    "short": short,
    "utc": utc,
    "datetime": datetime.fromisoformat,
    "share": share,
    "prose": prose,
    "sentence": sentence,
    "words": words,
}
_environment.globals |= {"static": static, "distances": distances, "domains": domains}


def alone(template: str, context: Mapping[str, Any]) -> str:
    """Render a page that stands alone: nobody is signed in to it, and it loads nothing."""
    return _environment.get_template(template).render(**context)


def render(
    request: Request, template: str, context: Mapping[str, Any], *, who: Identity | None = None, status: int = 200
) -> Response:
    """Render a page, or a part of one.

    Args:
        who: whose page it is; unknown on pages that are open.
    """
    services = request.app.state.services
    page = _environment.get_template(template).render(
        path=request.url.path,
        who=who if services.authenticator.keys else ANYBODY,
        keys=services.authenticator.keys,
        version=request.app.version,
        **context,
    )
    headers = {"Content-Security-Policy": POLICY, "Cache-Control": "no-store"}
    return HTMLResponse(page, status, headers)
