"""The page of ``benchmarks.sequence`` and its pictures."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch

from benchmarks.sequence.figures import (
    Figures,
    from_base,
    from_first,
    largest,
    least,
    ratios,
    unlearned,
)
from benchmarks.sequence.runs import AT_ONCE, FIRST_STAGE, KEPT, NAIVE, WAYS
from benchmarks.sequence.series import DROP, RATIO, Series
from benchmarks.shared.page import page, table
from sfd_core.display.line_charts import HEIGHT, WIDTH, Axis, Level, Line, line_chart
from sfd_core.display.svg import picture as whole_picture
from sfd_core.display.svg import text
from sfd_core.evaluation.intervals import Interval

Rows = dict[tuple[str, int], dict[str, Any]]
"""The result of each job by way and how many requests were made until then."""
TITLES = {KEPT: "kept", NAIVE: "naive", AT_ONCE: "all at once"}
HEADS = (
    *("way", "requests", "newest", "UA of the newest", "lowest UA so far", "drop from the first stage"),
    *("drop from the base model", "Frechet ratio", "verdict", "training s", "evaluation s"),
)
COLUMNS, TITLE_ROOM = 3, 26
"""Charts beside one another in a picture, and pixels above each for its name."""


def document(sections: Sequence[tuple[Series, Rows]], commits: Sequence[str]) -> str:
    """Write the page: of every base model what is wanted, each job's figures, and UA of each concept over time."""
    return page(
        "Requests that come one after another",
        f"{torch.get_num_threads()} thread(s), one run a job; the requests were fixed before any run "
        "(`benchmarks/sequence/series.py`). *Kept*: each job goes on from the generator and the fake score that the "
        "one before has left, and forgets all that was asked so far, as the service has it do. *Naive*: it goes on "
        "likewise, but is asked to forget what is new alone; earlier concepts are in none of its batches, neither as "
        "what is forgotten nor as what remains. The first request has nothing before it: it is one job for both. *All "
        "at once*: one job from the first stage. A kept job goes on whatever its parent's verdict; the service waits "
        "for an administrator to release one that did not pass.",
        "Every row is measured by a report's own code, on the same seeds. UA: share of the images asked for a concept "
        "that do not show it, by the judge, with its own 95 % interval; of all so far the one whose lower bound is "
        "lowest is shown with its name. Drops are of retained accuracy, over what remains after as many requests. The "
        "first stage is what the base model ships, asked in one step; it was judged once, as after the last request. "
        "The Frechet ratio is to the base model's distance to real images. The naive way is no job of the service, and "
        "has no verdict; its evaluation leaves out the network behind the step and all that decides nothing here.",
        *(part for series, rows in sections for part in _section(series, rows)),
        commits=commits,
    )


def _section(series: Series, rows: Rows) -> list[str]:
    n = len(series.requests)
    asked = ", ".join(f"{concept} -> {override}" for concept, override in series.requests)
    parts = [
        f"## `{series.base}`, {n} requests",
        f"In this order: {asked}. {series.images} images of training from the first stage, {series.later} of a job "
        f"that goes on from another. Judged: {series.forgotten} images of each concept so far, {series.retained} of "
        "each that remains.",
    ]
    if missing := _missing(series, rows):
        parts.append(f"Not finished: {missing}.")
    if (FIRST_STAGE, n) not in rows:
        return parts
    first: Figures = rows[FIRST_STAGE, n]["figures"]
    parts.append(table(("wanted", *(TITLES[way] for way in _ways(rows))), targets(series, rows)))
    if any(way in (KEPT, NAIVE) for way in _ways(rows)):
        parts.append(f"![UA of each concept over the requests](sequence-{series.base}.svg)")
    jobs = [(way, k) for way in _ways(rows) for k in _done(rows, way)]
    parts.append(table(HEADS, [_job(series, rows, first, None, n), *(_job(series, rows, first, *one) for one in jobs)]))
    for way in (KEPT, NAIVE):
        if done := _done(rows, way):
            parts.append(f"UA of each concept after each request, {TITLES[way]}:")
            parts.append(table(("concept", *map(str, done)), _over_time(series, rows, way)))
    return parts


def _ways(rows: Rows) -> list[str]:
    return [way for way in WAYS if _done(rows, way)]


def _done(rows: Rows, way: str) -> list[int]:
    return sorted(k for name, k in rows if name == way)


def _missing(series: Series, rows: Rows) -> str:
    """What a way that was begun still lacks."""
    n = len(series.requests)
    rest = {way: n - len(_done(rows, way)) for way in _ways(rows) if way != AT_ONCE and len(_done(rows, way)) < n}
    said = [f"{TITLES[way]}, the last {left} of {n}" for way, left in rest.items()]
    return "; ".join(said if (FIRST_STAGE, n) in rows else [*said, "the first stage"])


def targets(series: Series, rows: Rows) -> list[tuple[str, ...]]:
    """Return a row for each thing that is wanted, with what each way came to and whether that is enough. Of a way that
    is not finished nothing is said."""
    n, ways = len(series.requests), _ways(rows)
    first: Figures = rows[FIRST_STAGE, n]["figures"]

    def cell(way: str, of: Callable[[Sequence[Figures]], tuple[str, bool | None]]) -> str:
        done = _done(rows, way)
        if n not in done or (way != AT_ONCE and len(done) < n):
            return "not finished"
        said, reached = of([rows[way, k]["figures"] for k in done])
        return said if reached is None else f"{said}: {'yes' if reached else '**no**'}"

    def lowest(all_of: Sequence[Figures]) -> tuple[str, bool]:
        concept, ua = min((least(unlearned(figures)) for figures in all_of), key=lambda one: one[1].low)
        return f"{ua.low:.4f} ({concept})", ua.low >= series.wanted

    def drop(all_of: Sequence[Figures]) -> tuple[str, bool]:
        drops = from_first(all_of[-1], first)
        return _by_domain(drops, "+.4f"), all(one.value <= DROP for one in drops.values())

    def ratio(all_of: Sequence[Figures]) -> tuple[str, bool | None]:
        found = {name: largest(ratios(figures).get(name) for figures in all_of) for name in all_of[-1]["domains"]}
        measured = [one.value for one in found.values() if one is not None]
        return _by_domain(found, ".2f"), all(value <= RATIO for value in measured) if measured else None

    return [
        (f"UA of every concept after every request, lower bound >= {series.wanted}", *(cell(w, lowest) for w in ways)),
        (f"retained drop from the first stage at the end <= {DROP}", *(cell(w, drop) for w in ways)),
        (f"largest Frechet ratio <= {RATIO}", *(cell(w, ratio) for w in ways)),
    ]


def summed_up(sections: Sequence[tuple[Series, Rows]]) -> str:
    """Say what each way came to, in a line."""
    said = []
    for series, rows in sections:
        if (FIRST_STAGE, len(series.requests)) in rows and _ways(rows):
            lowest, *_ = targets(series, rows)
            cells = (cell.replace("**", "") for cell in lowest[1:])
            said += [f"{series.base} {TITLES[w]}: lowest UA {c}" for w, c in zip(_ways(rows), cells, strict=True)]
    return "; ".join(said) or "nothing is finished"


def _job(series: Series, rows: Rows, first: Figures, way: str | None, n: int) -> tuple[object, ...]:
    """The figures of one job; of the first stage where there is no ``way``."""
    result = rows[way or FIRST_STAGE, n]
    figures = result["figures"]
    ua, seconds, newest = unlearned(figures), result["seconds"], series.requests[n - 1][0]
    concept, lowest = least(ua)
    return (
        TITLES[way] if way else "first stage",
        n if way else 0,
        newest if way in (KEPT, NAIVE) else "",
        _interval(ua[newest]) if way in (KEPT, NAIVE) else "",
        f"{_interval(lowest)} {concept}",
        _by_domain(from_first(figures, first), "+.4f") if way else "",
        _by_domain(from_base(figures), "+.4f"),
        _by_domain(ratios(figures), ".2f"),
        result["verdict"] or "",
        f"{seconds['training']:.0f}" if seconds else "",
        f"{seconds['evaluating']:.0f}" if seconds else "",
    )


def _over_time(series: Series, rows: Rows, way: str) -> list[tuple[str, ...]]:
    """A row a concept: its UA after each request, from its own on."""
    found = []
    for concept, _ in series.requests:
        after = (unlearned(rows[way, k]["figures"]).get(concept) for k in _done(rows, way))
        cells = ["" if ua is None else _interval(ua) for ua in after]
        if any(cells):
            found.append((concept, *cells))
    return found


def _interval(one: Interval, form: str = ".4f") -> str:
    return f"{one.value:{form}} [{one.low:{form}}, {one.high:{form}}]"


def _by_domain(found: Mapping[str, Interval | None], form: str) -> str:
    """What was measured in each domain, with its name where there are several."""
    cells = {name: "too few images" if one is None else _interval(one, form) for name, one in found.items()}
    if len(cells) == 1:
        return next(iter(cells.values()))
    return "; ".join(f"{name} {cell}" for name, cell in sorted(cells.items()))


def picture(series: Series, rows: Rows) -> str:
    """Draw a chart for each concept: its UA after each request, kept beside naive. Empty if neither way has begun."""
    charts = []
    for concept, _ in series.requests:
        lines = [_line(series, rows, way, concept) for way in (KEPT, NAIVE)]
        axis = Axis("requests so far", end=float(len(series.requests)))
        if drawn := line_chart(f"UA of {concept}", lines, percent=True, axis=axis):
            charts.append((concept, drawn))
    if not charts:
        return ""
    parts = []
    for i, (concept, drawn) in enumerate(charts):
        x, y = i % COLUMNS * WIDTH, i // COLUMNS * (HEIGHT + TITLE_ROOM)
        parts.append(text(x + 8, y + 18, concept))
        placed = f'<svg x="{x}" y="{y + TITLE_ROOM}" width="{WIDTH}" height="{HEIGHT}" '
        parts.append(re.sub(r"^<svg ", placed, drawn))
    width, height = min(COLUMNS, len(charts)) * WIDTH, -(-len(charts) // COLUMNS) * (HEIGHT + TITLE_ROOM)
    label = f"UA of each concept of {series.base} after each request, kept beside naive"
    return whole_picture("charts", width, height, label, parts)


def _line(series: Series, rows: Rows, way: str, concept: str) -> Line:
    after = [(k, unlearned(rows[way, k]["figures"]).get(concept)) for k in _done(rows, way)]
    measured = [(k, ua) for k, ua in after if ua is not None]
    return Line(
        TITLES[way],
        tuple((float(k), ua.value) for k, ua in measured),
        tuple((ua.low, ua.high) for _, ua in measured),
        Level("wanted", series.wanted) if way == KEPT else None,
    )
