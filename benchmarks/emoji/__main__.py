"""Forget an object, a style, three objects at once, and an object by a negative prompt, on ``models/emoji``.

    python -m benchmarks.emoji                                # everything that is not finished, then the table
    python -m benchmarks.emoji --only distilled-pistol pistol # some parts alone, in this order
    python -m benchmarks.emoji --table                        # docs/results/emoji.{md,png} from what is there
    python -m benchmarks.emoji --list

Each part is kept below ``--work`` and not run again; a job that was interrupted goes on from its last checkpoint. The
page is written once no part is missing.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.emoji.jobs import (
    BASE,
    DISTILLED,
    EVALUATED,
    FROM_BASE_MODEL,
    IMAGES,
    JOBS,
    PARTS,
    SECONDS,
    SPEED,
    Job,
    Sizes,
)
from benchmarks.emoji.picture import Block, Line, picture
from benchmarks.emoji.shown import SHOWN, SHOWN_BY_BASE_MODEL
from benchmarks.emoji.table import all_targets, document, missing
from benchmarks.shared.command import OUT, Command, Folder, Option
from benchmarks.shared.page import write

COMMAND = Command(
    "emoji",
    __doc__,
    Option("--only", PARTS, "parts to run", quick=("pistol", SPEED), choices=PARTS),
    Option("--table", False, "run nothing: the page of what is there"),
    Option("--list", False, "say which parts are finished"),
    Option("--images", IMAGES, "a job's budget", quick=8),
    Option("--seconds", SECONDS, "a job's budget, whichever is spent first"),
    Option("--evaluated", EVALUATED, "images a concept that are judged, at most", quick=2),
    Option("--rounds", 7, "of both samplers, in turns", quick=1),
    Option("--repeats", 8, "calls of the one-step sampler in a round", quick=1),
    Option("--device", "cpu", "cpu or cuda; the committed table is of two CPU cores"),
    Option("--base", BASE, "the base model's folder"),
    Option("--recipe", "{}", "changes to every job's recipe, as JSON", quick='{"batch": 8}'),
    Folder("--work", Path("build/emoji-benchmark"), "where parts are kept"),
    OUT,
)


def blocks(work: Path, results: dict[str, dict[str, Any]]) -> list[Block]:
    """Return the picture of every job that was run, with what stands beside it."""
    return [Block(job.title, job.shown, _lines(job, work, results)) for job in JOBS.values() if job.name in results]


def _lines(job: Job, work: Path, results: dict[str, dict[str, Any]]) -> tuple[Line, ...]:
    after = "in one stage" if results[job.name]["text"]["start"] == FROM_BASE_MODEL else "1 step"
    rows = [("After forgetting", after, work / job.name / SHOWN)]
    if (beside := DISTILLED + job.beside) in results:
        distilled, folder = results[beside], work / beside
        rows[:0] = [
            ("Base model", distilled["base_model"], folder / SHOWN_BY_BASE_MODEL),
            ("Distilled", distilled["title"], folder / SHOWN),
        ]
    return tuple(Line(name, note, np.load(path)) for name, note, path in rows)


def finished(work: Path) -> dict[str, dict[str, Any]]:
    """Read the results of the parts that are there."""
    paths = {part: work / part / "result.json" for part in PARTS}
    results = {part: json.loads(path.read_text()) for part, path in paths.items() if path.is_file()}
    if len(bases := {result["base"] for result in results.values()}) > 1:
        raise SystemExit(f"{work}: results of {len(bases)} base models; remove those of the older")
    return results


def write_page(work: Path, out: Path, wanted: tuple[str, ...] = PARTS) -> str:
    """Print the table, and keep it, with the picture, only if no part is missing. Returns how many targets were
    reached. Exits with 1 where a part is missing of those that are ``wanted``."""
    results = finished(work)
    curve = out / "emoji-steps.json"
    text = document(results, json.loads(curve.read_text()) if curve.is_file() else None)
    left = missing(results)
    message = f"not written, not run yet: python -m benchmarks.emoji --only {' '.join(left)}"
    if set(left) & set(wanted):
        print(text)
        raise SystemExit(message)
    content = picture(blocks(work, results)) if any(job in results for job in JOBS) else b""
    if left:
        print(text)
        print(message)
    else:
        write(out, "emoji.md", text)
        (out / "emoji.png").write_bytes(content)
    held = all_targets(results)
    return f"{sum(target.reached for _, target in held)} of {len(held)} targets reached"


def run(arguments: argparse.Namespace) -> str:
    """Run the parts that are asked for and not finished, then the page."""
    if arguments.list:
        done = finished(arguments.work)
        for part in PARTS:
            print(f"{part:18} {'finished' if part in done else 'to run'}")
        return f"{len(done)} of {len(PARTS)} parts finished"
    if arguments.table:
        return write_page(arguments.work, arguments.out)
    # torch is not needed for the table.
    from benchmarks.emoji.runs import Bench
    from sfd_core.families.device import pick_device
    from sfd_core.families.registry import load_manifest

    sizes = Sizes(
        arguments.images,
        arguments.seconds,
        json.loads(arguments.recipe),
        arguments.evaluated,
        arguments.rounds,
        arguments.repeats,
    )
    bench = Bench(load_manifest(arguments.base), arguments.work, sizes, pick_device(arguments.device))
    for part in arguments.only:
        bench.run(part)
        print(f"{part}: finished", flush=True)
    return write_page(arguments.work, arguments.out, arguments.only)


if __name__ == "__main__":
    COMMAND.main(run)
