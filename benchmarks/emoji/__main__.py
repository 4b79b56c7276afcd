"""Forget an object, a style, three objects at once, and an object by a negative prompt, on ``models/emoji``.

    python -m benchmarks.emoji                                # everything that is not finished, then the table
    python -m benchmarks.emoji --only distilled-pistol pistol # some parts alone, in this order
    python -m benchmarks.emoji --table                        # docs/results/emoji.{md,png} from what is there
    python -m benchmarks.emoji --list

Each part is kept below ``--work`` and not run again; a job that was interrupted goes on from its last checkpoint.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.emoji.jobs import BASE, DISTILLED, IMAGES, JOBS, PARTS, SECONDS, Job
from benchmarks.emoji.picture import Block, Line, picture
from benchmarks.emoji.shown import SHOWN, SHOWN_BY_TEACHER
from benchmarks.emoji.table import document, missing

RESULTS = Path("docs/results")


def blocks(work: Path, results: dict[str, dict[str, Any]]) -> list[Block]:
    """The picture of every job that was run, with what stands beside it."""
    return [Block(job.title, job.shown, _lines(job, work, results)) for job in JOBS.values() if job.name in results]


def _lines(job: Job, work: Path, results: dict[str, dict[str, Any]]) -> tuple[Line, ...]:
    after = "in one stage" if results[job.name]["text"]["start"] == "base_model" else "1 step"
    rows = [("After forgetting", after, work / job.name / SHOWN)]
    if (beside := DISTILLED + job.beside) in results:
        distilled, folder = results[beside], work / beside
        rows[:0] = [
            ("Teacher", distilled["teacher"], folder / SHOWN_BY_TEACHER),
            ("Distilled", distilled["title"], folder / SHOWN),
        ]
    return tuple(Line(name, note, np.load(path)) for name, note, path in rows)


def write(work: Path, out: Path) -> None:
    """The table is printed; it is kept, with the picture, only if no part is missing."""
    paths = {part: work / part / "result.json" for part in PARTS}
    results = {part: json.loads(path.read_text()) for part, path in paths.items() if path.is_file()}
    if len(bases := {result["base"] for result in results.values()}) > 1:
        raise SystemExit(f"{work}: results of {len(bases)} base models; remove those of the older")
    curve = out / "emoji-steps.json"
    text = document(results, json.loads(curve.read_text()) if curve.is_file() else None)
    print(text)
    if left := missing(results):
        raise SystemExit(f"not written, not run yet: python -m benchmarks.emoji --only {' '.join(left)}")
    out.mkdir(parents=True, exist_ok=True)
    (out / "emoji.md").write_text(text)
    (out / "emoji.png").write_bytes(picture(blocks(work, results)))


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__.splitlines()[0], formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--only", nargs="+", choices=PARTS, metavar="PART", help=", ".join(PARTS))
    parser.add_argument("--table", action="store_true", help="run nothing")
    parser.add_argument("--list", action="store_true", help="say which parts are finished")
    parser.add_argument("--images", type=int, default=IMAGES, help="a job's budget")
    parser.add_argument("--seconds", type=float, default=SECONDS, help="a job's budget, whichever is spent first")
    parser.add_argument("--device", default="cpu", help="cpu, cuda; the committed table is of two CPU cores")
    parser.add_argument("--base", type=Path, default=BASE, help="the base model's folder")
    parser.add_argument("--recipe", type=json.loads, default={}, help="changes to every job's recipe, as JSON")
    parser.add_argument("--work", type=Path, default=Path("build/emoji-benchmark"))
    parser.add_argument("--out", type=Path, default=RESULTS)
    arguments = parser.parse_args()
    if arguments.list:
        for part in PARTS:
            print(f"{part:18} {'finished' if (arguments.work / part / 'result.json').is_file() else 'to run'}")
        return
    if not arguments.table:
        # torch is not needed for the table.
        from benchmarks.emoji.runs import Bench
        from sfd_core.base_model.manifest import load_manifest
        from sfd_core.families.device import pick_device

        model, device = load_manifest(arguments.base), pick_device(arguments.device)
        bench = Bench(model, arguments.work, arguments.images, arguments.seconds, arguments.recipe, device)
        for part in arguments.only or PARTS:
            bench.run(part)
            print(f"{part}: finished", flush=True)
    if not arguments.only:
        write(arguments.work, arguments.out)


if __name__ == "__main__":
    main()
