"""What a newcomer's first job comes to, on three base models that nothing was tuned for.

    python -m benchmarks.until_pass [--out docs/results] [--models shapes digits clothes] [--seeds 1 2]

Each base model is trained here, with a judge of its own. Then every seed runs two whole jobs at the family's default
recipe, thresholds and evaluation: one of a fixed number of images, and one until it passes with the family's default
budget. Overrides were fixed before any run.
"""

from __future__ import annotations

import argparse
import json
import tempfile
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch

from benchmarks.shared.command import OUT, Command, Folder, Option
from benchmarks.shared.experiment import finished, job
from benchmarks.shared.page import keep_commit, kept_commits, page, table, write
from benchmarks.until_pass.strangers import STRANGERS, make
from sfd_core.base_model.manifest import BaseModel
from sfd_core.display.numbers import estimate, number, percent
from sfd_core.evaluation.intervals import Interval
from sfd_core.families.class_unet import DESCRIPTION

COMMAND = Command(
    "until_pass",
    __doc__,
    Option("--models", tuple(STRANGERS), "base models", quick=("shapes",), choices=tuple(STRANGERS)),
    Option("--seeds", (1, 2), "of the jobs", quick=(1,)),
    Option("--steps", 2500, "of each base model's training", quick=30),
    Option("--reference", 500, "images a concept of a base model's own reference", quick=20),
    Option("--fixed", 6400, "images of the job that always trains as many", quick=128),
    Option("--budget", DESCRIPTION.budget_images, "the most images of the job until it passes", quick=128),
    Option("--images", 500, "judged of a remaining concept", quick=20),
    Option("--forgotten-images", 2000, "judged of a forgotten concept", quick=20),
    Folder(
        "--work",
        Path("build/until-pass"),
        "where base models and jobs are kept; those that are there are not made again",
    ),
    OUT,
)
HEADS = ("base model", "forgets", "seed", "until", "verdict", "images", "checks", "training s", "UA", "drop", "lacks")


def run(arguments: argparse.Namespace) -> str:
    """Make the base models and run the jobs."""
    rows, models, folders = [], [], []
    plan = {"images_per_concept": arguments.images, "images_per_forgotten_concept": arguments.forgotten_images}
    for name in arguments.models:
        stranger = STRANGERS[name]
        model = make(stranger, arguments.work / name, arguments.steps, arguments.reference)
        models.append(model)
        for seed in arguments.seeds:
            for until, images in (("budget", arguments.fixed), ("pass", arguments.budget)):
                budget = {"images": images, "until": until}
                folders.append(arguments.work / f"{name}-{seed}-{until}")
                asked = {"budget": budget, "seed": seed, "evaluation": plan}
                rows.append(kept(folders[-1], model, stranger.forget, asked))
                print(json.dumps(rows[-1]), flush=True)
    text = page(
        "Jobs on base models that nothing was tuned for",
        f"{torch.get_num_threads()} thread, the family's default recipe and thresholds. `budget`: always "
        f"{number(arguments.fixed)} images. `pass`: at most {number(arguments.budget)}, or until the run's own check "
        "passes.",
        table(HEADS, [row["cells"] for row in rows]),
        table(("base model", "is", "judged right", "its judge on real images"), map(described, models)),
        counts(rows),
        commits=kept_commits(folders),
    )
    write(arguments.out, "until_pass.md", text)
    return counts(rows)


def kept(folder: Path, model: BaseModel, forget: tuple[str, str], asked: dict[str, Any]) -> dict[str, Any]:
    """Return the row of one job. What is in ``folder`` is not run again."""
    if not (file := folder / "row.json").is_file():
        keep_commit(folder)
        file.write_text(json.dumps({**one(model, forget, asked), "asked": asked}, indent=1))
    found: dict[str, Any] = json.loads(file.read_text())
    if found["asked"] != asked:
        raise SystemExit(f"{folder}: made with other options; remove it to have it made anew")
    return found


def one(model: BaseModel, forget: tuple[str, str], asked: dict[str, Any]) -> dict[str, Any]:
    """Run one whole job. Returns its row."""
    concept, override = forget
    body = {"forget": [{"concept": concept, "override": override}], **asked}
    with tempfile.TemporaryDirectory(prefix="lethe-until-pass-") as out:
        report = finished(job(model, body, Path(out))).report
    cost, checks = report["cost"], report["checks"]
    lacking = [c["name"] for c in report["criteria"] if c["decision"] != "pass"]
    until = asked["budget"]["until"]
    cells = (
        model.name,
        f"{concept} -> {override}",
        asked["seed"],
        f"`{until}`",
        report["verdict"],
        number(cost["images"]),
        len(checks),
        round(cost["seconds"]["training"] + cost["seconds"].get("checking", 0.0)),
        _percent(report["unlearning"][0]["accuracy"]),
        _percent(report["retained_accuracy"]["drop"]),
        ", ".join(f"`{name}`" for name in lacking) or "-",
    )
    return {"until": until, "verdict": report["verdict"], "ended": cost["ended"], "cells": cells, "checks": checks}


def counts(rows: Sequence[dict[str, Any]]) -> str:
    """Say how many jobs of each kind passed."""
    of = Counter(row["until"] for row in rows)
    passed = Counter(row["until"] for row in rows if row["verdict"] == "pass")
    fixed, until = (f"{passed[kind]} of {of[kind]}" for kind in ("budget", "pass"))
    return f"Passed: {fixed} with a fixed number of images, {until} until they pass"


def described(model: BaseModel) -> tuple[str, ...]:
    """Say what a base model is, and how well it and its judge do."""
    assert model.judge is not None
    return model.name, model.title, percent(model.figures["accuracy"]), percent(model.judge.accuracy)


def _percent(written: dict[str, Any]) -> str:
    return estimate(Interval(**written), 2)


if __name__ == "__main__":
    COMMAND.main(run)
