"""Quality over seconds: UA, RA and FD while training, for Lethe's arrangement of a step and the published one.

    python -m benchmarks.recipe [--seconds 90] [--every 15] [--forget Sneaker=Bag]

Both arrangements train in turns on the same machine, with the same losses, learning rates and average: ours from the
first stage that the base model ships, the published one from the base model. Only training time counts. FD is on the
judge's features, remaining concepts only, against the base model's own samples.
"""

from __future__ import annotations

import argparse
import json
import time

import numpy as np

from benchmarks.shared.arrangements import Arrangement, both
from benchmarks.shared.command import OUT, Command, Option
from benchmarks.shared.experiment import Experiment
from benchmarks.shared.page import page, table, write
from sfd_core.evaluation.concept_images import Judgements, judge_samples
from sfd_core.evaluation.metrics import frechet_distance

COMMAND = Command(
    "recipe",
    __doc__,
    Option("--seconds", 90.0, "of training for each arrangement", quick=0.1),
    Option("--every", 15.0, "seconds of training between two points", quick=0.1),
    Option("--forget", "Sneaker=Bag", "a concept and its override"),
    Option("--images", 64, "judged a concept at each point; four times as many of the forgotten one", quick=16),
    OUT,
)
HEADS = ("arrangement", "training s", "steps", "UA", "RA", "FD against the base model")


def run(arguments: argparse.Namespace) -> str:
    """Train both arrangements in turns, and measure each at every point."""
    concept, override = arguments.forget.split("=")
    experiment, runs = both("fashion", {"concept": concept, "override": override})
    spent = dict.fromkeys(runs, 0.0)
    rows = []
    while min(spent.values()) < arguments.seconds:
        for name, one in runs.items():
            until = spent[name] + arguments.every
            while spent[name] < until:
                began = time.perf_counter()
                one.step()
                spent[name] += time.perf_counter() - began
            ua, ra, fd = measured(experiment, one, arguments.images)
            rows.append((name, round(spent[name], 1), one.state.step, round(ua, 4), round(ra, 4), round(fd, 2)))
            print(json.dumps(rows[-1]), flush=True)
    text = page(
        f"Quality over training seconds, {concept} -> {override}",
        f"Both arrangements in turns in one run. Each point judges {arguments.images} images a concept, "
        f"{4 * arguments.images} of the forgotten one: RA and FD are rough.",
        table(HEADS, sorted(rows)),
    )
    write(arguments.out, "recipe.md", text)
    return "; ".join(f"{name}: UA {ua}, RA {ra} after {seconds} s" for name, seconds, _, ua, ra, _ in rows[-2:])


def measured(experiment: Experiment, run: Arrangement, images: int) -> tuple[float, float, float]:
    """Measure UA, RA and FD of the averaged generator."""
    model, evaluators = experiment.base.model, experiment.evaluators.judge_alone()
    assert evaluators.reference is not None
    forgotten = model.concept_index(experiment.request.forget[0].concept)
    kept = [label for label in range(len(model.concepts)) if label != forgotten]
    counts = {label: images * (4 if label == forgotten else 1) for label in range(len(model.concepts))}
    judged = Judgements({})
    for _, _, judged in judge_samples(experiment.generator(run.state).sample_labels, evaluators, counts):  # noqa: B007
        pass
    ua = float((judged.by_label[forgotten].seen != forgotten).mean())
    ra = float(np.mean([(judged.by_label[label].seen == label).mean() for label in kept]))
    return ua, ra, frechet_distance(evaluators.reference.base_model.only(kept).features, judged.features(kept))


if __name__ == "__main__":
    COMMAND.main(run)
