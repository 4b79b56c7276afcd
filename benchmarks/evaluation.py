"""What an evaluation costs: seconds by image count, and memory, which holds scores and features but no images.

    python -m benchmarks.evaluation [--out docs/results]

Each size runs in a process of its own, without probes: all judges, both feature extractors, pictures and page. The
generator is the demonstration's, kept in ``--work`` and not made again.
"""

from __future__ import annotations

import argparse
import json
import re
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import torch

from benchmarks.shared.command import OUT, Command, Folder, Option
from benchmarks.shared.distil import demonstration, distil
from benchmarks.shared.page import commit, kept_commits, page, table, write
from cli.demo_run import SNEAKERS
from sfd_core.evaluation.subject import ImageSource

COMMAND = Command(
    "evaluation",
    __doc__,
    Option(
        "--sizes",
        ("125:500", "500:2000", "1000:4000"),
        "images of a remaining and of a forgotten concept; the second is a job's default",
        quick=("4:16",),
    ),
    Option("--budget", SNEAKERS.images, "images of training of the generator", quick=64),
    Folder("--work", Path("build/baselines"), "where the generator is kept"),
    OUT,
    Option("--one", "", "one size in this process: how the others are run"),
)


def run(arguments: argparse.Namespace) -> str:
    """Evaluate at every size."""
    generator = arguments.work / "sfd-generator"
    if arguments.one:
        print(json.dumps(one(generator, arguments.budget, *map(int, arguments.one.split(":")))))
        return ""
    distil(demonstration(arguments.budget), generator)
    found = [measured(arguments.work, arguments.budget, size) for size in arguments.sizes]
    names = ("images", "seconds", "megabytes_before", "megabytes_peak")
    text = page(
        "What an evaluation costs",
        f"`models/{SNEAKERS.base}`, {torch.get_num_threads()} threads, both judges, both feature extractors, pictures "
        "and page, no probes; the default is 6500 images.",
        table(
            ("judged images", "seconds", "memory before, MB", "at its peak, MB"),
            [[size[name] for name in names] for size in found],
        ),
        commits=[commit(), *kept_commits([generator])],
    )
    write(arguments.out, "evaluation.md", text)
    return f"{found[-1]['images']} images in {found[-1]['seconds']} s, {found[-1]['megabytes_peak']} MB at the peak"


def measured(work: Path, budget: int, size: str) -> dict[str, Any]:
    """Measure the figures of one size, from a process of its own."""
    command = [sys.executable, "-m", "benchmarks.evaluation", "--work", str(work), "--budget", str(budget)]
    done = subprocess.run([*command, "--one", size], check=True, stdout=subprocess.PIPE, text=True)
    return dict(json.loads(done.stdout.splitlines()[-2]))


def one(generator: Path, budget: int, images: int, forgotten: int) -> dict[str, Any]:
    """Run one evaluation in this process."""
    experiment = demonstration(budget, images_per_concept=images, images_per_forgotten_concept=forgotten)
    subject, _ = ImageSource.of_generator(distil(experiment, generator)), experiment.evaluators
    before = peak_megabytes()
    began = time.perf_counter()
    with tempfile.TemporaryDirectory() as folder:
        report = experiment.report(subject, Path(folder), "python -m benchmarks.evaluation")
    return {
        "images": report["scores"]["images"],
        "seconds": round(time.perf_counter() - began, 1),
        "megabytes_before": before,
        "megabytes_peak": peak_megabytes(),
    }


def peak_megabytes() -> int:
    """Return the most memory that this program has held. Not from ``getrusage``, which starts at what the parent
    held."""
    found = re.search(r"VmHWM:\s*(\d+) kB", Path("/proc/self/status").read_text())
    assert found is not None
    return int(found[1]) // 1024


if __name__ == "__main__":
    COMMAND.main(run)
