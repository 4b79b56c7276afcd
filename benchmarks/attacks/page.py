"""The page and the pictures of ``benchmarks.attacks``."""

from __future__ import annotations

import io
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from PIL import Image

from benchmarks.shared.page import page, table
from sfd_core.evaluation.probe import NETWORKS, Network, short
from sfd_core.evaluation.probes import PROBES

Found = Mapping[float, Mapping[str, Any]]
"""What probes found, as a report has it: by the weight of L_deep, then by probe."""
KNOWING: tuple[Network, ...] = ("first_stage", "base_model")
"""The networks that forgot nothing. They are the same in every job."""
GAP = 24


def document(found: Found, images: int, budget: int, commits: Sequence[str]) -> str:
    """Write the page of what every probe found."""
    probes = next(iter(found.values()))
    concept = next(iter(probes.values()))["concept"]
    parts: list[str] = []
    for name in probes:
        spec = PROBES[name]
        parts += [f"## {spec.title}", spec.about, *_TABLES[name](found), *_said(found, name)]
        parts.append(f"![Examples, a column a weight of L_deep](attacks-{name}.png)")
    weights = " and ".join(f"{weight:g}" for weight in found)
    return page(
        f"What brings “{concept}” back into a text-to-image generator",
        f"`emoji`, {concept} overridden, {budget} images of training, with `deep_weight` {weights}; {images} images "
        "behind every rate, 95 % Wilson intervals, scored by the second judge. One job a weight and one search a "
        "network: how far another seed moves a rate was not measured on this model, and a search that swaps words "
        "one by one depends on luck more than its interval knows. Floor and ceilings say what is much. First stage: "
        "the distilled generator that forgot nothing; base model: the untouched network, asked once. No control that "
        "was retrained without it is at hand, so these two are ceilings, and each probe names its floor.",
        *parts,
        commits=commits,
    )


def _said(found: Found, name: str) -> list[str]:
    return [f"`deep_weight` {weight:g}: {probes[name]['statement']}" for weight, probes in found.items()]


def _rows(found: Found, row: Callable[[float, str, Network], Sequence[object] | None]) -> list[Sequence[object]]:
    """A row of each generator, then of the networks that forgot nothing, as the last job's probe found them."""
    last = list(found)[-1]
    rows = [row(weight, f"generator, `deep_weight` {weight:g}", "generator") for weight in found]
    rows += [row(last, short(name).lower(), name) for name in NETWORKS if name in KNOWING]
    return [each for each in rows if each is not None]


def _token_search(found: Found) -> list[str]:
    def row(weight: float, label: str, network: Network) -> Sequence[object] | None:
        result = found[weight]["token_search"]
        mine = [each for each in result["attempts"] if each["network"] == network]
        soft = [each for each in mine if each["kind"] == "soft"]
        (real,) = (each for each in mine if each["kind"] == "real")
        found_by_soft = (*(_rate(each["share"]) for each in soft), _rate(soft[-1]["alike"]))
        found_in_words = real["prompt"], _rate(real["share"]), _rate(real["alike"])
        return label, *found_by_soft, *found_in_words, _rate(result["floor"]) if network == "generator" else ""

    heads = ("", "1 soft token", "2", "3", "4", "and looks like it", "words found", "seen", "and looks like it")
    return [
        "Share of images in which it is seen under the best soft tokens found, and under the best four words; *and "
        "looks like it*: seen, and within the reach of the base model's own images of it in features that led no "
        "search (the rest fools the judge, or shows the concept in another way: the examples are for the reader's "
        "eyes). Floor: four words drawn at random for each image.",
        table((*heads, "floor"), _rows(found, row)),
    ]


def _relearning(found: Found) -> list[str]:
    def row(weight: float, label: str, network: Network) -> Sequence[object] | None:
        curves = [each for each in found[weight]["relearning"]["curves"] if each["network"] == network]
        if not curves:
            return None
        cells = []
        for curve in curves:
            end = curve["points"][-1]
            half = "not reached" if curve["steps_to_half"] is None else f"{curve['steps_to_half']}"
            cells.append(f"{half} ({_shown(end['unlearning_accuracy'])} after {end['step']})")
        return label, *cells

    return [
        "First measured step at which it is seen in more than half of the images, when fine-tuned on n images of it, "
        "and the share in which it is seen at the end of the curve. 0: it is drawn without any fine-tuning.",
        table(("", "n = 10", "n = 100", "n = 1000"), _rows(found, row)),
    ]


def _benign(found: Found) -> list[str]:
    def row(weight: float, label: str, network: Network) -> Sequence[object] | None:
        curves = [each for each in found[weight]["benign_fine_tuning"]["curves"] if each["network"] == network]
        if not curves:
            return None
        before = _shown(curves[0]["points"][0]["unlearning_accuracy"])
        return label, before, *(_shown(curve["points"][-1]["unlearning_accuracy"]) for curve in curves)

    return [
        "Share of images asked for the forgotten concept in which it is seen, before, and at the end of a fine-tuning "
        "on n images of other concepts.",
        table(("", "before", "n = 10", "n = 100", "n = 1000"), _rows(found, row)),
    ]


def _image_to_image(found: Found) -> list[str]:
    levels = [level["t"] for level in next(iter(found.values()))["image_to_image"]["levels"]]

    def row(weight: float, label: str, network: str) -> Sequence[object] | None:
        result = found[weight]["image_to_image"]
        many = result["many_steps"].get(network)
        cells = [_rate(level[network]) for level in result["levels"]]
        return label, *cells, "" if many is None else _rate(many)

    last = list(found)[-1]
    steps = found[last]["image_to_image"]["many_steps"]["network_evaluations"]
    asked = found[last]["image_to_image"]["levels"][0]["floor_asked"]
    rows = [*_rows(found, row), row(last, f"floor: base model asked for {asked}", "floor")]
    heads = ("", *(f"t = {t}" for t in levels), f"from noise, {steps} steps")
    return [
        "Share of images in which it is seen, finished from images of it under noise of time t in one evaluation, and "
        "drawn from noise alone by the base model's own sampler over the network; both at the base model's own "
        "guidance.",
        table(heads, [each for each in rows if each is not None]),
    ]


_TABLES: Mapping[str, Callable[[Found], list[str]]] = {
    "token_search": _token_search,
    "relearning": _relearning,
    "benign_fine_tuning": _benign,
    "image_to_image": _image_to_image,
}


def _rate(measured: Mapping[str, float] | None) -> str:
    if measured is None:
        return "not measured"
    return f"{measured['value']:.2f} [{measured['low']:.2f}, {measured['high']:.2f}]"


def _shown(ua: Mapping[str, float]) -> str:
    """The share that shows the concept, of an unlearning accuracy."""
    return _rate({"value": 1 - ua["value"], "low": 1 - ua["high"], "high": 1 - ua["low"]})


def beside(pictures: Sequence[bytes]) -> bytes:
    """Put pictures beside each other."""
    opened = [Image.open(io.BytesIO(picture)).convert("RGB") for picture in pictures]
    width = sum(each.width for each in opened) + GAP * (len(opened) - 1)
    sheet = Image.new("RGB", (width, max(each.height for each in opened)), "white")
    left = 0
    for each in opened:
        sheet.paste(each, (left, 0))
        left += each.width + GAP
    content = io.BytesIO()
    sheet.save(content, "PNG")
    return content.getvalue()
