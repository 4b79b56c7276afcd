"""What brings a forgotten object back into a text-to-image generator, without and with the loss at all times.

    python -m benchmarks.attacks                       # everything that is not finished, then the page
    python -m benchmarks.attacks --only-page           # the page of what is there

The job of ``make demo-text`` (pistol -> banana on ``models/emoji``) is trained with each of the weights of ``L_deep``,
and every probe that works on text-to-image models is run on both generators, on the distilled one that forgot nothing
and on the untouched base model. What is finished is kept in ``--work`` and not made again.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import time
from pathlib import Path

from pydantic import TypeAdapter

from benchmarks.attacks.page import beside, document
from benchmarks.shared.command import OUT, Command, Folder, Option
from benchmarks.shared.experiment import Experiment, bundled
from benchmarks.shared.page import keep_commit, kept_commits, write
from cli.demo_run import PISTOLS, SEED
from sfd_core.display.pictures import examples_picture
from sfd_core.evaluation.attack_target import IMAGES, AttackTarget
from sfd_core.evaluation.probe import Probes
from sfd_core.evaluation.probes import probes_for
from sfd_core.evaluation.probing import ProbeReport, run_probes
from sfd_core.families.loading import load_generator

PROBES = tuple(probes_for("prompts"))
WEIGHTS = (0.0, 3.0)
COMMAND = Command(
    "attacks",
    __doc__,
    Option("--weights", WEIGHTS, "of L_deep, a job each", quick=(3.0,)),
    Option("--budget", PISTOLS.images, "images of training of each job", quick=8),
    Option("--recipe", "{}", "changes to every job's recipe, as JSON", quick='{"batch": 8}'),
    Option("--probes", PROBES, "attempts to bring it back", quick=("image_to_image",), choices=PROBES),
    Option("--images", IMAGES, "behind every rate", quick=8),
    Option("--only-page", False, "run nothing: the page of what is there"),
    Folder("--work", Path("build/attacks"), "where what is finished is kept"),
    OUT,
)


def run(arguments: argparse.Namespace) -> str:
    """Train and attack what is not finished, then write the page of all."""
    folders = {weight: arguments.work / f"deep-{weight:g}" for weight in arguments.weights}
    if not arguments.only_page:
        targets = Targets(arguments)
        for name in arguments.probes:
            for weight, folder in folders.items():
                if not (folder / f"{name}.json").is_file():
                    attack(name, targets.of(weight, folder), folder)
    found = {
        weight: {name: json.loads((folder / f"{name}.json").read_text()) for name in arguments.probes}
        for weight, folder in folders.items()
    }
    text = document(found, arguments.images, arguments.budget, kept_commits(folders.values()))
    write(arguments.out, "attacks.md", text)
    for name in arguments.probes:
        pictures = [(folder / f"{name}.png").read_bytes() for folder in folders.values()]
        (arguments.out / f"attacks-{name}.png").write_bytes(beside(pictures))
    return f"{len(arguments.probes)} probes on {len(folders)} generators"


class Targets:
    """The generators that are attacked, by weight. ``arguments``: the command's."""

    def __init__(self, arguments: argparse.Namespace) -> None:
        self.arguments = arguments
        self.made: dict[float, AttackTarget] = {}

    def of(self, weight: float, folder: Path) -> AttackTarget:
        """Return the target of a weight, trained first if it is not in ``folder``; all share what the base model
        draws."""
        if weight not in self.made:
            target = self._target(weight, folder)
            drawn = next(iter(self.made.values())).drawn if self.made else {}
            self.made[weight] = dataclasses.replace(target, images=self.arguments.images, drawn=drawn)
        return self.made[weight]

    def _target(self, weight: float, folder: Path) -> AttackTarget:
        ((concept, override),) = PISTOLS.forget.items()
        body = {
            "forget": [{"concept": concept, "override": override}],
            "budget": {"images": self.arguments.budget},
            "recipe": {"deep_weight": weight, **json.loads(self.arguments.recipe)},
            "seed": SEED,
        }
        experiment = Experiment.of(bundled(PISTOLS.base), body)
        if not (folder / "generator").is_dir():
            keep_commit(folder)
            began, state = time.monotonic(), experiment.start()
            for _ in experiment.steps(state):
                pass
            experiment.generator(state).save(folder / "generator")
            print(f"weight {weight:g}: trained in {time.monotonic() - began:.0f} s", flush=True)
        evaluators = experiment.evaluators.asking(experiment.request, experiment.prompts)
        generator = load_generator(folder / "generator")
        return AttackTarget.of(generator, experiment.base, evaluators, experiment.request, experiment.device)


def attack(name: str, target: AttackTarget, folder: Path) -> None:
    """Run one probe on one generator; what it found and its examples are kept in ``folder``."""
    began = time.monotonic()
    report: ProbeReport | None = None
    for _, of, report in run_probes([name], target):  # noqa: B007 - the last one is used
        pass
    assert report is not None
    (examples,) = report.examples
    (folder / f"{name}.png").write_bytes(examples_picture(examples.rows, examples.images))
    (result,) = TypeAdapter(Probes).dump_python(report.part, mode="json")["results"][name]
    (folder / f"{name}.json").write_text(json.dumps(result, indent=2) + "\n")
    print(f"{folder.name}: {name}, {of} pieces in {time.monotonic() - began:.0f} s", flush=True)


if __name__ == "__main__":
    COMMAND.main(run)
