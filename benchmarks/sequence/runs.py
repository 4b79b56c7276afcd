"""The jobs of a sequence, run in each of three ways. Each leaves ``result.json`` in its folder, and is not run again
while that is there."""

from __future__ import annotations

import dataclasses
import json
import shutil
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from benchmarks.sequence.figures import Seen, figures_of
from benchmarks.sequence.series import Series
from benchmarks.shared.experiment import CPU, Experiment, finished
from benchmarks.shared.page import keep_commit
from jobs.continuing import going_on
from jobs.generators import Generator
from jobs.job import StoredFile
from sfd_core.admission import admit
from sfd_core.base_model.manifest import BaseModel, digest_of, file_sha256
from sfd_core.evaluation.domain_parts import domain_parts
from sfd_core.evaluation.evaluate import evaluate
from sfd_core.evaluation.subject import ImageSource
from sfd_core.families.protocol import Generator as LoadedGenerator
from sfd_core.families.protocol import TrainingPlan
from sfd_core.report.report import from_json
from sfd_core.request.reading import written
from sfd_core.run import unlearn
from sfd_core.training.loop import train
from sfd_core.training.state import save_pair, start
from worker.publication import summary

KEPT, NAIVE, AT_ONCE = WAYS = ("kept", "naive", "at-once")
FIRST_STAGE = "first-stage"
PAIR, RESULT = "pair", "result.json"


@dataclass(frozen=True)
class Bench:
    """The sequence of one base model. ``work``: has a folder for each job that is finished."""

    model: BaseModel
    series: Series
    work: Path

    def parts(self, ways: Sequence[str]) -> list[tuple[str, int]]:
        """List the jobs of these ways, each with how many requests were made until then: what stands first is needed
        by what stands behind it."""
        n = len(self.series.requests)
        in_a_row = [(way, k) for way in (KEPT, NAIVE) if way in ways for k in range(1, n + 1)]
        return [(FIRST_STAGE, n), *in_a_row, *([(AT_ONCE, n)] if AT_ONCE in ways else [])]

    def folder(self, way: str, n: int) -> Path:
        """Return where the job behind ``n`` requests is kept. The first of a row has nothing before it to keep, so it
        is one job for both ways."""
        return self.work / self.model.name / f"{KEPT if way == NAIVE and n == 1 else way}-{n}"

    def found(self, way: str, n: int) -> dict[str, Any] | None:
        """Return the result of a job if it is finished. Exits if it was made from something else."""
        folder = self.folder(way, n)
        if not (folder / RESULT).is_file():
            return None
        result: dict[str, Any] = json.loads((folder / RESULT).read_text())
        if result["asked"] != self._asked(way, n):
            raise SystemExit(f"{folder}: made with other options; remove it to have it made anew")
        return result

    def run(self, way: str, n: int) -> dict[str, Any]:
        """Return the result of a job, which is run first if it is not finished: after those that it goes on from."""
        if n > 1 and way in (KEPT, NAIVE):
            self.run(way, n - 1)
        if (kept := self.found(way, n)) is not None:
            return kept
        folder = self.folder(way, n)
        shutil.rmtree(folder, ignore_errors=True)
        keep_commit(folder)
        if way == FIRST_STAGE:
            made = self._first_stage()
        elif way == NAIVE and n > 1:
            made = self._naive(n, folder)
        else:
            made = self._job(way, n, folder)
        result = {"asked": self._asked(way, n), **made}
        written_as = json.dumps(result, indent=2, allow_nan=False)
        # In one piece: whoever is killed while writing must not leave half a result.
        (folder / "unfinished.json").write_text(written_as + "\n")
        (folder / "unfinished.json").rename(folder / RESULT)
        return dict(json.loads(written_as))

    def _asked(self, way: str, n: int) -> dict[str, Any]:
        """What decides a job's result, and so what a kept one must have been made from."""
        goes_on = n > 1 and way in (KEPT, NAIVE)
        return {
            "base": self.model.digest,
            "body": self._body(way, n),
            "from": _digest(self.folder(way, n - 1) / PAIR) if goes_on else None,
        }

    def _body(self, way: str, n: int) -> dict[str, Any]:
        """What a job is asked, or is looked at for: the newest concept first, as where the service writes it."""
        if way == AT_ONCE:
            return self.series.body(range(n), first=True)
        body = self.series.body(range(n - 1, -1, -1), first=n == 1)
        if way == FIRST_STAGE:  # as many images of every concept, whichever are forgotten so far
            body["evaluation"]["images_per_forgotten_concept"] = self.series.retained
        return body

    def _job(self, way: str, n: int, folder: Path) -> dict[str, Any]:
        """Run a job as the service does: the first, all at once, or one that keeps what those before have forgotten."""
        body, pair = self._body(way, n), None
        if way == KEPT and n > 1:
            pair, before = self.folder(way, n - 1) / PAIR, self.run(way, n - 1)
            body = going_on(body | {"forget": body["forget"][:1]}, self._parent(n - 1, before), before["request"])
        admitted = admit(body, self.model)
        with tempfile.TemporaryDirectory(dir=folder) as scratch:
            out = Path(scratch)
            report = finished(unlearn(admitted, out, device=str(CPU), pair=pair, keep_pair=True)).report
            (out / PAIR).rename(folder / PAIR)
            (out / "report").rename(folder / "report")
        seconds = {phase: report["cost"]["seconds"][phase] for phase in ("training", "evaluating")}
        return {
            "figures": figures_of(Seen.of_report(from_json(report))),
            "seconds": seconds,
            "verdict": report["verdict"],
            "request": written(admitted.request),
            "summary": summary(report),
        }

    def _parent(self, n: int, result: dict[str, Any]) -> Generator:
        """Return what the service would know of the generator behind ``n`` requests. It is gone on from whatever its
        verdict is, as where an administrator has released it; its figures stand for its record, which is only named."""
        files = {name: StoredFile(digest, 0) for name, digest in _digests(self.folder(KEPT, n) / PAIR).items()}
        return Generator(
            id=f"{KEPT}-{n}",
            tenant="benchmark",
            job_id=f"{KEPT}-{n}",
            attempt=1,
            status="published",
            verdict=result["verdict"],
            base_model=self.model.name,
            base_model_digest=self.model.digest,
            forget=(),
            figures=result["summary"],
            files={},
            digest="",
            created_at=datetime.now(UTC),
            record=json.dumps(result["figures"], sort_keys=True),
            release=None,
            pair=files,
        )

    def _naive(self, n: int, folder: Path) -> dict[str, Any]:
        """Go on from the last pair and ask for the newest concept alone; then look for all of them."""
        experiment = Experiment.of(self.model, self._body(NAIVE, n))
        request, base = experiment.request, experiment.base
        state = start(base, request.recipe, request.seed, CPU, pair=self.folder(NAIVE, n - 1) / PAIR)
        for _ in train(state, base, request, plan=newest_alone(experiment.plan)):
            pass
        save_pair(state, folder / PAIR)
        began = time.monotonic()
        figures = figures_of(looked_at(experiment.generator(state), experiment))
        seconds = {"training": state.seconds, "evaluating": time.monotonic() - began}
        return {"figures": figures, "seconds": seconds, "verdict": None}

    def _first_stage(self) -> dict[str, Any]:
        """Look at what every sequence starts from, for all that it will forget."""
        experiment = Experiment.of(self.model, self._body(FIRST_STAGE, len(self.series.requests)))
        seen = looked_at(experiment.generator(experiment.start()), experiment)
        return {"figures": figures_of(seen), "seconds": None, "verdict": None}


def newest_alone(plan: TrainingPlan) -> TrainingPlan:
    """Return a plan that forgets the first concept of ``plan`` only. The others are in no batch: neither are they asked
    for as what is forgotten, nor as what remains, which would bring them back on purpose."""
    table = plan.forgetting
    return dataclasses.replace(plan, forgetting=dataclasses.replace(table, forgotten=table.forgotten[:1]))


def looked_at(generator: LoadedGenerator, experiment: Experiment) -> list[Seen]:
    """Evaluate the images of ``generator`` in each domain, as a report does; of what no figure here is taken from, the
    network behind its step and what is asked beside, nothing is looked at."""
    base, found = experiment.base.model, []
    evaluators, samplers = experiment.evaluators.deciding(), ImageSource.of_generator(generator).samplers
    for one in domain_parts(experiment.request, base, experiment.prompts):
        *_, (_, _, measured) = evaluate(samplers, evaluators.seen_in(one.model), one.request, plan=one.plan)
        assert measured is not None
        found.append(Seen.of_measurement(measured))
    return found


def _digests(folder: Path) -> dict[str, str]:
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    return {path.relative_to(folder).as_posix(): file_sha256(path) for path in files}


def _digest(folder: Path) -> str:
    return digest_of(_digests(folder))
