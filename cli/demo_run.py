"""What ``lethe demo`` does, step by step: one real job through the real service, and what came of it in a folder."""

from __future__ import annotations

import json
import shutil
import signal
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from types import FrameType
from typing import Any, NoReturn

from rich.console import Console

from cli.console import say
from cli.job_watch import ending, exit_status, follow
from cli.tables import reasons, report_table
from client import Job, Lethe, Report
from jobs.settings import Settings, load_settings
from local.stack import running
from sfd_core.display.overrides import written_in_words


@dataclass(frozen=True)
class Demonstration:
    """A demonstration: a job on a bundled model. ``prompts``: what a text-to-image generator is asked for at the end,
    by the name of the picture."""

    base: str
    forget: Mapping[str, str]
    images: int
    thresholds: Mapping[str, float]
    evaluation: Mapping[str, int] = field(default_factory=dict)
    prompts: Mapping[str, str] = field(default_factory=dict)


SEED = 7
SNEAKERS = Demonstration(
    "fashion", {"Sneaker": "Bag"}, 3072, {"unlearning_accuracy": 0.99, "retained_accuracy_drop": 0.05}
)
PISTOLS = Demonstration(
    "emoji",
    {"pistol": "banana"},
    3200,
    {"unlearning_accuracy": 0.93, "retained_accuracy_drop": 0.05},
    # Multiples of 18: each of the six templates is asked in each of the three styles as often.
    {"images_per_concept": 54, "images_per_forgotten_concept": 504},
    {"a-pistol.png": "a pistol, in the style of noto", "a-banana.png": "a banana, in the style of noto"},
)
SHEET = 16
"""Images of each prompt."""
PHASES = ("preparing", "training", "evaluating")
"""Of the job, in the order in which they come; the report's JSON keeps none."""
PAIRS = "pairs.png"
"""The report's before/after picture."""


@dataclass
class Outcome:
    """The figures that the last line says. ``seconds``: by phase."""

    job: Job
    report: Report | None
    seconds: dict[str, float] = field(default_factory=dict)

    def to_json(self) -> dict[str, Any]:
        """Write the outcome as JSON: figures that were not measured, because the job did not come so far, are null."""
        report = self.report
        overall = report.retained_accuracy if report else None
        gone = report.unlearning[0] if report and report.unlearning else None
        return {
            "job": self.job.id,
            "verdict": self.job.verdict,
            "unlearning_accuracy": gone.accuracy.value if gone is not None and gone.accuracy is not None else None,
            "retained_accuracy": overall.generator.value if overall else None,
            "base_model_retained_accuracy": overall.base_model.value if overall else None,
            "seconds": {phase: round(seconds, 2) for phase, seconds in self.seconds.items()},
        }


def run(shown: Demonstration, out: Path, console: Console) -> int:
    """Run the demonstration ``shown``, leave its results in ``out``, and print what came of it. The exit status.

    Nothing is left running and no data is kept, also when it is interrupted.
    """
    _clear(out, shown)
    began = time.monotonic()
    with _terminated_like_interrupted(), _data_folder() as data_dir:
        say(console, "starting Postgres, Valkey, api, worker and sampler")
        with running(_settings(data_dir), say=lambda line: say(console, line)) as stack:
            started = time.monotonic()
            with Lethe(stack.url) as lethe:
                outcome = _one_job(lethe, shown, out, console)
            if not outcome.job.passed:
                shutil.copytree(data_dir / "logs", out / "logs")
        by_phase = outcome.report.cost.seconds if outcome.report and outcome.report.cost else {}
        outcome.seconds = {
            "starting": started - began,
            **{phase: by_phase[phase] for phase in PHASES if phase in by_phase},
            "total": time.monotonic() - began,
        }
    say(console, ending(outcome.job))
    for path in sorted(out.iterdir()):
        say(console, f"  {path}")
    sys.stdout.write(json.dumps(outcome.to_json()) + "\n")
    sys.stdout.flush()
    return exit_status(outcome.job)


def _one_job(lethe: Lethe, shown: Demonstration, out: Path, console: Console) -> Outcome:
    """Submit, watch, and fetch everything that the service made of it."""
    job = lethe.submit(
        shown.base,
        shown.forget,
        images=shown.images,
        seed=SEED,
        thresholds=shown.thresholds,
        evaluation=shown.evaluation or None,
    )
    forgets = ", ".join(f"{concept} -> {written_in_words(override)}" for concept, override in shown.forget.items())
    say(console, f"submitted {job.id}: the model {shown.base!r} forgets {forgets}")
    job = follow(lethe, job.id, console)
    if job.status != "succeeded":
        return Outcome(job, None)
    report = lethe.report(job.id)
    console.print(report_table(report))
    for reason in reasons(report):
        say(console, reason)
    (out / "report.json").write_text(json.dumps(report.raw, indent=1) + "\n", "utf-8")
    (out / "report.html").write_text(lethe.report_html(job.id), "utf-8")
    (out / "before-after.png").write_bytes(lethe.report_file(job.id, PAIRS))
    if job.passed and job.generator is not None:
        lethe.download(job.generator, out / "generator")
        for name, prompt in shown.prompts.items():
            (out / name).write_bytes(lethe.sample_grid(job.generator, n=SHEET, seed=SEED, prompt=prompt))
    return Outcome(job, report)


def _settings(data_dir: Path) -> Settings:
    """Everything in ``data_dir`` and on loopback, whatever servers the environment points at."""
    return load_settings(
        {
            "database_url": None,
            "broker_url": None,
            "data_dir": data_dir,
            "work_dir": data_dir / "work",
            "artifacts_url": f"file://{data_dir / 'artifacts'}",
            "models_dir": None,
            "host": "127.0.0.1",
            "port": 0,
            "auth": "none",
        }
    )


def _clear(out: Path, shown: Demonstration) -> None:
    """Remove what an earlier demonstration left in ``out``, and nothing else."""
    out.mkdir(parents=True, exist_ok=True)
    for name in ("report.json", "report.html", "before-after.png", *shown.prompts):
        (out / name).unlink(missing_ok=True)
    for folder in (out / "logs", out / "generator"):
        if (folder / "api.log").is_file() or (folder / "model_index.json").is_file():
            shutil.rmtree(folder)


@contextmanager
def _data_folder() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="lethe-demo-") as scratch:
        Path(scratch).chmod(0o711)  # as root, Postgres runs as another user, who must be let through
        yield Path(scratch) / "data"


@contextmanager
def _terminated_like_interrupted() -> Iterator[None]:
    """SIGTERM unwinds the stack as Ctrl-C does, so that everything is stopped and removed."""

    def stop(number: int, frame: FrameType | None) -> NoReturn:
        raise SystemExit(128 + number)

    before = signal.signal(signal.SIGTERM, stop)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)
