"""Many objects forgotten at once from ``models/emoji``: Lethe beside ESD and UCE, and what becomes of the others.

    python -m benchmarks.many [--objects 1 10 30] [--methods Lethe ESD UCE] [--work build/many] [--out docs/results]

A row a method and number of objects; those of a smaller number are among those of a larger, each with the same
override. What is finished is kept in ``--work`` and not made again.
"""

from __future__ import annotations

import argparse
import json
import random
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from benchmarks.many.esd import esd
from benchmarks.many.measuring import measure
from benchmarks.many.table import document
from benchmarks.many.uce import uce
from benchmarks.shared.command import OUT, Command, Folder, Option
from benchmarks.shared.experiment import Experiment, bundled
from benchmarks.shared.page import keep_commit, kept_commits, write
from sfd_core.evaluation.subject import ImageSource, base_sampler_of
from sfd_core.families.text.base_sampler import GuidedSampler
from sfd_core.families.text.loaded import LoadedPipeline

BASE, SEED = "emoji", 7
METHODS = ("Lethe", "ESD", "UCE")
FIRST, MOST = "pistol", 30
"""The object that is forgotten first, as elsewhere, and how many there are to forget: 18 of 48 remain."""
RESULT = "result.json"
SIZES = ("images", "forgotten_images", "budget", "esd_steps", "esd_pool")
COMMAND = Command(
    "many",
    __doc__,
    Option("--objects", (1, 10, 30), "forgotten at once", quick=(2,), choices=range(1, MOST + 1)),
    Option("--methods", METHODS, "of the table", choices=METHODS),
    Option("--images", 54, "a remaining object", quick=2),
    Option("--forgotten-images", 108, "a forgotten object", quick=2),
    Option("--budget", 3_200, "images of Lethe's training", quick=64),
    Option("--esd-steps", 60, "of ESD, an object", quick=1),
    Option("--esd-pool", 96, "images of an object that ESD sees", quick=2),
    Folder("--work", Path("build/many"), "where what is finished is kept"),
    OUT,
)


def run(arguments: argparse.Namespace) -> str:
    """Make every row that is not finished, then the table of all."""
    sizes = {name: getattr(arguments, name) for name in SIZES}
    parts = [(n, method, arguments.work / f"{method}-{n}") for n in arguments.objects for method in arguments.methods]
    for n, method, folder in parts:
        if not (folder / RESULT).is_file():
            row = {"objects": n, "method": method, "sizes": sizes, **made(method, asked(n, sizes), sizes)}
            keep_commit(folder)
            (folder / RESULT).write_text(json.dumps(row, indent=2, allow_nan=False) + "\n")
            print(f"{method}, {n} objects: finished", flush=True)
    rows = [json.loads((folder / RESULT).read_text()) for _, _, folder in parts]
    if others := [folder for row, (_, _, folder) in zip(rows, parts, strict=True) if row["sizes"] != sizes]:
        raise SystemExit(f"made with other sizes, remove them to have them made anew: {', '.join(map(str, others))}")
    write(arguments.out, "many.md", document(rows, sizes, kept_commits(folder for _, _, folder in parts)))
    return "; ".join(f"{r['method']}, {r['objects']}: drop {r['retained']['drop']['value']:.3f}" for r in rows)


def asked(n: int, sizes: Mapping[str, int]) -> Experiment:
    """Return the request to forget ``n`` objects, each overridden by one that remains in every row."""
    model = bundled(BASE)
    objects = [concept for concept in model.view("object").concepts if concept != FIRST]
    random.Random(SEED).shuffle(objects)
    forgotten, remaining = [FIRST, *objects[: MOST - 1]], objects[MOST - 1 :]
    body = {
        "forget": [
            {"concept": concept, "override": remaining[i % len(remaining)]} for i, concept in enumerate(forgotten[:n])
        ],
        "budget": {"images": sizes["budget"], "until": "budget"},
        "evaluation": {
            "images_per_concept": sizes["images"],
            "images_per_forgotten_concept": sizes["forgotten_images"],
        },
        "seed": SEED,
    }
    return Experiment.of(model, body)


def made(method: str, experiment: Experiment, sizes: Mapping[str, int]) -> dict[str, Any]:
    """Make what ``method`` makes and measure it. ``seconds``: the time that the method took."""
    began = time.monotonic()
    subject = _lethe(experiment) if method == "Lethe" else _edited(method, experiment, sizes)
    seconds = time.monotonic() - began
    return {"seconds": seconds, "network_evaluations": subject.network_evaluations, **measure(subject, experiment)}


def _lethe(experiment: Experiment) -> ImageSource:
    state = experiment.start()
    for _ in experiment.steps(state):
        pass
    return ImageSource.of_generator(experiment.generator(state))


def _edited(method: str, experiment: Experiment, sizes: Mapping[str, int]) -> ImageSource:
    """The base model with another network, at its own steps."""
    base, plan = experiment.base, experiment.prompts
    assert isinstance(base, LoadedPipeline)
    assert plan is not None
    if method == "UCE":
        network = uce(base, plan, plan.retained)
    else:
        network = esd(base, plan, sizes["esd_steps"], sizes["esd_pool"], SEED)
    sampler = base_sampler_of(base, experiment.device)
    assert isinstance(sampler, GuidedSampler)
    sampler.network = network
    return ImageSource.many_steps(sampler, method)


if __name__ == "__main__":
    COMMAND.main(run)
