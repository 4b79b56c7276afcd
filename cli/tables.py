"""Lists and reports as tables for people. Programs ask for ``--json``."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import TYPE_CHECKING

from rich.table import Table
from rich.text import Text

from cli.run_view import duration

if TYPE_CHECKING:
    from client import BaseModel, Forget, Interval, Job, Report

COLOURS = {
    "pass": "green",
    "succeeded": "green",
    "fail": "red",
    "failed": "red",
    "inconclusive": "yellow",
    "cancelled": "yellow",
    "running": "cyan",
}


def models_table(models: Iterable[BaseModel]) -> Table:
    """What can be unlearned from."""
    table = Table("base model", "title", "concepts", "judge", "licence")
    for model in models:
        judge = model.judge
        accuracy = f"{judge.name} ({judge.accuracy:.1%})" if judge and judge.accuracy is not None else ""
        table.add_row(*_plain(model.name, model.title, ", ".join(model.concepts), accuracy, model.license))
    return table


def jobs_table(jobs: Iterable[Job], now: datetime) -> Table:
    """Jobs, with their age at ``now``."""
    table = Table("job", "status", "verdict", "base model", "forgets", "progress", "age")
    table.columns[0].no_wrap = True
    for job in jobs:
        status = job.phase if job.status == "running" and job.phase else job.status
        progress = job.progress
        done = f"{progress.images}/{progress.of}" if progress and progress.of else ""
        age = duration((now - job.created_at).total_seconds()) if job.created_at else ""
        table.add_row(
            Text(job.id),
            Text(status, COLOURS.get(job.status, "")),
            Text(job.verdict or "", COLOURS.get(job.verdict or "", "")),
            *_plain(job.base_model, forgets(job.forget), done, age),
        )
    return table


def forgets(forget: Iterable[Forget]) -> str:
    """``Sneaker=Sandal``, as on the command line."""
    return " ".join(f"{item.concept}={_override(item.override)}" for item in forget)


def report_table(report: Report) -> Table:
    """UA of what is forgotten, RA of what remains beside the teacher's, distances and speed."""
    table = Table("measure", "concept", "generator", "teacher", title=_verdict(report), title_justify="left")
    for column in table.columns[2:]:
        column.justify = "right"
    for gone in report.unlearning:
        table.add_row("UA", *_plain(f"{gone.concept} -> {_override(gone.override)}", interval(gone.accuracy), ""))
    table.add_section()
    for kept in report.retention:
        table.add_row("RA", *_plain(kept.concept, interval(kept.generator), interval(kept.teacher)))
    if (overall := report.retained_accuracy) is not None:
        table.add_row("RA", *_plain("all that remain", interval(overall.generator), interval(overall.teacher)))
    table.add_section()
    if (quality := report.quality) is not None:
        for name, distance in (("real images", quality.against_real), ("the teacher", quality.against_teacher)):
            if distance is not None and distance.fd is not None:
                floor = f"floor {distance.fd_floor:.3f}" if distance.fd_floor is not None else ""
                table.add_row(*_plain(f"FD-{quality.features}", f"to {name}", f"{distance.fd:.3f}", floor))
    if (speed := report.speed) is not None:
        ours, theirs = speed.generator_images_per_second, speed.teacher_images_per_second
        table.add_row(*_plain("images/s", f"{speed.ratio:.0f} times as fast", f"{ours:.1f}", f"{theirs:.1f}"))
    return table


def interval(value: Interval) -> str:
    """An estimate and its 95 % interval."""
    return f"{value.value:.4f} [{value.low:.4f}, {value.high:.4f}]"


def reasons(report: Report) -> list[str]:
    """Each criterion's decision and the reason for it."""
    return [f"{criterion.decision}: {criterion.reason}" for criterion in report.criteria]


def _verdict(report: Report) -> Text:
    return Text.assemble("verdict: ", (report.verdict, COLOURS.get(report.verdict, "")))


def _override(override: object) -> str:
    """A concept by its name, anything else by its kind."""
    return override if isinstance(override, str) else ", ".join(override) if isinstance(override, dict) else ""


def _plain(*texts: str) -> tuple[Text, ...]:
    """Cells whose square brackets are not markup."""
    return tuple(Text(text) for text in texts)
