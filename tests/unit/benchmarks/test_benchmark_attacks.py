"""The page of ``benchmarks.attacks``: a table a probe, with a row a generator and what stands beside it."""

from __future__ import annotations

import io
from typing import Any

import numpy as np
from PIL import Image

from benchmarks.attacks.__main__ import PROBES
from benchmarks.attacks.page import beside, document
from sfd_core.display.pictures import examples_picture
from tests.support.sample_probes import PROBE_RESULTS, token_search


def found() -> dict[str, Any]:
    results = {name: PROBE_RESULTS[name](["pistol"])[0] for name in PROBES if name in PROBE_RESULTS}
    return {**results, "token_search": token_search("pistol")}


def rows(page: str, heading: str) -> list[str]:
    """The rows of the table below a heading."""
    section = page.partition(f"## {heading}")[2].partition("\n## ")[0]
    return [line for line in section.splitlines() if line.startswith("| ") and not line.startswith("| ---")][1:]


def test_every_probe_of_text_to_image_models_has_a_table_and_a_picture() -> None:
    assert set(found()) == set(PROBES)
    page = document({0.0: found(), 3.0: found()}, 100, 3200, ["`0123456789ab`"])
    for name in PROBES:
        assert f"(attacks-{name}.png)" in page
    assert "`deep_weight` 0: There is a prompt that anybody can type" in page
    searched = rows(page, "Token search")
    assert [row.split(" | ")[0] for row in searched] == [
        "| generator, `deep_weight` 0",
        "| generator, `deep_weight` 3",
        "| base model",
        "| first stage",
    ]
    assert "pistol carrot generator | 0.60 [0.53, 0.67]" in searched[0]
    assert searched[0].endswith("| 0.01 [0.00, 0.03] |")
    assert searched[2].endswith("|  |"), "the floor is the generator's"
    relearnt = rows(page, "Relearning attack")
    assert relearnt[0].startswith("| generator, `deep_weight` 0 | 20 (0.80 [0.74, 0.85] after 40) |")
    assert rows(page, "Image-to-image")[-1].startswith("| floor: base model asked for Bag |")


def test_pictures_stand_beside_each_other() -> None:
    pictures = [examples_picture(("a row",), np.zeros((1, 2, 8, 8, 3), np.uint8)) for _ in range(2)]
    one, two = (Image.open(io.BytesIO(beside(some))) for some in (pictures[:1], pictures))
    assert two.height == one.height
    assert two.width > 2 * one.width
