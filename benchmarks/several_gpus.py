"""Images a second of two processes that train one job together, against one, each on a thread of its own.

    python -m benchmarks.several_gpus [--base fashion] [--rounds 6]

The steps are those of a job, on the CPU: the same batch, once by one process and once shared out between two
(``sfd_core.training.ranks``), which add up their gradients over the loopback device. Both are started once and take
turns, so that a noisy machine is noisy for both; where one trains the other waits. Efficiency is what two have of twice
the images a second of one: what is lost is the adding up, and each process draws the whole batch's noise.
"""

from __future__ import annotations

import argparse
import os
import tempfile
from pathlib import Path

import torch
from torch.multiprocessing.spawn import spawn

from benchmarks.shared.command import OUT, Command, Option
from benchmarks.shared.experiment import CPU, ENDLESS, Experiment, bundled
from benchmarks.shared.page import page, write
from benchmarks.shared.rounds import median, rates, seconds_of, with_rounds
from sfd_core.training.loop import Steps
from sfd_core.training.ranks import ALONE, ProcessGroup, Ranks

COUNT = 2
COMMAND = Command(
    "several_gpus",
    __doc__,
    Option("--base", "fashion", "a class-conditional base model by its registered name"),
    Option("--batch", 64, "images a step", quick=4),
    Option("--rounds", 6, "of one process and of two in turn", quick=1),
    Option("--steps", 4, "a round", quick=1),
    OUT,
)


def steps_of(arguments: argparse.Namespace, ranks: Ranks) -> Steps:
    """Return the steps of a job that forgets the base model's first concept."""
    model = bundled(arguments.base)
    body = {
        "forget": [{"concept": model.concepts[0], "override": model.concepts[1]}],
        "budget": {"images": ENDLESS},
        "recipe": {"batch": arguments.batch},
    }
    experiment = Experiment.of(model, body)
    return Steps(experiment.start(ranks), experiment.base, experiment.request.recipe, experiment.plan, None)


def take_turns(number: int, arguments: argparse.Namespace, folder: Path) -> None:
    """Time both ways, as one of the processes. The first one writes into ``folder`` what a step took, alone and
    together, a line a round."""
    torch.set_num_threads(1)
    ranks = ProcessGroup(number, COUNT, folder / "meeting", CPU)
    together = steps_of(arguments, ranks)
    alone = steps_of(arguments, ALONE) if number == 0 else None
    together.take()
    if alone is not None:
        alone.take()
    lines = []
    for _ in range(arguments.rounds):
        one = seconds_of(alone.take, arguments.steps) if alone is not None else 0.0
        ranks.sums(0.0)  # they begin together
        lines.append(f"{one} {seconds_of(together.take, arguments.steps)}")
    if number == 0:
        (folder / "seconds").write_text("\n".join(lines))
    ranks.leave()


def run(arguments: argparse.Namespace) -> str:
    """Start both processes and write down what they measured."""
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    os.environ.setdefault("GLOO_SOCKET_IFNAME", "lo")
    with tempfile.TemporaryDirectory(prefix="lethe-ranks-") as folder:
        spawn(take_turns, (arguments, Path(folder)), nprocs=COUNT)
        lines = (Path(folder) / "seconds").read_text().splitlines()
    alone, together = zip(*(map(float, line.split()) for line in lines), strict=True)
    efficiencies = [one / (COUNT * two) for one, two in zip(alone, together, strict=True)]
    seconds = {"one process": alone, "two processes": together}
    text = page(
        "One job in two processes",
        f"`{arguments.base}`, batch {arguments.batch}, a thread a process, on {os.cpu_count()} cores: what counts is "
        "the ratio of two things in one run, and where other work shares the cores it tells of that work.",
        rates(("a step by", "seconds", "images a second"), seconds, dict.fromkeys(seconds, arguments.batch)),
        f"Efficiency {with_rounds(efficiencies)}; 1 would be twice the images a second.",
    )
    write(arguments.out, "several_gpus.md", text)
    return f"efficiency {median(efficiencies)} at two processes over one"


if __name__ == "__main__":
    COMMAND.main(run)
