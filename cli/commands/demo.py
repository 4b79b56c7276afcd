"""``lethe demo``: the whole service, one real job, and its results in a folder."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def demo(
    out: Annotated[Path, typer.Option(help="Where the pictures, the report and the generator go.")] = Path("demo"),
) -> None:
    """Run the service, have `fashion` forget sneakers, show the result.

    Takes minutes, and leaves nothing running. Exit status 0 only if the verdict is pass. The last line of output is
    JSON.
    """
    from cli.console import console
    from cli.demo_run import run

    raise typer.Exit(run(out, console()))
