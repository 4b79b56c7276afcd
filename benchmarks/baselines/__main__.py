"""SFD beside a filter, ESD and retraining, each at the base model's many steps and at one, by the same report.

    python -m benchmarks.baselines [--work build/baselines] [--without build/without-sneaker] [--out docs/results]

Everything forgets Sneaker (override Bag) from the bundled model; the same seeds, numbers of images, judges and probes
for all rows. One-step rows of the untouched network start from its first stage, with a job's own settings and budget.
The networks of ESD and of retraining have no first stage: they are distilled as such a job is, by their family's recipe
in ``--own-budget`` images. ``--without`` is what ``models/fashion/train.py --without Sneaker`` has left: it is trained
on Fashion-MNIST, so the quick form has no row of it. What is finished is kept in ``--work`` and not made again.
"""

from __future__ import annotations

import argparse
import dataclasses
import functools
import json
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from diffusers import UNet2DModel

from benchmarks.baselines.esd import POOL, STEPS, esd
from benchmarks.baselines.table import document, picture
from benchmarks.shared.command import OUT, Command, Folder, Option
from benchmarks.shared.distil import (
    FORGOTTEN,
    OVERRIDE,
    Asked,
    demonstration,
    distil,
    forgetting,
    remembering,
    shunning,
)
from benchmarks.shared.experiment import Experiment
from benchmarks.shared.page import keep_commit, kept_commits, write
from cli.demo_run import SNEAKERS
from sfd_core.base_model.safe_files import load_unet
from sfd_core.evaluation.concept_images import seeds_of
from sfd_core.evaluation.probes import probes_for
from sfd_core.evaluation.subject import ImageSource, base_sampler_of
from sfd_core.families.class_unet.base_sampler import ManyStepSampler
from sfd_core.families.registry import recipe_of
from sfd_core.request.concepts import Budget

SHOWN = 8
CONCEPTS = (FORGOTTEN, "Ankle boot", "Sandal", OVERRIDE)
"""Of the picture: the forgotten one, its nearest, and what overrides it."""
ROWS = (
    "untouched, many steps",
    "filter, many steps",
    "ESD, many steps",
    "retrained, many steps",
    "untouched, 1 step",
    "filter, 1 step",
    "ESD, 1 step",
    "retrained, 1 step",
    "SFD, 1 step",
)
PROBES = tuple(probes_for("classes"))
COMMAND = Command(
    "baselines",
    __doc__,
    Option("--rows", ROWS, "of the table", quick=("ESD, many steps", "SFD, 1 step"), choices=ROWS),
    Option("--images", 250, "a remaining concept", quick=4),
    Option("--forgotten-images", 2000, "of the forgotten concept", quick=16),
    Option("--budget", SNEAKERS.images, "images of training from the first stage", quick=64),
    Option("--own-budget", 6400, "images of training of a network without one", quick=64),
    Option("--esd-steps", STEPS, "of ESD's fine-tune", quick=1),
    Option("--esd-pool", POOL, "images that ESD's fine-tune sees", quick=16),
    Option("--probes", PROBES, "attempts to bring it back", quick=(), choices=PROBES),
    Folder("--work", Path("build/baselines"), "where what is finished is kept"),
    Option("--without", Path("build/without-sneaker"), "the network that was trained without the forgotten concept"),
    OUT,
)


def run(arguments: argparse.Namespace) -> str:
    """Make and report on every row that is not finished, then the table and the picture of all."""
    experiment = demonstration(
        arguments.budget,
        images_per_concept=arguments.images,
        images_per_forgotten_concept=arguments.forgotten_images,
        probes=list(arguments.probes),
    )
    subjects = Subjects(experiment, arguments).by_row()
    folders = [arguments.work / name for name in arguments.rows]
    for folder in folders:
        if not (folder / "report.json").is_file():
            finish(subjects[folder.name](), experiment, folder)
    rows = [(folder.name, json.loads((folder / "report.json").read_text())) for folder in folders]
    pictures = {folder.name: np.load(folder / "shown.npy") for folder in folders}
    text = document(rows, arguments.images, arguments.forgotten_images, kept_commits(folders))
    write(arguments.out, "baselines.md", text)
    (arguments.out / "baselines.png").write_bytes(picture(pictures, CONCEPTS, SHOWN))
    return "; ".join(f"{name}: {report['verdict']}" for name, report in rows)


def finish(subject: ImageSource, experiment: Experiment, folder: Path) -> None:
    """Write the row's report and its part of the picture, in ``folder``."""
    labels = [experiment.base.model.concept_index(concept) for concept in CONCEPTS]
    keep_commit(folder)
    seeds = [seed for label in labels for seed in seeds_of(label, SHOWN)]
    np.save(folder / "shown.npy", subject.sample([label for label in labels for _ in range(SHOWN)], seeds))
    if subject.generator is None:
        experiment = dataclasses.replace(experiment, request=without_probes(experiment))
    experiment.report(
        subject,
        folder,
        "python -m benchmarks.baselines",
        functools.partial(said, folder.name),
    )
    print(f"{folder.name}: reported", flush=True)


def said(name: str, done: int, of: int) -> None:
    """Show how far a row is, where somebody watches."""
    if sys.stdout.isatty():
        print(f"\r{name}: {done}/{of}  ", end="", flush=True)


def without_probes(experiment: Experiment) -> Any:
    """Return the request of a row that takes many steps, or of a filter: probes work on one-step networks."""
    request = experiment.request
    return dataclasses.replace(request, evaluation=dataclasses.replace(request.evaluation, probes=()))


@dataclass(frozen=True)
class Subjects:
    """The image sources that the rows evaluate. ``arguments``: the command's."""

    experiment: Experiment
    arguments: argparse.Namespace

    def by_row(self) -> dict[str, Callable[[], ImageSource]]:
        """Return every row, made when it is asked for."""
        whole = self.experiment
        label = whole.base.model.concept_index(FORGOTTEN)
        return {
            "untouched, many steps": lambda: self._steps(whole, "the untouched base model"),
            "filter, many steps": lambda: self._steps(whole, "the untouched base model").refusing([label]),
            "ESD, many steps": lambda: self._steps(self._erased(), "ESD"),
            "retrained, many steps": lambda: self._steps(self._retrained(), "retrained without the class"),
            "untouched, 1 step": lambda: self._distilled(whole, "distilled", remembering),
            "filter, 1 step": lambda: self._distilled(whole, "distilled", remembering).refusing([label]),
            "ESD, 1 step": lambda: self._distilled(self._erased(), "esd", remembering),
            "retrained, 1 step": lambda: self._distilled(self._retrained(), "retrained", shunning),
            "SFD, 1 step": lambda: self._distilled(whole, "sfd", forgetting),
        }

    def _erased(self) -> Experiment:
        folder, arguments = self.arguments.work / "esd-unet", self.arguments
        if not folder.is_dir():
            esd(self.experiment, FORGOTTEN, OVERRIDE, arguments.esd_steps, arguments.esd_pool).save_pretrained(folder)
        return self._around(load_unet(folder))

    def _retrained(self) -> Experiment:
        return self._around(load_unet(self.arguments.without / "unet"))

    def _around(self, unet: UNet2DModel) -> Experiment:
        base, request = self.experiment.base, self.experiment.request
        # The pair of stage one is the untouched model's, which knows the concept; so is what it recommends.
        model = dataclasses.replace(base.model, distilled=None, recipe={})
        recipe = recipe_of(model.family)
        request = dataclasses.replace(request, recipe=recipe, budget=Budget(self.arguments.own_budget))
        return dataclasses.replace(
            self.experiment, base=dataclasses.replace(base, network=unet, model=model), request=request
        )

    def _steps(self, of: Experiment, title: str) -> ImageSource:
        """At the base model's own number of steps, whichever network it is."""
        sampler = base_sampler_of(of.base, of.device)
        assert isinstance(sampler, ManyStepSampler)
        return ImageSource.many_steps(sampler, title)

    def _distilled(self, of: Experiment, name: str, asked: Asked) -> ImageSource:
        return ImageSource.of_generator(distil(of, self.arguments.work / f"{name}-generator", asked), name)


if __name__ == "__main__":
    COMMAND.main(run)
