"""How many estimates hold what a job takes: real jobs of varied budgets, each estimated before it runs.

    python -m benchmarks.estimates [--models fashion emoji] [--jobs 12]

Jobs run one after the other, as a worker runs them, on a Postgres of their own: the first of a model is estimated from
jobs of other models or by a first guess, each later one from those before it. What each progress update said was left
is held against what then was left.
"""

from __future__ import annotations

import argparse
import os
import random
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any

from sqlalchemy import Engine

from benchmarks.shared.command import OUT, Command, Option
from benchmarks.shared.page import page, table, write
from jobs import rates, workers
from jobs.artifacts import ArtifactStore
from jobs.database import make_engine, migrate
from jobs.forecast import Forecast, Range
from jobs.generators import GeneratorStore
from jobs.job import Job, NewJob
from jobs.settings import Settings
from jobs.states import EventType, Status
from jobs.store import JobStore
from jobs.work import CPU, Work
from jobs.workers import Worker
from local.services import services
from sfd_core.admission import admit
from sfd_core.base_model.manifest import BaseModel
from sfd_core.display.numbers import duration, number
from sfd_core.evaluation.intervals import wilson
from sfd_core.request.reading import written
from worker.child import fork_server
from worker.runner import Runner

FORGET = {
    "fashion": (("Sneaker", "Bag"), ("Coat", "Trouser"), ("Dress", "Bag")),
    "emoji": (("pistol", "banana"),),
}
SEED = 11
COMMAND = Command(
    "estimates",
    __doc__,
    Option("--models", ("fashion", "emoji"), "base models", quick=("fashion",), choices=tuple(FORGET)),
    Option("--jobs", 12, "of each", quick=2),
    Option("--images", (640, 1280, 2560, 6400), "of a budget, of which one is drawn", quick=(64,)),
    Option("--judged", (50, 200, 500), "evaluation images a concept, of which one is drawn", quick=(10,)),
    Option("--probed", 0.25, "share of jobs with a probe", quick=0.0),
    OUT,
)
HEADS = (
    *("model", "budget", "until", "judged", "probe", "estimated from", "total: likely (range)", "took", "held"),
    *("phases held", "left, off by"),
)


@dataclass(frozen=True)
class Outcome:
    """A job's times beside its estimate. ``seconds``: in total; ``phases``: of each; ``off``: by which share of what
    was left the time that was told to be left was off, in the median of its updates."""

    job: Job
    forecast: Forecast
    seconds: float
    phases: dict[str, float]
    off: float

    @property
    def held(self) -> bool:
        """Whether the range of the total held what it took."""
        return _holds(self.forecast.total(), self.seconds)

    @property
    def phases_held(self) -> int:
        return sum(_holds(each, self.phases[name]) for name, each in self.forecast.phases().items())


def run(arguments: argparse.Namespace) -> str:
    """Run every job and write the page."""
    with tempfile.TemporaryDirectory(prefix="lethe-bench-", dir="/tmp") as root:
        Path(root).chmod(0o711)  # as root, Postgres runs as another user, who must be let through
        with services(Path(root) / "data") as servers:
            migrate(servers.postgres.url)
            found = list(_outcomes(make_engine(servers.postgres.url), Path(root), arguments))
    known = [each for each in found if each.forecast.known.basis == "this_base_model"]
    rows = [_row(each) for each in found]
    held, phases = sum(each.held for each in known), sum(each.phases_held for each in known)
    share = wilson(held, len(known)) if known else None
    figure = f"{held} of {len(known)} ranges held the total, where jobs of the base model were known" + (
        f" (95 % interval from {share.low:.2f} to {share.high:.2f})" if share is not None else ""
    )
    text = page(
        "Estimates beside what jobs took",
        f"{os.cpu_count()} CPU cores; jobs trained with one thread each, one after the other. The load average at the "
        f"end was {os.getloadavg()[0]:.1f}: with other work on the machine, jobs take what that leaves them.",
        table(HEADS, rows),
        f"{figure}, and {phases} of {4 * len(known)} those of a phase. Ranges are meant to hold nine of ten.",
    )
    write(arguments.out, "estimates.md", text)
    return f"{figure}."


def _outcomes(engine: Engine, folder: Path, arguments: argparse.Namespace) -> Iterator[Outcome]:
    settings = Settings(data_dir=folder / "data", device="cpu", torch_threads=1)
    settings.work_dir.mkdir(parents=True)
    store, forks = JobStore(engine), fork_server(settings.work_dir)
    runner = Runner(settings, store, GeneratorStore(engine), ArtifactStore(settings.artifacts_url), "worker-1", forks)
    workers.state(engine, Worker(runner.name, "benchmark", "host", CPU, None))
    drawn = random.Random(SEED)
    forks.start()
    try:
        while not forks.ready(10):  # its imports are nothing that a job takes
            pass
        for name in arguments.models:
            model = settings.models()[name]
            for _ in range(arguments.jobs):
                yield _outcome(engine, runner, model, _asked(name, drawn, arguments))
    finally:
        forks.close()


def _asked(name: str, drawn: random.Random, arguments: argparse.Namespace) -> dict[str, Any]:
    concept, override = drawn.choice(FORGET[name])
    judged = drawn.choice(arguments.judged)
    evaluation: dict[str, Any] = {"images_per_concept": judged, "images_per_forgotten_concept": 2 * judged}
    if drawn.random() < arguments.probed:
        evaluation["probes"] = ["relearning"]
    return {
        "forget": [{"concept": concept, "override": override}],
        "budget": {"images": drawn.choice(arguments.images), "until": drawn.choice(("pass", "budget"))},
        "evaluation": evaluation,
        "seed": drawn.randrange(1000),
    }


def _outcome(engine: Engine, runner: Runner, model: BaseModel, asked: dict[str, Any]) -> Outcome:
    admitted = admit(asked, model)
    work = Work.of(admitted.request, admitted.model)
    with engine.connect() as connection:
        forecast = Forecast.of(work, rates.known(connection, model.name, CPU, 1))
    job, _ = runner.store.create(NewJob("default", written(admitted.request), model.name, model.digest))
    runner.run()
    job = runner.store.get(job.id)
    if job.status is not Status.SUCCEEDED or job.started_at is None or job.finished_at is None:
        raise SystemExit(f"{job.id} is {job.status}: {job.error}")
    began = {"preparing": job.started_at}
    left = []
    for event in _events(runner.store, job):
        if event.type is EventType.PHASE:
            began[event.data["phase"]] = event.created_at
        elif event.type is EventType.PROGRESS:
            truth = (job.finished_at - event.created_at).total_seconds()
            left.append(abs(event.data["eta_seconds"] - truth) / max(truth, 1.0))
    ends = [*list(began.values())[1:], job.finished_at]
    phases = {name: (end - began[name]).total_seconds() for name, end in zip(began, ends, strict=True)}
    made = Outcome(job, forecast, (job.finished_at - job.started_at).total_seconds(), phases, median(left))
    print(*_row(made), sep=" | ", flush=True)
    return made


def _events(store: JobStore, job: Job) -> Iterator[Any]:
    after = 0
    while found := store.events(job.id, after, 500):
        yield from found
        after = found[-1].seq


def _holds(estimate: Range, seconds: float) -> bool:
    return estimate.low <= seconds <= estimate.high


def _row(found: Outcome) -> Sequence[object]:
    total, request, known = found.forecast.total(), found.job.request, found.forecast.known
    words = {
        "this_base_model": f"{len(known.observations)} of it",
        "other_base_models": f"{len(known.observations)} of others",
        "first_guess": "a first guess",
    }
    return (
        found.job.base_model,
        number(request["budget"]["images"]),
        request["budget"]["until"],
        request["evaluation"]["images_per_concept"],
        ", ".join(request["evaluation"]["probes"]) or "-",
        words[known.basis],
        f"{duration(total.likely)} ({duration(total.low)} to {duration(total.high)})",
        duration(found.seconds),
        "yes" if found.held else "no",
        f"{found.phases_held} of 4",
        f"{found.off:.0%}",
    )


if __name__ == "__main__":
    COMMAND.main(run)
