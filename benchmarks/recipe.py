"""Quality over seconds: UA, RA and FD while training, for Lethe's arrangement of a step and the published one.

    python -m benchmarks.recipe [--seconds 90] [--every 15] [--forget Sneaker=Bag]

Both arrangements train in turns on the same machine, with the same networks, losses, learning rates and average; only
training time counts. FD is on the judge's features, remaining concepts only, against the teacher's own samples.
"""

from __future__ import annotations

import argparse
import json
import time
from pathlib import Path

import numpy as np

from benchmarks.step import Arrangement, Merged, Published, arrange
from jobs.settings import load_settings
from sfd_core.evaluation.concept_images import Judgements, judge_samples
from sfd_core.evaluation.evaluators import Evaluators
from sfd_core.evaluation.in_training import generator_of
from sfd_core.evaluation.metrics import frechet_distance
from sfd_core.families.loading import load_base
from sfd_core.request.concepts import FixedOverride, Forget
from sfd_core.request.recipe import RECIPES

IMAGES = 64
"""Judged images a concept at each point; four times as many of the forgotten one."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seconds", type=float, default=90)
    parser.add_argument("--every", type=float, default=15)
    parser.add_argument("--forget", default="Sneaker=Bag")
    parser.add_argument("--out", type=Path, default=Path("docs/results"))
    arguments = parser.parse_args()
    base = load_base(load_settings().models()["fashion"])
    evaluators = Evaluators.load(base.model).judge_alone()
    recipe = RECIPES[base.model.family]
    concept, override = arguments.forget.split("=")
    forgotten = base.model.concept_index(concept)
    kept = [i for i in range(len(base.model.concepts)) if i != forgotten]
    counts = {i: IMAGES * (4 if i == forgotten else 1) for i in range(len(base.model.concepts))}

    def measure(run: Arrangement) -> tuple[float, float, float]:
        judged = Judgements({})
        sample = generator_of(run.state, base, recipe).sample_labels
        for _, _, judged in judge_samples(sample, evaluators, counts):  # noqa: B007
            pass
        ua = float((judged.by_label[forgotten].seen != forgotten).mean())
        ra = float(np.mean([(judged.by_label[i].seen == i).mean() for i in kept]))
        return ua, ra, frechet_distance(evaluators.reference.teacher.only(kept).features, judged.features(kept))

    kinds: dict[str, type[Arrangement]] = {"merged batch (ours)": Merged, "four half-losses": Published}
    runs = {name: arrange(kind, base, recipe, Forget(concept, FixedOverride(override))) for name, kind in kinds.items()}
    spent = dict.fromkeys(runs, 0.0)
    rows = []
    while min(spent.values()) < arguments.seconds:
        for name, run in runs.items():
            until = spent[name] + arguments.every
            while spent[name] < until:
                began = time.perf_counter()
                run.step()
                spent[name] += time.perf_counter() - began
            ua, ra, fd = measure(run)
            rows.append((name, round(spent[name], 1), run.state.step, round(ua, 4), round(ra, 4), round(fd, 2)))
            print(json.dumps(rows[-1]), flush=True)
    lines = [
        f"# Quality over training seconds, {arguments.forget.replace('=', ' -> ')}",
        "",
        "`python -m benchmarks.recipe`, 2 CPU cores, both arrangements in turns in one run.",
        "",
        "| arrangement | training s | steps | UA | RA | FD against the teacher |",
        "| --- | --- | --- | --- | --- | --- |",
        *(f"| {' | '.join(str(value) for value in row)} |" for row in sorted(rows)),
    ]
    text = "\n".join(lines)
    print(text)
    arguments.out.mkdir(parents=True, exist_ok=True)
    (arguments.out / "recipe.md").write_text(text + "\n")


if __name__ == "__main__":
    main()
