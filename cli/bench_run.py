"""What ``lethe bench`` does: a published benchmark with a progress bar, into a folder."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from rich.table import Table

from cli.console import console, print_json, say
from cli.run_view import RunView
from sfd_core.display.numbers import number
from sfd_core.evaluation.pace import Pace
from sfd_core.families.device import pick_device
from sfd_core.suites.page import written
from sfd_core.suites.running import PAGE, Wanted, run_suite
from sfd_core.suites.suite import Given, Suite


def run(
    suite: Suite,
    generator: Path,
    folders: tuple[Path, Path],
    forgotten: tuple[str, ...],
    out: Path,
    trial: tuple[int | None, int | None],
    device: str,
    as_json: bool,
) -> None:
    """Run ``suite`` and print its figures. ``folders``: of data and weights; ``trial``: a limit of images, and steps.

    Raises:
        ModelRefused: for folders that lack something, or a generator that cannot be read.
    """
    limit, steps = trial
    given = Given(*folders, forgotten, str(pick_device(device)))
    going = run_suite(suite, given, Wanted(generator, out, steps, limit))
    screen, pace = console(stderr=as_json), Pace()
    with RunView(screen) as view:
        view.phase("drawing")
        while True:
            try:
                done, of = next(going)
            except StopIteration as end:
                result: dict[str, Any] = end.value
                break
            rate, eta = pace(done, of)
            view.progress({"images": done, "of": of, "images_per_second": rate, "eta_seconds": eta})
            if done == of:
                view.phase("measuring")
    if as_json:
        print_json(result)
        return
    screen.print(_table(result))
    if result["trial"]:
        say(screen, f"a trial, no result: {number(result['images'])} of {number(result['images_in_all'])} images")
    say(screen, f"result: {out / PAGE}")


def _table(result: dict[str, Any]) -> Table:
    table = Table("axis", "of", "figure", "n", "", title=result["title"])
    for figure in result["figures"]:
        n = number(figure["measured"]["n"]) if figure["measured"] is not None else ""
        table.add_row(figure["axis"], figure["of"], written(figure), n, figure["note"])
    return table
