"""A training step as Lethe arranges it against the published arrangement, on the same networks in one run.

    python -m benchmarks.step [--base fashion] [--rounds 6]

Ours: one merged batch, remaining and forgotten conditions together, images drawn once for both networks. Published
(the authors' scripts): four half-losses a step, a whole batch of forgotten images beside a whole batch of remaining
ones, images drawn anew for each network. Both use this repository's losses and networks. What counts is how many
remaining images a second train the generator. Rounds alternate, so that a noisy machine is noisy for both.
"""

from __future__ import annotations

import argparse

import torch

from benchmarks.shared.arrangements import OURS, THEIRS, both
from benchmarks.shared.command import OUT, Command, Option
from benchmarks.shared.experiment import bundled
from benchmarks.shared.page import page, write
from benchmarks.shared.rounds import median, rates, seconds_of, with_rounds

WANTED = 1.8
COMMAND = Command(
    "step",
    __doc__,
    Option("--base", "fashion", "a class-conditional base model by its registered name"),
    Option("--rounds", 6, "of both arrangements in turn", quick=1),
    Option("--steps", 4, "a round", quick=1),
    OUT,
)


def run(arguments: argparse.Namespace) -> str:
    """Time both arrangements in turns."""
    concepts = bundled(arguments.base).concepts
    experiment, arranged = both(arguments.base, {"concept": concepts[0], "override": concepts[1]})
    seconds: dict[str, list[float]] = {name: [] for name in arranged}
    for one in arranged.values():
        one.step()
    for _ in range(arguments.rounds):
        for name, one in arranged.items():
            seconds[name].append(seconds_of(one.step, arguments.steps))
    remaining = {name: one.remaining for name, one in arranged.items()}
    ratios = [
        (remaining[OURS] / a) / (remaining[THEIRS] / b) for a, b in zip(seconds[OURS], seconds[THEIRS], strict=True)
    ]
    text = page(
        "A step: one merged batch against the published arrangement",
        f"`{experiment.base.model.name}`, batch {experiment.request.recipe.batch}, {torch.get_num_threads()} threads. "
        "What counts is the ratio of two things in one run: machines differ and are shared.",
        rates(("arrangement", "s a step", "remaining images a second"), seconds, remaining),
        f"Ratio {with_rounds(ratios)}; wanted: {WANTED}.",
    )
    write(arguments.out, "step.md", text)
    return f"{median(ratios)} times the published arrangement's remaining images a second"


if __name__ == "__main__":
    COMMAND.main(run)
