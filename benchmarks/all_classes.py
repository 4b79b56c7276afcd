"""Every class of the bundled model forgotten in turn, at the demonstration's recipe.

    python -m benchmarks.all_classes [--out docs/results] [--only Sneaker ...]

The override of each class was fixed before any run: ``OVERRIDES``, chosen such that the judge confuses the two on
fewer than 1 in 200 real images in both directions (checked at the start from the model's reference statistics).
Each run is the library's whole run: train, evaluate, report.
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np

from cli.demo_run import IMAGES, SEED, THRESHOLDS
from jobs.settings import load_settings
from sfd_core.admission import parse_request
from sfd_core.base_model.manifest import BaseModel
from sfd_core.evaluation.reference import Reference
from sfd_core.run import Finished, unlearn

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


def check_overrides(model: BaseModel) -> None:
    """Refuse a pair that the judge confuses on real images."""
    real = Reference.load(model.folder / model.reference).real
    for forgotten, override in OVERRIDES.items():
        f, o = model.concept_index(forgotten), model.concept_index(override)
        rates = [float((real.seen[real.labels == a] == b).mean()) for a, b in ((f, o), (o, f))]
        if max(rates) >= CONFUSED:
            raise SystemExit(f"the judge confuses {forgotten} and {override} on real images: {rates}")


def run(model: BaseModel, forgotten: str, out: Path) -> dict[str, Any]:
    """Forget one class; returns its row."""
    request = parse_request(
        {
            "forget": [{"concept": forgotten, "override": OVERRIDES[forgotten]}],
            "budget": {"images": IMAGES},
            "thresholds": THRESHOLDS,
            "seed": SEED,
        },
        model,
    )
    began, report = time.monotonic(), {}
    for event in unlearn(model, request, out):
        if isinstance(event, Finished):
            report = event.report
    ua, retained = report["unlearning"][0], report["retained_accuracy"]
    return {
        "forgotten": forgotten,
        "override": OVERRIDES[forgotten],
        "verdict": report["verdict"],
        "ua": ua["accuracy"],
        "share_override": ua["share_override"],
        "ra": retained["generator"]["value"],
        "teacher_ra": retained["base_model"]["value"],
        "drop": retained["drop"],
        "fd": report["quality"][0]["against_real"]["fd"]["value"],
        "seconds": round(time.monotonic() - began, 1),
        "training_seconds": report["cost"]["seconds"]["training"],
    }


def table(rows: list[dict[str, Any]]) -> str:
    """The rows as Markdown."""
    names = ("forgotten", "override", "verdict", "UA [95 %]", "judged as override", "RA", "teacher's RA")
    heads = (*names, "drop [95 %]", "FD", "training s")
    lines = [_line(heads), _line(["---"] * len(heads))]
    for r in rows:
        ua, drop = r["ua"], r["drop"]
        cells = (
            *(r["forgotten"], r["override"], r["verdict"]),
            f"{ua['value']:.4f} [{ua['low']:.4f}, {ua['high']:.4f}]",
            *(f"{r['share_override']:.3f}", f"{r['ra']:.4f}", f"{r['teacher_ra']:.4f}"),
            f"{drop['value']:+.4f} [{drop['low']:+.4f}, {drop['high']:+.4f}]",
            *(f"{r['fd']:.2f}", f"{r['training_seconds']:.0f}"),
        )
        lines.append(_line(cells))
    uas, drops = [r["ua"]["value"] for r in rows], [r["drop"]["value"] for r in rows]
    reached, kept = sum(ua >= 0.99 for ua in uas), sum(drop <= 0.03 for drop in drops)
    counts = f"UA >= 0.99: {reached} of {len(rows)}. RA drop <= 0.03: {kept} of {len(rows)}."
    return "\n".join([*lines, "", f"{counts} Mean UA {np.mean(uas):.4f}, mean drop {np.mean(drops):+.4f}."])


def _line(cells: Iterable[str]) -> str:
    return f"| {' | '.join(cells)} |"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, default=Path("docs/results"))
    parser.add_argument("--only", nargs="*", default=list(OVERRIDES))
    arguments = parser.parse_args()
    model = load_settings().models()["fashion"]
    check_overrides(model)
    rows = []
    for forgotten in arguments.only:
        with tempfile.TemporaryDirectory(prefix="lethe-all-classes-") as folder:
            rows.append(run(model, forgotten, Path(folder)))
        print(json.dumps(rows[-1]), flush=True)
    text = table(rows)
    print(text)
    if set(arguments.only) == set(OVERRIDES):
        arguments.out.mkdir(parents=True, exist_ok=True)
        head = (
            "# Every class forgotten in turn\n\n`python -m benchmarks.all_classes`, 2 CPU cores, "
            f"{IMAGES} images, the family's default recipe, seed {SEED}. One run a class; "
            "overrides were fixed before the runs.\n\n"
        )
        (arguments.out / "all_classes.md").write_text(head + text + "\n")
        (arguments.out / "all_classes.json").write_text(json.dumps(rows, indent=2) + "\n")


if __name__ == "__main__":
    main()
