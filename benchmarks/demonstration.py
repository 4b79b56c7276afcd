"""Does the demonstration's job pass, whatever its seed and whatever the processor can do?

    python -m benchmarks.demonstration [--seeds 1 2 3] [--sets avx2 avx512] [--work build/demonstration]

Each job is the one of ``make demo``, run by ``lethe unlearn`` in a process of its own that is held to an instruction
set. Vector instructions add in other orders: the same seed gives other weights. What is finished is kept in ``--work``
and not made again.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from benchmarks.shared.command import OUT, Command, Folder, Option
from benchmarks.shared.page import keep_commit, kept_commits, page, table, write
from cli.demo_run import SNEAKERS
from sfd_core.display.numbers import measure, number
from sfd_core.evaluation.intervals import wilson

SETS = {"default": "SSE41", "avx2": "AVX2", "avx512": "AVX512_CORE"}
"""What torch's own kernels are held to, and what oneDNN's are."""
SEEDS = tuple(range(1, 21))
COMMAND = Command(
    "demonstration",
    __doc__,
    Option("--seeds", SEEDS, "of the jobs", quick=(1,)),
    Option("--sets", ("avx512",), "of instructions", choices=tuple(SETS)),
    Option("--images", SNEAKERS.images, "of training at most", quick=128),
    Option("--judged", 500, "images of a remaining concept", quick=10),
    Option("--forgotten-judged", 2000, "images of the forgotten concept", quick=20),
    Folder("--work", Path("build/demonstration"), "where jobs are kept"),
    OUT,
)
HEADS = (
    *("instructions", "seed", "verdict", "images", "training s", "checks s", "evaluating s", "UA", "drop"),
    *("worst concept", "Frechet ratio", "variety", "in many steps", "lacks"),
)


def run(arguments: argparse.Namespace) -> str:
    """Run every job that is not finished, then write the table of all."""
    folders, rows, passed = [], [], 0
    for name in arguments.sets:
        for seed in arguments.seeds:
            folders.append(arguments.work / f"{name}-{seed}")
            report = reported(folders[-1], name, asked(seed, arguments))
            rows.append((name, seed, *cells(report)))
            passed += report["verdict"] == "pass"
            print(json.dumps(rows[-1]), flush=True)
    text = page(
        "The demonstration's job, over seeds and instruction sets",
        f"{os.environ.get('OMP_NUM_THREADS', os.cpu_count())} thread(s). Seconds are those of a machine that was not "
        "idle: the verdicts are what counts here.",
        table(HEADS, rows),
        figure := f"Passed: {passed} of {len(rows)} (95 % interval from {wilson(passed, len(rows)).low:.2f}).",
        commits=kept_commits(folders),
    )
    write(arguments.out, "demonstration-seeds.md", text)
    return figure


def asked(seed: int, arguments: argparse.Namespace) -> dict[str, Any]:
    """Return the request of the demonstration with another seed."""
    return {
        "base_model": SNEAKERS.base,
        "forget": [{"concept": concept, "override": override} for concept, override in SNEAKERS.forget.items()],
        "budget": {"images": arguments.images},
        "thresholds": dict(SNEAKERS.thresholds),
        "evaluation": {
            "images_per_concept": arguments.judged,
            "images_per_forgotten_concept": arguments.forgotten_judged,
        },
        "seed": seed,
    }


def reported(folder: Path, instructions: str, request: Mapping[str, Any]) -> dict[str, Any]:
    """Return the report of one job. What is in ``folder`` is not run again."""
    file, kept = folder / "report.json", folder / "request.json"
    if not file.is_file():
        keep_commit(folder)
        kept.write_text(json.dumps(request, indent=1) + "\n")
        command = [sys.executable, "-m", "cli", "unlearn", "--file", str(kept), "--out", str(folder / "out")]
        limits = {"ATEN_CPU_CAPABILITY": instructions, "ONEDNN_MAX_CPU_ISA": SETS[instructions]}
        began = time.monotonic()
        done = subprocess.run(command, env={**os.environ, **limits}, capture_output=True, text=True, check=False)
        made = folder / "out" / "generator" / "evaluation" / "report.json"
        if not made.is_file():
            raise SystemExit(f"{' '.join(command)} left no report:\n{done.stdout}{done.stderr}")
        print(f"{folder.name}: {time.monotonic() - began:.0f} s", flush=True)
        made.rename(file)
    if json.loads(kept.read_text()) != request:
        raise SystemExit(f"{folder}: made with another request; remove it to have it made anew")
    report: dict[str, Any] = json.loads(file.read_text())
    return report


def cells(report: Mapping[str, Any]) -> tuple[object, ...]:
    """Say what came of one job."""
    cost, criteria = report["cost"], {one["name"]: one for one in report["criteria"]}
    seconds = cost["seconds"]
    figures = (
        *("unlearning_accuracy", "retained_accuracy_drop", "worst_concept_loss"),
        *("frechet_distance_ratio", "coverage_ratio", "many_steps_share"),
    )
    lacking = [name for name, one in criteria.items() if one["decision"] != "pass"]
    return (
        report["verdict"],
        number(cost["images"]),
        *(round(seconds.get(phase, 0)) for phase in ("training", "checking", "evaluating")),
        *(_figure(criteria.get(name)) for name in figures),
        ", ".join(f"`{name}`" for name in lacking) or "-",
    )


def _figure(criterion: Mapping[str, Any] | None) -> str:
    if criterion is None or criterion["measured"] is None:
        return "-"
    return measure(criterion["measured"])


if __name__ == "__main__":
    COMMAND.main(run)
