"""A run as it happens: a live bar on a terminal, plain lines anywhere else."""

from __future__ import annotations

import time
from collections.abc import Mapping
from types import TracebackType
from typing import Any, Self

from rich.console import Console
from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

from cli.console import say
from sfd_core.display.numbers import duration, number, percent

OF_A_PHASE = ("images", "of", "images_per_second")
"""Figures that say nothing about the phase that follows; nor does the time that is left, unless it is that of the whole
run: then its ``share`` is known too."""
PLAIN_SECONDS = 5.0
"""Between two plain lines about the same phase."""


class RunView:
    """A view of the phases, progress and notes of one run on ``console``; a context manager."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._phase = ""
        self._figures: dict[str, Any] = {}
        self._next_plain = 0.0
        self._ended = False
        self._bar = Progress(
            SpinnerColumn(),
            TextColumn("{task.description:<10}", markup=False),
            BarColumn(),
            TextColumn("{task.fields[figures]}", markup=False),
            TimeElapsedColumn(),
            console=console,
            transient=True,
            disable=not console.is_terminal,
        )
        self._task = self._bar.add_task("waiting", total=None, figures="")

    def __enter__(self) -> Self:
        self._bar.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._bar.stop()

    def phase(self, name: str) -> None:
        """Show that the run entered another phase (or waits)."""
        if name == self._phase:
            return
        self._phase = name
        whole = "share" in self._figures
        for figure in OF_A_PHASE if whole else (*OF_A_PHASE, "eta_seconds"):
            self._figures.pop(figure, None)
        if not whole:
            self._bar.update(self._task, completed=0, total=None)
        self._bar.update(self._task, description=name, figures=figures_line(self._figures))
        self._next_plain = 0.0
        self._ended = False
        if not self._console.is_terminal:
            say(self._console, name)

    def progress(self, figures: Mapping[str, Any]) -> None:
        """Show newer figures: any of ``images``, ``of``, ``images_per_second``, ``eta_seconds``, ``share`` of the whole
        run, ``unlearning_accuracy``, ``retained_accuracy``. What is not given or None stays as it was."""
        self._figures |= {name: value for name, value in figures.items() if value is not None}
        images, of = self._figures.get("images", 0), self._figures.get("of")
        line = figures_line(self._figures)
        done, whole = (self._figures["share"], 1.0) if "share" in self._figures else (images, of)
        self._bar.update(self._task, completed=done, total=whole, figures=line)
        now = time.monotonic()
        ends = bool(of) and images >= of
        if not self._console.is_terminal and (now >= self._next_plain or (ends and not self._ended)):
            self._next_plain = now + PLAIN_SECONDS
            self._ended = ends
            say(self._console, f"{self._phase}  {line}")

    def restart(self) -> None:
        """Forget the figures so far, which are those of an attempt that is over."""
        self._figures = {}
        self._bar.update(self._task, completed=0, total=None, figures="")

    def note(self, text: str) -> None:
        """Print a line that stays."""
        say(self._console, text)


def figures_line(figures: Mapping[str, Any]) -> str:
    """Write the figures on one line, those that are known: images, images/s, ETA, UA, RA."""
    parts = []
    if figures.get("of"):
        parts.append(f"{number(figures.get('images', 0))} of {number(figures['of'])} images")
    if (speed := figures.get("images_per_second")) is not None:
        parts.append(f"{number(speed)} images/s")
    if (eta := figures.get("eta_seconds")) is not None:
        parts.append(f"ETA {duration(eta)}")
    for label, name in (("UA", "unlearning_accuracy"), ("RA", "retained_accuracy")):
        if (value := figures.get(name)) is not None:
            parts.append(f"{label} {percent(value)}")
    return "  ".join(parts)
