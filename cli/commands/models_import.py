"""``lethe models import``: a checkpoint that is a pickle, made safetensors."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer


class Weights(StrEnum):
    """Which weights of a checkpoint."""

    AVERAGE = "average"
    LAST = "last"


def import_model(
    checkpoint: Annotated[Path, typer.Argument(help="The file: .pth, .pt, .ckpt or .pkl.")],
    out: Annotated[Path | None, typer.Option(help="Of a base model: the folder that it becomes.")] = None,
    of: Annotated[
        str | None,
        typer.Option(help="Of a distilled generator: its base model, by its name or its folder with a manifest."),
    ] = None,
    weights: Annotated[
        Weights, typer.Option(help="The moving average where there is one, or what training left.")
    ] = Weights.AVERAGE,
    size: Annotated[
        int | None, typer.Option(min=1, max=4096, help="Pixels along an image's edge, where the file leaves it open.")
    ] = None,
) -> None:
    """Import a checkpoint that only exists as a pickle, without running any of it.

    Read are tensors and plain containers of origins that are known: the class-conditional DDPM of Selective Amnesia,
    SalUn and the SFD paper, SiD-LSG's one-step generators of Stable Diffusion, and networks of NVlabs/edm. A process of
    its own reads them.
    """
    from cli.added_models import to_change
    from jobs.settings import load_settings
    from sfd_core.base_model.manifest import MANIFEST
    from sfd_core.importing.apart import import_apart

    choices = {"moving_average": weights is Weights.AVERAGE, "size": size}
    base = None
    if of is not None:
        base = Path(of) if (Path(of) / MANIFEST).is_file() else to_change(of, load_settings()).folder
    done = import_apart(checkpoint, out, base, choices)
    typer.echo(f"wrote {done['folder']}: {done['origin']}")
    for note in done["notes"]:
        typer.echo(f"- {note}")
    if not done["base_model"]:
        typer.echo(f"jobs of {of} start from it (recipe start=base_model: as before)")
