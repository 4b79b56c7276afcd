"""How often a control that must not pass does, and one that must not fail does: repeated evaluations.

    python -m benchmarks.controls [--evaluations 40] [--out docs/results]

Four controls, each evaluated from other seeds every time: the base model distilled with nothing forgotten, a
forgetting generator with two remaining classes swapped, a constant image, and one that forgot in its one step alone. A
wrong pass of any is a broken verdict. The generator that forgot is evaluated beside them: a verdict that always says no
is broken too. What is finished is kept in ``--work`` and not made again.

Then generators of both bundled models' own stored samples as their judges saw them, and of drawn hits where no sample
is stored: for every criterion one that deceives the others and must not pass, and one on the good side of its threshold
(``benchmarks/shared/verdict_controls.py``). And the base model itself, which must never fail, at every number of
images.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import re
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
from rich.progress import track

from benchmarks.shared.command import OUT, Command, Folder, Option
from benchmarks.shared.distil import demonstration, distil, forgetting, forgetting_in_one_step, remembering
from benchmarks.shared.drawn_evidence import Verdicts, criteria_of, criteria_of_drawn
from benchmarks.shared.experiment import Experiment
from benchmarks.shared.page import keep_commit, kept_commits, page, table, write
from benchmarks.shared.verdict_controls import DECEIVERS, HONEST, MODELS, NOT_CAUGHT, Control
from cli.demo_run import SNEAKERS
from sfd_core.evaluation.evaluate import evaluate
from sfd_core.evaluation.intervals import wilson
from sfd_core.evaluation.own_network import OwnNetwork
from sfd_core.evaluation.questions import Sample
from sfd_core.evaluation.verdict import Criterion, overall
from sfd_core.families.class_unet.generator import OneStepGenerator

COMMAND = Command(
    "controls",
    __doc__,
    Option("--evaluations", 40, "of each control", quick=1),
    Option("--images", 250, "a remaining concept", quick=4),
    Option("--forgotten-images", 1000, "of the forgotten concept", quick=16),
    Option("--budget", SNEAKERS.images, "images of training of each generator", quick=64),
    Option("--models", MODELS, "whose stored samples are drawn from", quick=("emoji",), choices=MODELS),
    Folder("--work", Path("build/baselines"), "where generators and counts are kept"),
    OUT,
)
SEEDS_APART = 10_000
"""Between two evaluations: more than the images of any concept."""
OFTENER = 4
"""So many times as often are those controls evaluated whose network is not looked at: in many steps an image takes as
long as many do."""
SWAPPED = ("Trouser", "Pullover")
GENERATORS = {
    "distilled-generator": remembering,
    "sfd-generator": forgetting,
    "first-step-generator": forgetting_in_one_step,
}
"""What each was asked for, by its folder."""
MUST_PASS = "forgot (must not fail)"
NUMBERS = {"fashion": (5, 20, 100, 250, 500), "emoji": (5, 20, 54)}
"""Images a concept at which the base model is held against itself: up to half of the stored samples, of which the other
half is the reference."""
DRAWN_NUMBERS = {"fashion": (500, 1000, 2000), "emoji": (54, 500, 2000)}
"""The same where features are drawn from normal distributions like the stored ones."""
Row = tuple[str | int, ...]
Counted = tuple[Counter[str], Counter[str]]
"""How often each verdict came, and how often each criterion failed."""


@dataclass(frozen=True)
class Counts:
    """A memory of how often verdicts came: each row is counted once, and kept in a folder of its own below
    ``folder``. ``at`` is added to: the folders of the rows that were asked for."""

    folder: Path
    at: list[Path]

    def of(self, name: str, criteria_at: Callable[[int], Sequence[Criterion]], times: int) -> Counted:
        """Return the counts that are kept of ``name``, or count and keep them."""
        folder = self.folder / re.sub("[^a-z0-9]+", "-", name.lower()).strip("-")
        if folder in self.at:
            raise ValueError(f"two rows would be kept in {folder}")
        self.at.append(folder)
        file = folder / "counts.json"
        if file.is_file() and (kept := json.loads(file.read_text()))["evaluations"] == times:
            return Counter(kept["verdicts"]), Counter(kept["failed"])
        verdicts, failed = counted(criteria_at, track(range(times), description=name))
        keep_commit(folder)
        file.write_text(json.dumps({"evaluations": times, "verdicts": verdicts, "failed": failed}) + "\n")
        return verdicts, failed


@dataclass(frozen=True)
class Generated:
    """A control that makes images. ``own``: the network behind it, where that is looked at."""

    sample: Sample
    own: OwnNetwork | None = None


def run(arguments: argparse.Namespace) -> str:
    """Evaluate every control again and again. Exits with 1 if one has passed that must not, or failed likewise."""
    experiment = demonstration(
        arguments.budget,
        images_per_concept=arguments.images,
        images_per_forgotten_concept=arguments.forgotten_images,
    )
    counts = Counts(arguments.work / "verdicts", [])
    rows, wrong_fails = [], 0
    passes, of = 0, 0
    for name, control in controls(experiment, arguments.work).items():
        evaluations = arguments.evaluations if control.own is None else max(1, arguments.evaluations // OFTENER)
        verdicts, on = counts.of(name, partial(judged, control, experiment), evaluations)
        looked_at = "no" if control.own is None else "yes"
        rows.append((name, looked_at, evaluations, *_cells(verdicts, on)))
        if name == MUST_PASS:
            wrong_fails = verdicts["fail"]
        else:
            passes, of = passes + verdicts["pass"], of + evaluations
    draws, models = arguments.evaluations, arguments.models
    deceived, by_deceivers = held_to(DECEIVERS, models, draws, counts)
    honest, by_honest = held_to(HONEST, models, draws, counts)
    itself, by_itself = against_itself(models, draws, counts)
    uncaught, _ = held_to(NOT_CAUGHT, models, draws, counts)
    passes, of = passes + by_deceivers["pass"], of + by_deceivers.total()
    figure = (
        f"Wrong passes: {passes} of {of} (95 % interval up to {wilson(passes, of).high:.3f}). Wrong fails: of honest "
        f"generators {by_honest['fail']} of {by_honest.total()} ({by_honest['inconclusive']} undecided), of the base "
        f"model itself {by_itself['fail']} of {by_itself.total()}, of the generator that forgot {wrong_fails} of "
        f"{max(1, arguments.evaluations // OFTENER)}."
    )
    plan = experiment.request.evaluation
    heads = ("base model", "control", "is about", "pass", "fail", "inconclusive", "failed on")
    text = page(
        "Wrong verdicts",
        f"{arguments.evaluations} evaluations a control, other seeds every time, {plan.images_per_concept} images a "
        f"remaining concept and {plan.images_per_forgotten_concept} of the forgotten one. Where the network behind the "
        f"step is looked at too, in many steps and from part-noised images, a control is evaluated a quarter as often; "
        f"of the others those two criteria say nothing.",
        table(
            ("control", "network looked at", "evaluations", "pass", "fail", "inconclusive", "failed on"),
            rows,
        ),
        "## Deceivers: none may pass",
        f"Of the bundled models' stored samples, half of them the reference, {draws} draws each; unlearning accuracy "
        "is held to 0.9, since half of the samples are too few for 0.99. What is seen behind the step, and what "
        "paraphrases and unseen captions bring, is in no stored sample: it is drawn from rates.",
        table(heads, deceived),
        "## Honest, on the good side of each threshold: all must pass",
        table(heads, honest),
        "## The base model itself: it must not fail",
        "Images a concept as far as the stored samples reach. Beyond, *drawn*: features of both sides from normal "
        "distributions with the mean and covariance of each concept's stored ones, what judges see from what they "
        "saw; the reference is as large as the stored one.",
        table(heads, itself),
        "## Deceivers that are known to pass",
        "What the verdict does not see; they count for nothing above.",
        table(heads, uncaught),
        figure,
        commits=kept_commits([*(arguments.work / name for name in GENERATORS), *counts.at]),
    )
    write(arguments.out, "controls.md", text)
    if passes or by_honest["fail"] or by_itself["fail"]:
        raise SystemExit(1)
    return figure


def controls(experiment: Experiment, work: Path) -> dict[str, Generated]:
    """Return what makes the images of every control, and of the generator that forgot."""
    model = experiment.base.model
    remembers, forgot, in_one_step = (distil(experiment, work / name, asked) for name, asked in GENERATORS.items())
    one, other = (model.concept_index(concept) for concept in SWAPPED)
    swap = {one: other, other: one}
    shape = (model.image.height, model.image.width)

    def with_network(generator: OneStepGenerator) -> Generated:
        own = OwnNetwork.of(generator, experiment.base, experiment.request, experiment.prompts, experiment.device)
        return Generated(generator.sample_labels, own)

    return {
        "nothing forgotten": Generated(remembers.sample_labels),
        f"forgot, {SWAPPED[0]} and {SWAPPED[1]} swapped": Generated(
            lambda labels, seeds: forgot.sample_labels([swap.get(label, label) for label in labels], seeds)
        ),
        "a constant image": Generated(lambda labels, seeds: np.zeros((len(labels), *shape), np.uint8)),
        "forgot in its one step alone": with_network(in_one_step),
        MUST_PASS: with_network(forgot),
    }


def judged(control: Generated, experiment: Experiment, evaluation: int) -> Sequence[Criterion]:
    """Evaluate a control on the images of evaluation number ``evaluation``."""
    # No verdict is decided by the further extractors.
    evaluators = dataclasses.replace(experiment.evaluators, extractors=(), references={})
    offset = (evaluation + 1) * SEEDS_APART
    *_, (_, _, measured) = evaluate(
        control.sample, evaluators, experiment.request, own_network=control.own, seed_offset=offset
    )
    assert measured is not None
    return measured.criteria


def held_to(
    table_of: Sequence[Control], models: Sequence[str], draws: int, counts: Counts
) -> tuple[list[Row], Counter[str]]:
    """Evaluate the controls of one table ``draws`` times. Returns the rows of a page, and all verdicts."""
    found: list[Row] = []
    every: Counter[str] = Counter()
    for model in models:
        for control in (one for one in table_of if model in one.models):
            verdicts, on = counts.of(f"{model} {control.name}", _drawn(partial(control.verdicts, model)), draws)
            found.append((model, control.name, control.about or "nothing can be decided", *_cells(verdicts, on)))
            every += verdicts
    return found, every


def against_itself(models: Sequence[str], draws: int, counts: Counts) -> tuple[list[Row], Counter[str]]:
    """Evaluate the base model itself at every number of images. Returns as :func:`held_to`."""
    found: list[Row] = []
    every: Counter[str] = Counter()
    for model in models:
        ways: dict[str, Callable[[int], Verdicts]] = {
            f"{n} images a concept": partial(criteria_of, model, n=n) for n in NUMBERS[model]
        }
        ways |= {f"{n} images a concept, drawn": partial(criteria_of_drawn, model, n=n) for n in DRAWN_NUMBERS[model]}
        for name, verdicts_of in ways.items():
            verdicts, on = counts.of(f"{model} itself {name}", _drawn(verdicts_of), draws)
            found.append((model, name, "all", *_cells(verdicts, on)))
            every += verdicts
    return found, every


def _drawn(verdicts_of: Callable[[int], Verdicts]) -> Callable[[int], Sequence[Criterion]]:
    return lambda seed: list(verdicts_of(seed).values())


def counted(criteria_at: Callable[[int], Sequence[Criterion]], times: Iterable[int]) -> Counted:
    """Count how often each verdict came, and how often each criterion failed."""
    verdicts: Counter[str] = Counter()
    failed: Counter[str] = Counter()
    for i in times:
        criteria = criteria_at(i)
        verdicts[overall(criteria)] += 1
        failed.update(one.name for one in criteria if one.decision == "fail")
    return verdicts, failed


def _cells(verdicts: Mapping[str, int], failed: Mapping[str, int]) -> Row:
    """The last cells of a row: Counters, as a Counter says 0 of what never came."""
    on = ", ".join(f"{criterion} {n}" for criterion, n in sorted(failed.items())) or "nothing"
    return verdicts["pass"], verdicts["fail"], verdicts["inconclusive"], on


if __name__ == "__main__":
    COMMAND.main(run)
