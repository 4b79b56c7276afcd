"""``lethe bench``: benchmarks that others have published, of any generator of images by prompt."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def bench(
    benchmark: Annotated[str, typer.Argument(help="unlearncanvas, hub, i2p, coco or celebrity.")],
    generator: Annotated[
        Path,
        typer.Option(
            metavar="DIR",
            help="A generator that Lethe published, or a stock diffusers text-to-image pipeline that it can read.",
        ),
    ],
    data: Annotated[Path, typer.Option(metavar="DIR", help="The benchmark's data: docs/benchmarks.md has the layout.")],
    weights: Annotated[Path, typer.Option(metavar="DIR", help="Its classifiers and detectors, in the same way.")],
    forgotten: Annotated[
        list[str] | None,
        typer.Option(metavar="NAME", help="What it should have forgotten, where the benchmark asks. Repeat it."),
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option(help="A folder for images and result; by default bench-BENCHMARK. Runs go on there."),
    ] = None,
    limit: Annotated[int | None, typer.Option(min=1, help="Images at most, for a trial, which is no result.")] = None,
    steps: Annotated[int | None, typer.Option(min=1, help="Of a stock pipeline; by default its family's own.")] = None,
    device: Annotated[str, typer.Option(help="auto, cpu, cuda, cuda:1.")] = "auto",
    as_json: Annotated[bool, typer.Option("--json", help="Print the result as JSON; progress goes to stderr.")] = False,
) -> None:
    """Measure a generator by a published benchmark.

    What folders lack is said before anything is drawn. Images are kept below --out: a killed run goes on there.
    """
    from cli.bench_run import run
    from sfd_core.suggestions import unknown
    from sfd_core.suites.registry import SUITES

    if benchmark not in SUITES:
        raise typer.BadParameter(unknown("benchmark", benchmark, SUITES), param_hint="BENCHMARK")
    folder = out or Path(f"bench-{benchmark}")
    run(SUITES[benchmark], generator, (data, weights), tuple(forgotten or ()), folder, (limit, steps), device, as_json)
