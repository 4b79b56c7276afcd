"""How often a control that must not pass does: repeated evaluations of generators that were made once.

    python -m benchmarks.controls [--evaluations 40] [--out docs/results]

Three controls, each evaluated from other seeds every time: the base model distilled with nothing forgotten, a
forgetting generator with two remaining classes swapped, a constant image. A wrong pass of any is a broken verdict. The
generator that forgot is evaluated beside them: a verdict that always says no is broken too. What is finished is kept in
``--work`` and not made again.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
from collections import Counter
from pathlib import Path

import numpy as np
from rich.progress import track

from benchmarks.shared.command import OUT, Command, Folder, Option
from benchmarks.shared.distil import demonstration, distil
from benchmarks.shared.experiment import Experiment
from benchmarks.shared.page import commit, kept_commits, page, table, write
from cli.demo_run import SNEAKERS
from sfd_core.evaluation.evaluate import evaluate
from sfd_core.evaluation.intervals import wilson
from sfd_core.evaluation.questions import Sample

COMMAND = Command(
    "controls",
    __doc__,
    Option("--evaluations", 40, "of each control", quick=1),
    Option("--images", 100, "a remaining concept", quick=4),
    Option("--forgotten-images", 1000, "of the forgotten concept", quick=16),
    Option("--budget", SNEAKERS.images, "images of training of each generator", quick=64),
    Folder("--work", Path("build/baselines"), "where generators are kept"),
    OUT,
)
SEEDS_APART = 10_000
"""Between two evaluations: more than the images of any concept."""
MUST_PASS = "forgot (must not fail)"
"""Beside the controls, a quarter as often."""
SWAPPED = ("Trouser", "Pullover")


def run(arguments: argparse.Namespace) -> str:
    """Evaluate every control again and again. Exits with 1 if one has passed."""
    experiment = demonstration(
        arguments.budget,
        images_per_concept=arguments.images,
        images_per_forgotten_concept=arguments.forgotten_images,
    )
    rows, wrong = [], 0
    for name, sample in controls(experiment, arguments.work).items():
        evaluations = arguments.evaluations if name != MUST_PASS else max(1, arguments.evaluations // 4)
        verdicts, failed = judged(name, sample, experiment, evaluations)
        print(json.dumps({"control": name, "verdicts": verdicts, "failed": failed}), flush=True)
        on = ", ".join(f"{criterion} {n}" for criterion, n in sorted(failed.items())) or "nothing"
        rows.append((name, evaluations, verdicts["pass"], verdicts["fail"], verdicts["inconclusive"], on))
        wrong += verdicts["pass"] if name != MUST_PASS else 0
    of = (len(rows) - 1) * arguments.evaluations
    figure = f"Wrong passes: {wrong} of {of} (95 % interval up to {wilson(wrong, of).high:.3f})."
    plan = experiment.request.evaluation
    text = page(
        "Wrong verdicts",
        f"{arguments.evaluations} evaluations a control, other seeds every time, {plan.images_per_concept} images a "
        f"remaining concept and {plan.images_per_forgotten_concept} of the forgotten one.",
        table(("control", "evaluations", "pass", "fail", "inconclusive", "failed on"), rows),
        figure,
        commits=[commit(), *kept_commits(arguments.work / name for name in GENERATORS)],
    )
    write(arguments.out, "controls.md", text)
    if wrong:
        raise SystemExit(1)
    return figure


GENERATORS = ("distilled-generator", "sfd-generator")
"""Folders of the generator that forgot nothing, and of the one that forgot."""


def controls(experiment: Experiment, work: Path) -> dict[str, Sample]:
    """Return what makes the images of every control, and of the generator that forgot."""
    model = experiment.base.model
    remembers, forgot = (distil(experiment, work / name, name == GENERATORS[1]) for name in GENERATORS)
    one, other = (model.concept_index(concept) for concept in SWAPPED)
    swap = {one: other, other: one}
    shape = (model.image.height, model.image.width)
    return {
        "nothing forgotten": remembers.sample_labels,
        f"forgot, {SWAPPED[0]} and {SWAPPED[1]} swapped": lambda labels, seeds: forgot.sample_labels(
            [swap.get(label, label) for label in labels], seeds
        ),
        "a constant image": lambda labels, seeds: np.zeros((len(labels), *shape), np.uint8),
        MUST_PASS: forgot.sample_labels,
    }


def judged(name: str, sample: Sample, experiment: Experiment, evaluations: int) -> tuple[Counter[str], Counter[str]]:
    """Count how often each verdict came, and how often each criterion failed."""
    # No verdict is decided by the further extractors or the second judge.
    evaluators = dataclasses.replace(experiment.evaluators, second_judge=None, extractors=(), references={})
    verdicts: Counter[str] = Counter()
    failed: Counter[str] = Counter()
    for i in track(range(evaluations), description=name):
        measured = list(evaluate(sample, evaluators, experiment.request, seed_offset=(i + 1) * SEEDS_APART))[-1][2]
        assert measured is not None
        verdicts[measured.verdict] += 1
        failed.update(c.name for c in measured.criteria if c.decision == "fail")
    return verdicts, failed


if __name__ == "__main__":
    COMMAND.main(run)
