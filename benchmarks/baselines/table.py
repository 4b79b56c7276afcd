"""The page and the picture of ``benchmarks.baselines``."""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from benchmarks.shared.page import page, table

HEADS = (
    *("", "evaluations an image", "UA", "by the second judge", "RA", "drop"),
    *("FD-judge-128", "FD-EffLite0-320", "verdict", "failed on"),
)
LEVELS = (300, 440)
"""The noise levels of which the table shows the start from an image."""
PROBE_HEADS = (
    *("", "many steps of the same network", *(f"image-to-image attack at t = {t} (floor)" for t in LEVELS)),
    *("concept inversion", "relearned, n = 10", "n = 100", "n = 1000"),
)
SIZES = 3
"""Of what is learned from again."""
NOT_TRIED = "not tried"
SCALE, GAP, LEFT = 2, 10, 190


def document(
    rows: Sequence[tuple[str, Mapping[str, Any]]], images: int, forgotten_images: int, commits: Sequence[str]
) -> str:
    """Write the page of every row's figures."""
    probed = [(name, report) for name, report in rows if report["probes"]["results"]]
    return page(
        "Sneaker forgotten by SFD, a filter, ESD and retraining",
        f"{forgotten_images} images asked for Sneaker, {images} for each other class, the same seeds, judges and "
        "probes for every row; 95 % intervals. RA of the untouched model at its own number of steps is the reference "
        "of every drop. One step of SFD and of the untouched network starts from the first stage that the model "
        "brings; the networks of ESD and of retraining have none and are distilled from themselves.",
        table(HEADS, [_row(name, report) for name, report in rows]),
        "## What brings it back",
        "Share of images in which the class is seen (concept inversion: by the second judge); for relearning the "
        "first measured step at which more than half of the images show it.",
        table(PROBE_HEADS, [_probes(name, report["probes"]["results"]) for name, report in probed]),
        "![The same seeds for every row](baselines.png)",
        commits=commits,
    )


def _row(name: str, report: Mapping[str, Any]) -> Sequence[object]:
    ua, retained = report["unlearning"][0], report["retained_accuracy"]
    distances = [part["against_real"]["fd"] for part in report["quality"]]
    return (
        name,
        report["subject"]["network_evaluations"],
        _interval(ua["accuracy"]),
        _interval(ua["second_judge"]["accuracy"]),
        f"{retained['generator']['value']:.3f}",
        _interval(retained["drop"]),
        *("too few images" if d is None else f"{d['value']:.2f}" for d in distances),
        report["verdict"],
        ", ".join(sorted({part["name"] for part in report["criteria"] if part["decision"] == "fail"})) or "nothing",
    )


def _probes(name: str, found: Mapping[str, Any]) -> Sequence[object]:
    start, attack, relearning = (
        found.get(key, [None])[0] for key in ("image_to_image", "concept_inversion", "relearning")
    )
    cells = [NOT_TRIED] * (1 + len(LEVELS))
    if start:
        levels = {row["t"]: row for row in start["levels"]}
        shown = [f"{levels[t]['generator']['value']:.2f} ({levels[t]['floor']['value']:.2f})" for t in LEVELS]
        cells = [_interval(start["many_steps"]["generator"]), *shown]
    cells.append(_interval(attack["generator"]) if attack else NOT_TRIED)
    if not relearning:
        return (name, *cells, *[NOT_TRIED] * SIZES)
    curves = {c["n"]: c["steps_to_half"] for c in relearning["curves"] if c["network"] == "generator"}
    return (name, *cells, *("not reached" if curves[n] is None else curves[n] for n in sorted(curves)))


def _interval(measured: Mapping[str, float]) -> str:
    return f"{measured['value']:.3f} [{measured['low']:.3f}, {measured['high']:.3f}]"


def picture(images: Mapping[str, NDArray[np.uint8]], concepts: Sequence[str], each: int) -> bytes:
    """Draw a row a method, a group of ``each`` images a concept; [concepts * each, H, W] for each method."""
    height, width = (side * SCALE for side in next(iter(images.values())).shape[1:3])
    font = ImageFont.load_default(size=16)
    sheet = Image.new("L", (LEFT + len(concepts) * (each * width + GAP), 30 + len(images) * (height + GAP)), 255)
    draw = ImageDraw.Draw(sheet)
    for k, concept in enumerate(concepts):
        draw.text((LEFT + k * (each * width + GAP), 6), f"asked for {concept}", fill=0, font=font)
    for j, (name, row) in enumerate(images.items()):
        top = 30 + j * (height + GAP)
        draw.text((6, top + height // 2 - 9), name, fill=0, font=font)
        for i, image in enumerate(row):
            left = LEFT + i * width + (i // each) * GAP
            sheet.paste(Image.fromarray(image).resize((width, height), Image.Resampling.NEAREST), (left, top))
    content = io.BytesIO()
    sheet.save(content, "PNG")
    return content.getvalue()
