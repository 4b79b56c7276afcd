"""How often a control that must not pass does, and one that must not fail does: repeated evaluations.

    python -m benchmarks.controls [--evaluations 40] [--out docs/results]

Three controls, each evaluated from other seeds every time: the base model distilled with nothing forgotten, a
forgetting generator with two remaining classes swapped, a constant image. A wrong pass of any is a broken verdict. The
generator that forgot is evaluated beside them: a verdict that always says no is broken too. What is finished is kept in
``--work`` and not made again.

Then generators that are made to deceive, of both bundled models' own stored samples as their judges saw them: few
pictures of each concept, one concept lost, a judge that does not see. And the base model itself, which must never fail,
at every number of images.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
from collections import Counter
from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np
from rich.progress import track

from benchmarks.shared.command import OUT, Command, Folder, Option
from benchmarks.shared.deceivers import FEW, few, judged_blindly, lost, mostly_one
from benchmarks.shared.distil import demonstration, distil
from benchmarks.shared.drawn_evidence import Verdicts, criteria_of
from benchmarks.shared.experiment import Experiment
from benchmarks.shared.page import commit, kept_commits, page, table, write
from cli.demo_run import SNEAKERS
from sfd_core.evaluation.evaluate import evaluate
from sfd_core.evaluation.intervals import wilson
from sfd_core.evaluation.questions import Sample
from sfd_core.evaluation.verdict import overall

COMMAND = Command(
    "controls",
    __doc__,
    Option("--evaluations", 40, "of each control", quick=1),
    Option("--images", 250, "a remaining concept", quick=4),
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
    drawn, more, failures = deceived(arguments.evaluations)
    of, wrong = of + more[0], wrong + more[1]
    figure = (
        f"Wrong passes: {wrong} of {of} (95 % interval up to {wilson(wrong, of).high:.3f}). "
        f"Wrong fails of the base model itself: {failures[1]} of {failures[0]}."
    )
    plan = experiment.request.evaluation
    text = page(
        "Wrong verdicts",
        f"{arguments.evaluations} evaluations a control, other seeds every time, {plan.images_per_concept} images a "
        f"remaining concept and {plan.images_per_forgotten_concept} of the forgotten one.",
        table(("control", "evaluations", "pass", "fail", "inconclusive", "failed on"), rows),
        "Of the bundled models' stored samples, half of them the reference, "
        f"{arguments.evaluations} draws each; unlearning accuracy is held to 0.9, since half of the samples are too "
        "few for 0.99.",
        table(("base model", "control", "pass", "fail", "inconclusive", "failed on"), drawn),
        figure,
        commits=[commit(), *kept_commits(arguments.work / name for name in GENERATORS)],
    )
    write(arguments.out, "controls.md", text)
    if wrong or failures[1]:
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


NUMBERS = {"fashion": (5, 20, 100, 250, 500), "emoji": (2, 5, 20, 54)}
"""Images a concept at which the base model is held against itself."""
Counted = tuple[int, int]
"""How many, and how many of them were wrong."""


def deceived(draws: int) -> tuple[list[tuple[str | int, ...]], Counted, Counted]:
    """Evaluate every deceiver, and the base model itself, ``draws`` times. Returns the table's rows; the deceivers'
    verdicts and those that passed; the base model's and those that failed."""
    found: list[tuple[str | int, ...]] = []
    passed = failed = of = of_itself = 0
    for name, numbers in NUMBERS.items():
        deceivers = {
            **{f"{k} pictures a concept": few(k) for k in FEW},
            "9 of 10 images the same picture": mostly_one,
            "one concept lost": lost(name, 1.0),
            "half of one concept lost": lost(name, 0.5),
        }
        controls: dict[str, Callable[[int], Verdicts]] = {
            control: partial(criteria_of, name, deceiver=deceiver) for control, deceiver in deceivers.items()
        }
        controls["a judge that sees 1 % of the concept"] = partial(_blindly, name)
        for control, verdicts_of in controls.items():
            verdicts, on = counted(verdicts_of, draws)
            found.append((name, control, verdicts["pass"], verdicts["fail"], verdicts["inconclusive"], on))
            of, passed = of + draws, passed + verdicts["pass"]
        for n in numbers:
            verdicts, on = counted(partial(criteria_of, name, n=n), draws)
            itself = f"the base model itself, {n} images a concept"
            found.append((name, itself, verdicts["pass"], verdicts["fail"], verdicts["inconclusive"], on))
            of_itself, failed = of_itself + draws, failed + verdicts["fail"]
    return found, (of, passed), (of_itself, failed)


def _blindly(name: str, _: int) -> Verdicts:
    return judged_blindly(name, 0.01)


def counted(verdicts_of: Callable[[int], Verdicts], draws: int) -> tuple[Counter[str], str]:
    """Count the verdicts of so many draws, and say in words which criteria failed how often."""
    verdicts: Counter[str] = Counter()
    failed: Counter[str] = Counter()
    for seed in range(draws):
        criteria = verdicts_of(seed).values()
        verdicts[overall(list(criteria))] += 1
        failed.update(one.name for one in criteria if one.decision == "fail")
    return verdicts, ", ".join(f"{name} {n}" for name, n in sorted(failed.items())) or "nothing"


def judged(name: str, sample: Sample, experiment: Experiment, evaluations: int) -> tuple[Counter[str], Counter[str]]:
    """Count how often each verdict came, and how often each criterion failed."""
    # No verdict is decided by the further extractors.
    evaluators = dataclasses.replace(experiment.evaluators, extractors=(), references={})
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
