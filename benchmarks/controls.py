"""How often a control that must not pass does: repeated evaluations of generators that were made once.

    python -m benchmarks.controls [--evaluations 40] [--out docs/results]

Three controls, each evaluated from other seeds every time: the base model distilled
with nothing forgotten, a forgetting generator with two remaining classes swapped, a constant image. A wrong pass of any
is a broken verdict. The generator that forgot is evaluated beside them: a verdict that always says no is broken too.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
from rich.progress import track

from benchmarks.baselines.distil import FORGOTTEN, OVERRIDE, distil
from cli.demo_run import IMAGES, SEED
from jobs.settings import load_settings
from sfd_core.admission import parse_request
from sfd_core.evaluation.evaluate import evaluate
from sfd_core.evaluation.evaluators import Evaluators
from sfd_core.evaluation.intervals import wilson
from sfd_core.evaluation.questions import Sample
from sfd_core.families.loading import load_base

SEEDS_APART = 10_000
"""Between two evaluations: more than the images of any concept."""
MUST_PASS = "forgot (must not fail)"
"""Beside the controls, a quarter as often."""
SWAPPED = ("Trouser", "Pullover")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--evaluations", type=int, default=40)
    parser.add_argument("--images", type=int, default=100, help="a remaining concept")
    parser.add_argument("--forgotten-images", type=int, default=1000)
    parser.add_argument("--work", type=Path, default=Path("build/baselines"))
    parser.add_argument("--out", type=Path, default=Path("docs/results"))
    arguments = parser.parse_args()
    base = load_base(load_settings().models()["fashion"])
    body: dict[str, Any] = {
        "forget": [{"concept": FORGOTTEN, "override": OVERRIDE}],
        "budget": {"images": IMAGES},
        "seed": SEED,
    }
    body["evaluation"] = {
        "images_per_concept": arguments.images,
        "images_per_forgotten_concept": arguments.forgotten_images,
    }
    request = parse_request(body, base.model)
    # No verdict is decided by the further extractors or the second judge.
    evaluators = dataclasses.replace(Evaluators.load(base.model), second_judge=None, extractors=(), references={})
    remembers = distil(base, request, arguments.work / "distilled-generator", False, False)
    forgot = distil(base, request, arguments.work / "sfd-generator", True, False)
    one, other = (base.model.concept_index(c) for c in SWAPPED)
    swap = {one: other, other: one}
    controls: dict[str, Sample] = {
        "nothing forgotten": remembers.sample_labels,
        f"forgot, {SWAPPED[0]} and {SWAPPED[1]} swapped": lambda labels, seeds: forgot.sample_labels(
            [swap.get(label, label) for label in labels], seeds
        ),
        "a constant image": lambda labels, seeds: np.zeros((len(labels), 28, 28), np.uint8),
        MUST_PASS: forgot.sample_labels,
    }
    lines = [
        "| control | evaluations | pass | fail | inconclusive | failed on |",
        "| --- | --- | --- | --- | --- | --- |",
    ]
    wrong = 0
    for name, sample in controls.items():
        verdicts: Counter[str] = Counter()
        failed: Counter[str] = Counter()
        evaluations = arguments.evaluations if name != MUST_PASS else arguments.evaluations // 4
        for i in track(range(evaluations), description=name):
            measured = list(evaluate(sample, evaluators, request, seed_offset=(i + 1) * SEEDS_APART))[-1][2]
            assert measured is not None
            verdicts[measured.verdict] += 1
            failed.update(c.name for c in measured.criteria if c.decision == "fail")
        print(json.dumps({"control": name, "verdicts": verdicts, "failed": failed}), flush=True)
        on = ", ".join(f"{criterion} {n}" for criterion, n in sorted(failed.items())) or "nothing"
        lines.append(
            f"| {name} | {evaluations} | {verdicts['pass']} | {verdicts['fail']} | {verdicts['inconclusive']} | {on} |"
        )
        wrong += verdicts["pass"] if name != MUST_PASS else 0
    most = wilson(wrong, 3 * arguments.evaluations).high
    text = "\n".join(
        [
            "# Wrong verdicts",
            "",
            f"`python -m benchmarks.controls`: {arguments.evaluations} evaluations a control, other seeds every time, "
            f"{request.evaluation.images_per_concept} images a remaining concept and "
            f"{request.evaluation.images_per_forgotten_concept} of the forgotten one.",
            "",
            *lines,
            "",
            f"Wrong passes: {wrong} of {3 * arguments.evaluations} (95 % interval up to {most:.3f}).",
        ]
    )
    print(text)
    arguments.out.mkdir(parents=True, exist_ok=True)
    (arguments.out / "controls.md").write_text(text + "\n")
    if wrong:
        raise SystemExit(1)


if __name__ == "__main__":
    main()
