"""``lethe sample``: images from a generator, of the service or in a folder."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from cli.connection import client_of


def sample(
    ctx: typer.Context,
    generator: Annotated[str, typer.Argument(help="A generator's id, or the folder of a downloaded one.")],
    concept: Annotated[str | None, typer.Option(help="What to ask for.")] = None,
    prompt: Annotated[str | None, typer.Option(help="Or what to ask a text-to-image generator for.")] = None,
    n: Annotated[int, typer.Option("-n", min=1, help="How many images.")] = 16,
    seed: Annotated[int, typer.Option(min=0, help="Image i depends on (seed, i) alone.")] = 0,
    out: Annotated[Path, typer.Option(help="A .png: all on one sheet. Else a folder: a PNG each.")] = Path("grid.png"),
) -> None:
    """Sample a generator.

    A folder is sampled here, an id through the service. The same seed gives the same pixels.
    """
    from cli.sampling import What, sample_folder, sample_service
    from jobs.settings import load_settings

    if (concept is None) == (prompt is None):
        raise typer.BadParameter("say what to ask for: --concept, or --prompt", param_hint="--concept")
    what = What(concept, prompt)
    folder = Path(generator)
    if folder.is_dir():
        sample_folder(folder, what, n, seed, out, load_settings().mark_images)
    elif generator.startswith("gen_"):
        with client_of(ctx) as lethe:
            sample_service(lethe, generator, what, n, seed, out)
    else:
        raise typer.BadParameter(f"{generator!r} is no folder, and an id begins with gen_", param_hint="GENERATOR")
    typer.echo(f"wrote {out}: {n} of {what}, seed {seed}")
