"""Seconds of training until a target is reached, by Lethe's arrangement and by the published one.

    OMP_NUM_THREADS=1 python -m benchmarks.recipe [--seconds 900] [--ours 180] [--forget Sneaker=Bag]

Targets: UA of at least 0.99 (the lower bound of its 95 % interval), an RA at most 0.03 below the base model's, and a
Frechet distance to real images of at most 1.5 times the base model's. Both arrangements train in turns in one process,
with the same losses, learning rates and average: ours is a job's own, from the first stage that the base model ships;
the published one starts from the base model. Each stops once it has reached every target, or at the end of its budget.

Seconds are the processor's, of training alone: neither measuring nor other work on the machine counts.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Mapping, Sequence

from benchmarks.recipe.table import cells, charts, document
from benchmarks.recipe.targets import Point, joint, reached, times_ahead
from benchmarks.shared.arrangements import OURS, THEIRS, Arrangement, both
from benchmarks.shared.command import OUT, Command, Option
from benchmarks.shared.experiment import Experiment
from benchmarks.shared.page import write
from sfd_core.evaluation.concept_images import Judgements, judge_samples
from sfd_core.evaluation.frechet_pair import frechet_pair
from sfd_core.evaluation.intervals import difference, ratio_of
from sfd_core.evaluation.rates import pooled, rate

COMMAND = Command(
    "recipe",
    __doc__,
    Option("--seconds", 900.0, "of training for the published arrangement, at most", quick=0.1),
    Option("--ours", 180.0, "seconds of training for ours, at most", quick=0.1),
    Option("--first", 10.0, "seconds of training before the first point", quick=0.1),
    Option("--growth", 1.2, "how many times later each further point is"),
    Option("--forget", "Sneaker=Bag", "a concept and its override"),
    Option("--images", 150, "judged of each remaining concept at each point", quick=16),
    Option("--forgotten-images", 1000, "judged of the forgotten concept at each point", quick=16),
    OUT,
)


def run(arguments: argparse.Namespace) -> str:
    """Train both arrangements in turns, and measure each at every point."""
    concept, override = arguments.forget.split("=")
    experiment, runs = both("fashion", {"concept": concept, "override": override})
    budgets = {OURS: arguments.ours, THEIRS: arguments.seconds}
    meter = Meter(experiment, arguments.images, arguments.forgotten_images)
    points: dict[str, list[Point]] = {name: [] for name in runs}
    spent = dict.fromkeys(runs, 0.0)
    while going := [name for name in runs if spent[name] < budgets[name] and not done(points, name)]:
        for name in going:
            until = min(budgets[name], max(arguments.first, spent[name] * arguments.growth))
            while spent[name] < until:
                spent[name] += step_seconds(runs[name])
            points[name].append(meter.point(runs[name], spent[name]))
            print(json.dumps(cells(name, points[name][-1])), flush=True)
    write(arguments.out, "recipe.md", document(experiment, points, meter.base_model_right, arguments))
    for file, chart in charts(points, meter.base_model_right.value).items():
        (arguments.out / file).write_text(chart + "\n")
    goals = joint(points[OURS])
    return "; ".join(f"{goal.name}: {times_ahead(points[OURS], points[THEIRS], goal)}" for goal in goals)


def done(points: Mapping[str, Sequence[Point]], name: str) -> bool:
    """Return whether the arrangement has reached everything that is asked of it."""
    return bool(points[OURS]) and all(reached(points[name], goal) for goal in joint(points[OURS]))


def step_seconds(one: Arrangement) -> float:
    """Time one step, by the processor's clock."""
    began = time.process_time()
    one.step()
    return time.process_time() - began


class Meter:
    """The measuring of a generator, as the verdict's criteria do it, on the seeds of evaluations. ``images``: of each
    remaining concept."""

    def __init__(self, experiment: Experiment, images: int, forgotten_images: int) -> None:
        model, self.evaluators = experiment.base.model, experiment.evaluators.judge_alone()
        assert self.evaluators.reference is not None
        self.experiment, self.reference = experiment, self.evaluators.reference
        self.forgotten = model.concept_index(experiment.request.forget[0].concept)
        self.kept = [label for label in range(len(model.concepts)) if label != self.forgotten]
        self.counts = {**dict.fromkeys(self.kept, images), self.forgotten: forgotten_images}
        base_model = self.reference.base_model.only(self.kept)
        self.base_model_right = rate(base_model.seen == base_model.labels)

    def point(self, run: Arrangement, seconds: float) -> Point:
        """Measure the averaged generator of ``run`` after ``seconds`` of training."""
        sample, judged = self.experiment.generator(run.state).sample_labels, Judgements({})
        for _, _, judged in judge_samples(sample, self.evaluators, self.counts, [self.forgotten]):  # noqa: B007
            pass
        right = pooled([judged.by_label[label].seen == label for label in self.kept])
        ours, theirs = frechet_pair(
            self.reference.real.only(self.kept).features,
            [judged.features([label]) for label in self.kept],
            [self.reference.base_model.only([label]).features for label in self.kept],
        )
        return Point(
            seconds,
            run.state.step,
            rate(judged.by_label[self.forgotten].seen != self.forgotten),
            right,
            difference(self.base_model_right, right),
            ratio_of(ours, theirs),
        )


if __name__ == "__main__":
    COMMAND.main(run)
