"""``lethe submit``: a job for the service."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from cli.connection import client_of
from cli.job_request import (
    BasisOption,
    ChangeOption,
    ColumnOption,
    DueOption,
    FileOption,
    ForgetOption,
    ImagesOption,
    LikeOption,
    MetadataOption,
    NoteOption,
    Options,
    OutsideOption,
    PriorityOption,
    ProbeOption,
    PromptsOption,
    ReceivedOption,
    RecipeOption,
    RequesterOption,
    RetainOption,
    SecondsOption,
    ThresholdOption,
    TicketOption,
    UntilOption,
    WebhookOption,
    WordsOption,
)

if TYPE_CHECKING:
    from client import Estimate


def submit(
    ctx: typer.Context,
    base: Annotated[str | None, typer.Option(help="The base model: see `lethe models`.")] = None,
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
    seed: Annotated[int | None, typer.Option(help="By default the service's.")] = None,
    recipe: RecipeOption = None,
    threshold: ThresholdOption = None,
    probe: ProbeOption = None,
    metadata: MetadataOption = None,
    webhook: WebhookOption = None,
    like: LikeOption = None,
    change: ChangeOption = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Check the request and print what the job would take; submit nothing.")
    ] = False,
    ticket: TicketOption = None,
    requester: RequesterOption = None,
    received: ReceivedOption = None,
    due: DueOption = None,
    basis: BasisOption = None,
    note: NoteOption = None,
    priority: PriorityOption = None,
    watch: Annotated[
        bool, typer.Option("--watch", help="Follow the job to its end; exit 1 unless the verdict is pass.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="The job, or the estimate, as one line of JSON.")] = False,
) -> None:
    """Submit an unlearning job."""
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
        metadata or (),
        webhook,
        like,
        change,
        ticket,
        requester,
        received,
        due,
        basis,
        note,
        priority,
    ).request()

    from cli.commands.watch import finish, follow_or_leave
    from cli.console import console, print_json

    with client_of(ctx) as lethe:
        if dry_run:
            _print_estimate(lethe.estimate(body), as_json=as_json)
            return
        job = lethe.submit_request(body)
        for said in job.warnings:
            typer.echo(f"warning: {said}", err=True)
        if job.webhook is not None and job.webhook.secret is not None and not as_json:
            typer.echo(f"{job.webhook.id} signs with this secret, which is shown once: {job.webhook.secret}", err=True)
        if watch:
            typer.echo(f"submitted {job.id}", err=as_json)
            finish(follow_or_leave(lethe, job.id, console(stderr=as_json)), as_json=as_json)
    if as_json:
        print_json(job.raw)
    else:
        typer.echo(f"submitted {job.id}\nlethe watch {job.id}")


def _print_estimate(found: Estimate, *, as_json: bool) -> None:
    from cli.console import print_json
    from cli.estimates import estimate_lines

    for said in found.warnings:
        typer.echo(f"warning: {said}", err=True)
    if as_json:
        print_json(found.raw)
        return
    for line in estimate_lines(found):
        typer.echo(line)
