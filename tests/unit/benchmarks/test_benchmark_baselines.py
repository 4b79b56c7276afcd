"""The page of ``benchmarks.baselines``: what was not measured is said, not left out."""

from __future__ import annotations

from typing import Any

import numpy as np

from benchmarks.baselines.table import document, picture

RATE = {"value": 0.5, "low": 0.4, "high": 0.6}


def report(**probes: Any) -> dict[str, Any]:
    distance = {"against_real": {"fd": None}}
    return {
        "verdict": "fail",
        "criteria": [{"name": "many_steps_share", "decision": "fail"}, {"name": "coverage_ratio", "decision": "pass"}],
        "subject": {"network_evaluations": 1},
        "unlearning": [{"accuracy": RATE, "second_judge": {"accuracy": RATE}}],
        "retained_accuracy": {"generator": RATE, "drop": RATE},
        "quality": [{"against_real": {"fd": {"value": 3.14159}}}, distance],
        "probes": {"results": probes},
    }


def test_distances_of_too_few_images_and_probes_that_were_not_tried_are_said() -> None:
    image_to_image = {
        "levels": [{"t": t, "generator": RATE, "floor": RATE} for t in (300, 440)],
        "many_steps": {"generator": RATE},
    }
    curves = [
        {"network": "generator", "n": n, "steps_to_half": steps} for n, steps in ((100, 4), (10, None), (1000, 2))
    ]
    rows = [
        ("ESD", report()),
        ("SFD", report(image_to_image=[image_to_image])),
        ("both", report(concept_inversion=[{"generator": RATE}], relearning=[{"curves": curves}])),
    ]
    lines = document(rows, 4, 16, ["`0123456789ab`"]).splitlines()
    measured = "0.500 [0.400, 0.600]"
    cells = f"1 | {measured} | {measured} | 0.500 | {measured} | 3.14 | too few images | fail | many_steps_share"
    assert [f"| {name} | {cells} |" for name, _ in rows] == lines[8:11]
    assert lines[-5:-2] == [
        "| --- | --- | --- | --- | --- | --- | --- | --- |",
        f"| SFD | {measured} | 0.50 (0.50) | 0.50 (0.50) | not tried | not tried | not tried | not tried |",
        f"| both | not tried | not tried | not tried | {measured} | not reached | 4 | 2 |",
    ]


def test_the_picture_has_a_row_a_method() -> None:
    images = np.zeros((4, 8, 8), np.uint8)
    one, two = (picture(dict.fromkeys(names, images), ("a", "b"), 2) for names in (("x",), ("x", "y")))
    assert one.startswith(b"\x89PNG")
    assert one != two
