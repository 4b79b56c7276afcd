"""SFD beside a filter, ESD and retraining, each at the teacher's many steps and distilled to one, by the same report.

    python -m benchmarks.baselines [--work build/baselines] [--without build/without-sneaker] [--out docs/results]

Everything forgets Sneaker (override Bag) from the bundled model; the same seeds, numbers of images, judges and probes
for all rows. One-step rows are distilled by the same loop, budget (6400 images) and seed. ``--without`` is what
``models/fashion/train.py --without Sneaker`` has left. What is finished is kept in ``--work`` and not made again.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from diffusers import UNet2DModel

from benchmarks.baselines.distil import FORGOTTEN, OVERRIDE, distil
from benchmarks.baselines.esd import esd
from benchmarks.baselines.table import picture, table
from cli.demo_run import IMAGES, SEED
from jobs.settings import load_settings
from sfd_core.admission import parse_request
from sfd_core.base_model.safe_files import load_unet
from sfd_core.evaluation.concept_images import seeds_of
from sfd_core.evaluation.evaluators import Evaluators
from sfd_core.evaluation.probes import PROBES
from sfd_core.evaluation.subject import ImageSource, teacher_of
from sfd_core.families.base_sampler import TeacherSampler
from sfd_core.families.loading import LoadedBase, load_base
from sfd_core.report.examine import ReportDraft, examine, write_report
from sfd_core.request.unlearning_request import UnlearningRequest

CPU = torch.device("cpu")
SHOWN = 8


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--work", type=Path, default=Path("build/baselines"))
    parser.add_argument("--without", type=Path, default=Path("build/without-sneaker"))
    parser.add_argument("--out", type=Path, default=Path("docs/results"))
    parser.add_argument("--images", type=int, default=250, help="a remaining concept")
    parser.add_argument("--forgotten-images", type=int, default=2000)
    arguments = parser.parse_args()
    base = load_base(load_settings().models()["fashion"])
    body = {
        "forget": [{"concept": FORGOTTEN, "override": OVERRIDE}],
        "budget": {"images": IMAGES},
        "evaluation": {
            "images_per_concept": arguments.images,
            "images_per_forgotten_concept": arguments.forgotten_images,
            "probes": list(PROBES),
        },
        "seed": SEED,
    }
    request = parse_request(body, base.model)
    evaluators = Evaluators.load(base.model)
    rows, pictures = [], {}
    for name, make in subjects(base, request, arguments.work, arguments.without).items():
        folder = arguments.work / name
        if not (folder / "report.json").is_file():
            subject = make()
            labels = [base.model.concept_index(c) for c in shown(base, request) for _ in range(SHOWN)]
            seeds = [s for c in shown(base, request) for s in seeds_of(base.model.concept_index(c), SHOWN)]
            folder.mkdir(parents=True, exist_ok=True)
            np.save(folder / "shown.npy", subject.sample(labels, seeds))
            report_on(subject, name, base, evaluators, request, folder)
        rows.append((name, json.loads((folder / "report.json").read_text())))
        pictures[name] = np.load(folder / "shown.npy")
    text = table(rows, arguments.images, arguments.forgotten_images)
    print(text)
    arguments.out.mkdir(parents=True, exist_ok=True)
    (arguments.out / "baselines.md").write_text(text)
    (arguments.out / "baselines.png").write_bytes(picture(pictures, shown(base, request), SHOWN))


def shown(base: LoadedBase, request: UnlearningRequest) -> list[str]:
    """The concepts of the picture: the forgotten one, its nearest, its override."""
    return [request.forget[0].concept, "Ankle boot", "Sandal", OVERRIDE]


def subjects(
    base: LoadedBase, request: UnlearningRequest, work: Path, without: Path
) -> dict[str, Callable[[], ImageSource]]:
    """Every row, made when it is asked for."""
    label, anchor = (base.model.concept_index(c) for c in (FORGOTTEN, OVERRIDE))

    def erased() -> LoadedBase:
        return kept(work / "esd-unet", base, lambda: esd(base, label, anchor, request.seed))

    def retrained() -> LoadedBase:
        return dataclasses.replace(base, unet=load_unet(without / "unet"))

    def steps(network: LoadedBase, title: str) -> ImageSource:
        return ImageSource.many_steps(TeacherSampler(network, teacher_of(base, CPU).steps), title)

    def distilled(network: LoadedBase, name: str, forget: bool = False, shun: bool = False) -> ImageSource:
        return ImageSource.one_step(distil(network, request, work / f"{name}-generator", forget, shun), name)

    return {
        "untouched, 10 steps": lambda: steps(base, "the untouched base model"),
        "filter, 10 steps": lambda: steps(base, "the untouched base model").refusing([label]),
        "ESD, 10 steps": lambda: steps(erased(), "ESD"),
        "retrained, 10 steps": lambda: steps(retrained(), "retrained without the class"),
        "untouched, 1 step": lambda: distilled(base, "distilled"),
        "filter, 1 step": lambda: distilled(base, "distilled").refusing([label]),
        "ESD, 1 step": lambda: distilled(erased(), "esd"),
        "retrained, 1 step": lambda: distilled(retrained(), "retrained", shun=True),
        "SFD, 1 step": lambda: distilled(base, "sfd", forget=True),
    }


def kept(folder: Path, base: LoadedBase, make: Callable[[], UNet2DModel]) -> LoadedBase:
    """``base`` with the network in ``folder``, which is made first where it is not there."""
    if not folder.is_dir():
        make().save_pretrained(folder)
    return dataclasses.replace(base, unet=load_unet(folder))


def report_on(
    subject: ImageSource, name: str, base: LoadedBase, evaluators: Evaluators, request: UnlearningRequest, folder: Path
) -> dict[str, Any]:
    if subject.generator is None:
        request = dataclasses.replace(request, evaluation=dataclasses.replace(request.evaluation, probes=()))
    examined: ReportDraft | None = None
    for done, of, examined in examine(subject, base, evaluators, request, CPU):  # noqa: B007
        print(f"\r{name}: {done}/{of}  ", end="", flush=True)
    assert examined is not None
    return dict(write_report(examined, folder, ["python -m benchmarks.baselines"]))


if __name__ == "__main__":
    main()
