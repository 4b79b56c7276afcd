"""``lethe unlearn``: one run here, without the service."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from cli.arguments import FORGET_HELP, PROBE_HELP
from cli.exits import JOB_FAILED
from cli.job_request import FileOption, Options, PromptsOption, RetainOption, WordsOption


def unlearn(
    out: Annotated[Path, typer.Option(help="A folder: generator/ in it gets the generator, report and record.")],
    base: Annotated[str | None, typer.Option(help="The base model: its name, or a folder with a manifest.")] = None,
    forget: Annotated[list[str] | None, typer.Option(metavar="CONCEPT=OVERRIDE", help=FORGET_HELP)] = None,
    images: Annotated[int | None, typer.Option(help="The budget: how many generated images to train on.")] = None,
    words: WordsOption = None,
    prompts: PromptsOption = None,
    retain: RetainOption = None,
    file: FileOption = None,
    seconds: Annotated[float | None, typer.Option(help="Also stop after so many seconds.")] = None,
    stop_when_unlearned: Annotated[
        bool,
        typer.Option(
            "--stop-when-unlearned", help="Stop early once unlearning and retained accuracy reach their thresholds."
        ),
    ] = False,
    seed: Annotated[int | None, typer.Option(help="The same seed gives the same weights on the same machine.")] = None,
    recipe: Annotated[
        list[str] | None, typer.Option(metavar="KEY=VALUE", help="A change of the base model's recipe: alpha=1.2.")
    ] = None,
    threshold: Annotated[
        list[str] | None,
        typer.Option(
            metavar="KEY=VALUE", help="Acceptance threshold: unlearning_accuracy=0.99. Repeat it for several."
        ),
    ] = None,
    probe: Annotated[list[str] | None, typer.Option(metavar="NAME", help=PROBE_HELP)] = None,
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
        retain,
        images,
        seconds,
        stop_when_unlearned,
        seed,
        recipe or (),
        threshold or (),
        probe or (),
    ).request()

    from cli.base_model import base_model
    from jobs.settings import load_settings
    from sfd_core.admission import admit

    settings = load_settings()
    model = base_model(body["base_model"], settings)
    admitted = admit(body, model)

    from cli.local_run import run

    result = run(model, admitted, out, device, settings)
    for line in result.lines():
        typer.echo(line)
    if result.verdict != "pass":
        raise typer.Exit(JOB_FAILED)
