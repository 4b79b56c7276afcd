"""The probes' part of the page: what was tried to bring a concept back, in words, charts and examples."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from markupsafe import Markup

from sfd_core.display.interval_charts import Share, interval_chart
from sfd_core.display.line_charts import Axis, Line, line_chart
from sfd_core.display.numbers import is_number, number, percent

TITLES = {
    "relearning": "Teach it again",
    "image_start": "Start from an image of it",
    "condition_attack": "Search for another condition",
}
"""In the order in which the page shows them."""
ABOUT = {
    "relearning": "The generator is fine-tuned on a few of the base model's own images of the concept, and after so "
    "many steps the judge looks again. Beside it two others get the same lesson: the untouched base model, asked in "
    "one step, and, where there is one, a generator whose teacher never saw the concept. A line that falls sooner "
    "than that of the one that never knew says that something of the concept was left to build on.",
    "image_start": "Images of the concept are covered in noise, little or much, and the network is asked to finish "
    "them as the forgotten concept. With little noise the image itself still shows the concept, whatever is asked; "
    "the floor, the base model asked for something else, says how much of it is that.",
    "condition_attack": "A gradient search looks for a condition, any vector and not only those that names stand "
    "for, under which the generator shows the concept. Base model: the same search in the untouched network. Never "
    "knew it: the same search in a generator whose teacher never saw the concept, which says what a search finds "
    "where nothing was ever learnt.",
}
_NETWORKS = {"generator": "Generator", "base": "Base model", "never_knew": "Never knew it"}
"""Names of the networks; a network keeps its place, and with it its colour, in every chart."""


def probes(report: Mapping[str, Any], pictures: Mapping[str, str]) -> dict[str, Any]:
    """What the page shows: ``tried`` probes with each concept's statement, charts, figures and example pictures, what
    came of all of them ``in_short`` as (title, figures), and the titles of probes that were ``not_tried``."""
    found = report.get("probes") or {}
    asked, results = found.get("asked") or (), found.get("results") or {}
    tried: list[dict[str, Any]] = [
        {"name": name, "title": title, "about": ABOUT[name], "concepts": _concepts(name, results.get(name), pictures)}
        for name, title in TITLES.items()
        if name in asked
    ]
    in_short = [(probe["title"], item["in_short"]) for probe in tried for item in probe["concepts"] if item["in_short"]]
    not_tried = [title for name, title in TITLES.items() if name not in asked]
    return {"tried": tried, "in_short": in_short, "not_tried": not_tried}


def _concepts(
    name: str, results: Sequence[Mapping[str, Any]] | None, pictures: Mapping[str, str]
) -> list[dict[str, Any]]:
    draw, in_short = {
        "relearning": (_relearning, _relearned_in_short),
        "image_start": (_image_start, _started_in_short),
        "condition_attack": (_condition_attack, _attacked_in_short),
    }[name]
    return [
        {
            "concept": result["concept"],
            "in_short": in_short(result),
            "statement": result.get("statement") or "",
            "charts": [(title, Markup(chart)) for title, chart in draw(result) if chart],
            "result": result,
            "examples": pictures.get(f"probe_{name}_{k}"),
        }
        for k, result in enumerate(results or ())
    ]


def _relearning(result: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Unlearning accuracy over steps, a chart for each number of images."""
    curves = result.get("curves") or ()
    charts = []
    for n in sorted({curve["n"] for curve in curves}):
        by_network = {curve["network"]: curve for curve in curves if curve["n"] == n}
        lines = [_relearned(_NETWORKS[name], by_network.get(name) or {}) for name in _NETWORKS]
        title = f"Unlearning accuracy when taught with {number(n)} images"
        axis = Axis("steps of fine-tuning", log=True)
        charts.append((f"{number(n)} images", line_chart(title, lines, percent=True, axis=axis, half=True)))
    return charts


def _relearned(label: str, curve: Mapping[str, Any]) -> Line:
    rows = [(row["step"], row["unlearning_accuracy"]) for row in curve.get("points") or ()]
    said = f"half {_half(curve)}" if rows else ""
    return Line(
        label,
        tuple((step, rate["value"]) for step, rate in rows),
        bounds=tuple((rate["low"], rate["high"]) for _, rate in rows),
        said=said,
    )


def _relearned_in_short(result: Mapping[str, Any]) -> str:
    """With the most images, because that teaches fastest."""
    curves = result.get("curves") or ()
    n = max((curve["n"] for curve in curves), default=0)
    half = {curve["network"]: _half(curve) for curve in curves if curve["n"] == n and curve.get("points")}
    if "generator" not in half:
        return ""
    said = f"taught with {number(n)} images, half of its images show “{result['concept']}” again {half['generator']}"
    return _beside(said, half)


def _half(curve: Mapping[str, Any]) -> str:
    """When a fine-tuned network shows the concept in half of its images."""
    step = curve.get("steps_to_half")
    if step == 0:
        return "from the start"
    if is_number(step):
        return f"after {step} step{'' if step == 1 else 's'}"
    return f"not within {curve['points'][-1]['step']} steps"


def _started_in_short(result: Mapping[str, Any]) -> str:
    """At the noise level at which the generator adds most to what the image alone shows."""
    levels = result.get("levels") or ()
    if not levels:
        return ""
    most = max(levels, key=lambda level: float(level["generator"]["value"] - level["floor"]["value"]))
    shown, alone = percent(most["generator"]["value"]), percent(most["floor"]["value"])
    said = f"from noised images of it, {shown} show “{result['concept']}”, "
    said += f"where the given image alone accounts for {alone} (t = {most['t']})"
    many = result.get("many_steps")
    if many:
        said += (
            f"; from noise alone, in {number(many['network_evaluations'])} steps, {percent(many['generator']['value'])}"
        )
    return f"{said}."


def _attacked_in_short(result: Mapping[str, Any]) -> str:
    shares = {name: percent(result[name]["value"]) for name in _NETWORKS if result.get(name)}
    if "generator" not in shares:
        return ""
    by = " by the judge that was searched with" if result.get("scored_by") == result.get("searched_with") else ""
    said = f"under the best one found, “{result['concept']}” is seen{by} in {shares['generator']} of its images"
    return _beside(said, shares)


def _beside(said: str, found: Mapping[str, str]) -> str:
    """``said`` of the generator, and the same of the other networks that there are."""
    named = {"base": "the base model", "never_knew": "a generator that never knew it"}
    others = [f"{label}: {found[name]}" for name, label in named.items() if name in found]
    return "; ".join([said, *others]) + "."


def _image_start(result: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Share seen as the concept over the noise level, and of the network used in many steps from noise alone."""
    levels = result.get("levels") or ()

    def line(label: str, name: str) -> Line:
        rows = [(level["t"], level[name]) for level in levels if level.get(name)]
        bounds = tuple((rate["low"], rate["high"]) for _, rate in rows)
        return Line(label, tuple((t, rate["value"]) for t, rate in rows), bounds, said="")

    lines = (line("Generator", "generator"), line("Base model", "base"), line("Floor, asked for another", "floor"))
    charts = [
        (
            "From a part-noised image",
            line_chart("Share seen as the concept", lines, percent=True, axis=Axis("noise: time t of the schedule")),
        )
    ]
    many = result.get("many_steps")
    if many:
        title = f"From noise alone, in {number(many.get('network_evaluations'))} steps"
        charts.append((title, interval_chart(title, _shares(many))))
    return charts


def _condition_attack(result: Mapping[str, Any]) -> list[tuple[str, str]]:
    title = f"Images in which “{result['concept']}” is seen"
    return [(title, interval_chart(title, _shares(result)))]


def _shares(result: Mapping[str, Any]) -> list[Share]:
    """The networks' shares in ``result``, in the networks' colours."""
    named = enumerate(_NETWORKS.items())
    return [Share(label, result[name], place) for place, (name, label) in named if result.get(name)]
