"""``lethe unlearn``: one run here, without the service."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from cli.exits import JOB_FAILED
from cli.job_request import (
    ColumnOption,
    FileOption,
    ForgetOption,
    ImagesOption,
    Options,
    OutsideOption,
    ProbeOption,
    PromptsOption,
    RecipeOption,
    RetainOption,
    SecondsOption,
    ThresholdOption,
    UntilOption,
    WordsOption,
)


def unlearn(
    out: Annotated[Path, typer.Option(help="A folder: generator/ in it gets the generator, report and record.")],
    base: Annotated[str | None, typer.Option(help="The base model: its name, or a folder with a manifest.")] = None,
    forget: ForgetOption = None,
    images: ImagesOption = None,
    words: WordsOption = None,
    prompts: PromptsOption = None,
    prompt_column: ColumnOption = None,
    outside_vocabulary: OutsideOption = False,
    retain: RetainOption = None,
    file: FileOption = None,
    seconds: SecondsOption = None,
    until: UntilOption = None,
    seed: Annotated[int | None, typer.Option(help="The same seed gives the same weights on the same machine.")] = None,
    recipe: RecipeOption = None,
    threshold: ThresholdOption = None,
    probe: ProbeOption = None,
    device: Annotated[str, typer.Option(help="auto, cpu, cuda, cuda:1.")] = "auto",
) -> None:
    """Unlearn here and now, with a progress bar and without the service.

    Interrupted, the same command goes on from the last checkpoint. Exit status 0 only if the verdict is pass.
    """
    body = Options(
        file,
        base,
        forget or (),
        words or (),
        prompts or (),
        prompt_column,
        outside_vocabulary,
        retain,
        images,
        seconds,
        until,
        seed,
        recipe or (),
        threshold or (),
        probe or (),
    ).request()

    from cli.base_model import base_model
    from jobs.settings import load_settings
    from sfd_core.admission import admit
    from sfd_core.evaluation.poor_base import warnings_about

    settings = load_settings()
    model = base_model(body["base_model"], settings)
    admitted = admit(body, model)
    for said in warnings_about(model, [item.concept for item in admitted.request.forget]):
        typer.echo(f"warning: {said}", err=True)

    from cli.local_run import run

    result = run(model, admitted, out, device, settings)
    for line in result.lines():
        typer.echo(line)
    if result.verdict != "pass":
        raise typer.Exit(JOB_FAILED)
