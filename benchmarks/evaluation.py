"""What an evaluation costs: seconds by image count, and memory, which holds scores and features but no images.

    python -m benchmarks.evaluation --generator DIR [--out docs/results]

Each size runs in a process of its own, without probes: all judges, both feature extractors, pictures and page.
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

SIZES = ((125, 500), (500, 2000), (1000, 4000))
"""Images a remaining and a forgotten concept; the second is the default."""


def one(generator: Path, images: int, forgotten: int) -> None:
    """One evaluation; prints its figures as JSON."""
    import torch

    from benchmarks.baselines.distil import FORGOTTEN, OVERRIDE
    from jobs.settings import load_settings
    from sfd_core.admission import parse_request
    from sfd_core.evaluation.evaluators import Evaluators
    from sfd_core.evaluation.subject import open_generator
    from sfd_core.families.loading import load_base
    from sfd_core.report.examine import ReportDraft, examine, write_report

    base = load_base(load_settings().models()["fashion"])
    plan = {"images_per_concept": images, "images_per_forgotten_concept": forgotten}
    body = {"forget": [{"concept": FORGOTTEN, "override": OVERRIDE}], "budget": {"images": 64}, "evaluation": plan}
    request = parse_request(body, base.model)
    subject, evaluators = open_generator(generator, base), Evaluators.load(base.model)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    began, examined = time.perf_counter(), None
    for _, _, examined in examine(subject, base, evaluators, request, torch.device("cpu")):  # noqa: B007
        pass
    assert isinstance(examined, ReportDraft)
    with tempfile.TemporaryDirectory() as folder:
        report = write_report(examined, Path(folder), [])
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    print(
        json.dumps(
            {
                "images": report["scores"]["images"],
                "seconds": round(time.perf_counter() - began, 1),
                "megabytes_before": round(before / 1024),
                "megabytes_peak": round(peak / 1024),
            }
        )
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--generator", type=Path, default=Path("build/baselines/sfd-generator"))
    parser.add_argument("--out", type=Path, default=Path("docs/results"))
    parser.add_argument("--one", type=int, nargs=2, metavar=("IMAGES", "FORGOTTEN"), help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.one:
        one(arguments.generator, *arguments.one)
        return
    lines = ["| judged images | seconds | memory before, MB | at its peak, MB |", "| --- | --- | --- | --- |"]
    for images, forgotten in SIZES:
        command = [sys.executable, "-m", "benchmarks.evaluation", "--generator", str(arguments.generator)]
        command += ["--one", str(images), str(forgotten)]
        found = json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout.splitlines()[-1])
        lines.append(
            f"| {found['images']} | {found['seconds']} | {found['megabytes_before']} | {found['megabytes_peak']} |"
        )
        print(lines[-1], flush=True)
    text = "\n".join(
        [
            "# What an evaluation costs",
            "",
            "`python -m benchmarks.evaluation`, `models/fashion`, 2 CPU cores, both judges, both feature extractors, "
            "pictures and page, no probes; the default is 6500 images.",
            "",
            *lines,
        ]
    )
    arguments.out.mkdir(parents=True, exist_ok=True)
    (arguments.out / "evaluation.md").write_text(text + "\n")


if __name__ == "__main__":
    main()
