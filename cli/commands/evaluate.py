"""``lethe evaluate``: the report of an external generator."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from cli.arguments import parse_numbers
from cli.exits import JOB_FAILED
from cli.job_request import OutsideOption, ProbeOption, ThresholdOption


def evaluate(
    generator: Annotated[
        Path,
        typer.Option(
            metavar="DIR",
            help="A one-step generator's folder, one with a class-conditional diffusers U-Net in unet/, or a "
            "Stable Diffusion pipeline's.",
        ),
    ],
    base: Annotated[str, typer.Option(help="The base model that it came from: its name, or a folder with a manifest.")],
    forgotten: Annotated[
        list[str],
        typer.Option(
            metavar="CONCEPT[=OVERRIDE]",
            help="What it should have forgotten and, if known, what it shows instead. Repeat it for several.",
        ),
    ],
    outside_vocabulary: OutsideOption = False,
    out: Annotated[Path, typer.Option(help="A folder for the report.")] = Path("evaluation"),
    steps: Annotated[
        int | None,
        typer.Option(help="Network evaluations an image of a U-Net; by default as many as the base model's."),
    ] = None,
    images_per_concept: Annotated[int | None, typer.Option(help="Evaluation images per remaining concept.")] = None,
    images_per_forgotten_concept: Annotated[
        int | None, typer.Option(help="Evaluation images per forgotten concept.")
    ] = None,
    threshold: ThresholdOption = None,
    probe: ProbeOption = None,
    seed: Annotated[int, typer.Option(help="Of the probes; the judged images are always the same ones.")] = 0,
    device: Annotated[str, typer.Option(help="auto, cpu, cuda, cuda:1.")] = "auto",
) -> None:
    """Evaluate an external generator, by the same code and thresholds as a job's.

    Writes the report as a page and as JSON to --out. Exit status 0 only if the verdict is pass.
    """
    counts = {
        "images_per_concept": images_per_concept,
        "images_per_forgotten_concept": images_per_forgotten_concept,
    }
    body = {
        "evaluation": {"probes": probe or [], **{name: value for name, value in counts.items() if value is not None}},
        "thresholds": parse_numbers(threshold or (), "--threshold"),
        "seed": seed,
    }

    from cli.base_model import base_model
    from cli.local_evaluation import run
    from jobs.settings import load_settings

    settings = load_settings()
    verdict = run(
        generator,
        base,
        base_model(base, settings),
        [item.partition("=")[::2] for item in forgotten],
        outside_vocabulary,
        body,
        out,
        steps,
        device,
        (settings.inception_weights, settings.clip_weights),
        settings.mark_images,
    )
    if verdict != "pass":
        raise typer.Exit(JOB_FAILED)
