"""``lethe demo``: the whole service, one real job, and its results in a folder."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def demo(
    text: Annotated[bool, typer.Option("--text", help="Text to image: `emoji` forgets pistols instead.")] = False,
    out: Annotated[
        Path | None,
        typer.Option(help="Where the pictures, the report and the generator go.", show_default="demo, or demo-text"),
    ] = None,
) -> None:
    """Run the service, have `fashion` forget sneakers, show the result.

    Takes minutes, and leaves nothing running. Exit status 0 only if the verdict is pass. The last line of output is
    JSON.
    """
    from cli.console import console
    from cli.demo_run import PISTOLS, SNEAKERS, run

    folder = out or Path("demo-text" if text else "demo")
    raise typer.Exit(run(PISTOLS if text else SNEAKERS, folder, console()))
