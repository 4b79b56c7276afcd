"""Every class of the bundled model forgotten in turn, at the demonstration's recipe.

    python -m benchmarks.all_classes [--out docs/results] [--only Sneaker ...]

The override of each class was fixed before any run: ``OVERRIDES``, chosen such that the judge confuses the two on
fewer than 1 in 200 real images in both directions (checked at the start from the model's reference statistics).
Each run is the library's whole run: train, evaluate, report. The page is written where no class was left out.
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch

from benchmarks.shared.command import OUT, Command, Option
from benchmarks.shared.experiment import bundled, finished, job
from benchmarks.shared.page import page, table, write
from cli.demo_run import SEED, SNEAKERS
from sfd_core.base_model.manifest import BaseModel
from sfd_core.evaluation.reference import Reference

OVERRIDES = {
    "T-shirt": "Trouser",
    "Trouser": "Bag",
    "Pullover": "Trouser",
    "Dress": "Bag",
    "Coat": "Trouser",
    "Sandal": "Trouser",
    "Shirt": "Trouser",
    "Sneaker": "Bag",
    "Bag": "Trouser",
    "Ankle boot": "Trouser",
}
CONFUSED = 1 / 200
UA, DROP = 0.99, 0.03
"""What is counted below the table."""
COMMAND = Command(
    "all_classes",
    __doc__,
    Option("--only", tuple(OVERRIDES), "classes to forget", quick=("Sneaker",), choices=tuple(OVERRIDES)),
    Option("--budget", SNEAKERS.images, "images of training of each run", quick=64),
    Option("--images", 500, "a remaining class", quick=16),
    Option("--forgotten-images", 2000, "of the forgotten class", quick=16),
    OUT,
)


def run(arguments: argparse.Namespace) -> str:
    """Forget one class after the other."""
    model = bundled(SNEAKERS.base)
    check_overrides(model)
    plan = {"images_per_concept": arguments.images, "images_per_forgotten_concept": arguments.forgotten_images}
    rows = []
    for concept in arguments.only:
        rows.append(forgotten(model, concept, arguments.budget, plan))
        print(json.dumps(rows[-1]), flush=True)
    text = page(
        "Every class forgotten in turn",
        f"{torch.get_num_threads()} threads, {arguments.budget} images, the family's default recipe, seed {SEED}. One "
        "run a class; overrides were fixed before the runs.",
        rows_of(rows),
        counts(rows),
    )
    if set(arguments.only) == set(OVERRIDES):
        write(arguments.out, "all_classes.md", text)
        (arguments.out / "all_classes.json").write_text(json.dumps(rows, indent=2) + "\n")
    else:
        print(text)
    return counts(rows)


def check_overrides(model: BaseModel) -> None:
    """Refuse a pair that the judge confuses on real images."""
    assert model.reference is not None
    real = Reference.load(model.folder / model.reference).real
    for concept, override in OVERRIDES.items():
        f, o = model.concept_index(concept), model.concept_index(override)
        rates = [float((real.seen[real.labels == a] == b).mean()) for a, b in ((f, o), (o, f))]
        if max(rates) >= CONFUSED:
            raise SystemExit(f"the judge confuses {concept} and {override} on real images: {rates}")


def forgotten(model: BaseModel, concept: str, budget: int, plan: dict[str, int]) -> dict[str, Any]:
    """Forget one class. Returns its row."""
    body = {
        "forget": [{"concept": concept, "override": OVERRIDES[concept]}],
        "budget": {"images": budget, "until": "budget"},
        "thresholds": SNEAKERS.thresholds,
        "evaluation": plan,
        "seed": SEED,
    }
    began = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="lethe-all-classes-") as out:
        report = finished(job(model, body, Path(out))).report
    ua, retained = report["unlearning"][0], report["retained_accuracy"]
    distance = report["quality"][0]["against_real"]["fd"]
    return {
        "forgotten": concept,
        "override": OVERRIDES[concept],
        "verdict": report["verdict"],
        "ua": ua["accuracy"],
        "share_override": ua["share_override"],
        "ra": retained["generator"]["value"],
        "base_model_ra": retained["base_model"]["value"],
        "drop": retained["drop"],
        "fd": distance["value"] if distance else None,
        "seconds": round(time.monotonic() - began, 1),
        "training_seconds": report["cost"]["seconds"]["training"],
    }


def rows_of(rows: Sequence[dict[str, Any]]) -> str:
    """Write the rows as Markdown."""
    names = ("forgotten", "override", "verdict", "UA [95 %]", "judged as override", "RA", "base model's RA")
    return table((*names, "drop [95 %]", "FD", "training s"), [_cells(row) for row in rows])


def _cells(row: dict[str, Any]) -> tuple[str, ...]:
    ua, drop = row["ua"], row["drop"]
    return (
        *(row["forgotten"], row["override"], row["verdict"]),
        f"{ua['value']:.4f} [{ua['low']:.4f}, {ua['high']:.4f}]",
        *(f"{row['share_override']:.3f}", f"{row['ra']:.4f}", f"{row['base_model_ra']:.4f}"),
        f"{drop['value']:+.4f} [{drop['low']:+.4f}, {drop['high']:+.4f}]",
        "too few images" if row["fd"] is None else f"{row['fd']:.2f}",
        f"{row['training_seconds']:.0f}",
    )


def counts(rows: Sequence[dict[str, Any]]) -> str:
    """Say how many classes were forgotten, and how many runs left the rest intact."""
    uas, drops = [row["ua"]["value"] for row in rows], [row["drop"]["value"] for row in rows]
    reached, kept = sum(ua >= UA for ua in uas), sum(drop <= DROP for drop in drops)
    return (
        f"UA >= {UA}: {reached} of {len(rows)}. RA drop <= {DROP}: {kept} of {len(rows)}. "
        f"Mean UA {np.mean(uas):.4f}, mean drop {np.mean(drops):+.4f}."
    )


if __name__ == "__main__":
    COMMAND.main(run)
