"""Repeat a run from its record, and say whether the same generator comes out, bit for bit.

A seed decides a run only together with the order in which numbers are added: with the same code, versions, vector
instructions and threads the weights are equal to the last bit, otherwise they are near. So the run is repeated with
as many threads as the record names and as many images as were trained on (a budget of seconds would end elsewhere),
and where the result differs, what differs between then and now is listed beside it.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from cli.local_run import run
from jobs.record import EVALUATION, RecordMismatch
from jobs.record.statement import Statement, subjects
from jobs.settings import Settings
from sfd_core.admission import Admitted, admit
from sfd_core.base_model.manifest import BaseModel
from sfd_core.errors import ModelRefused
from sfd_core.request.concepts import Budget

ENVIRONMENT = ("code", "dependencies", "machine")


@dataclass(frozen=True)
class Comparison:
    """A run and its repetition. ``generator`` and ``evaluation``: (how many files were compared, names of those that
    differ). ``environment``: what differs between then and now, a line each."""

    generator: tuple[int, tuple[str, ...]]
    evaluation: tuple[int, tuple[str, ...]]
    environment: tuple[str, ...]

    @property
    def bit_equal(self) -> bool:
        """Whether every file of the generator is the one that the record names."""
        return not self.generator[1]

    def lines(self) -> Iterator[str]:
        """Yield the comparison in words."""
        count, differing = self.generator
        if self.bit_equal:
            yield f"bit-equal: the generator's {count} files are those of the record"
        else:
            yield f"differs: of the generator's {count} files, {', '.join(differing)}"
        count, differing = self.evaluation
        if differing:
            yield f"evaluation: of {count} files of scores and pictures, {', '.join(differing)} differ"
        else:
            yield f"evaluation: {count} files of scores and pictures are those of the record"
        if self.environment:
            yield "then and now:"
            yield from (f"  {line}" for line in self.environment)
        else:
            yield "then and now: the same code, versions and machine"


def rerun(statement: Statement, model: BaseModel, out: Path, settings: Settings) -> Comparison:
    """Repeat the run of ``statement`` on ``model`` and leave its result in ``out/generator``, with an unsigned record
    of its own.

    Raises:
        ModelRefused: ``model`` is not what the run started from.
        RecordMismatch: the record lacks what a run needs.
        InvalidRequest: its request is none that this Lethe takes.
    """
    predicate = statement["predicate"]
    try:
        _check_model(predicate["base_model"], model)
        admitted = request_of(predicate, model)
        machine = predicate["machine"]
        threads, device = int(machine["threads"]), str(machine["device"])
        for group in ENVIRONMENT:
            predicate[group].items()
    except (KeyError, TypeError, AttributeError) as error:
        raise RecordMismatch("payload.predicate", f"lacks what a run needs: {error!r}") from None
    torch.set_num_threads(threads)
    result = run(model, admitted, out, device, settings.model_copy(update={"signing_key": None}))
    return compare(statement, result.record)


def request_of(predicate: Mapping[str, Any], model: BaseModel) -> Admitted:
    """Return the request of a record, for as many images as its run came to, and in micro-batches as it ran in."""
    asked = predicate["request"]
    recipe = {**asked["recipe"], "micro_batch": predicate["recipe"]["micro_batch"]}
    admitted = admit({**asked, "recipe": recipe}, model)
    request = dataclasses.replace(admitted.request, budget=Budget(predicate["images_trained"], until="budget"))
    return dataclasses.replace(admitted, request=request)


def compare(then: Statement, now: Statement) -> Comparison:
    """Compare what two records state of their files and of what they ran on."""
    a, b = subjects(then), subjects(now)
    names = [name for name in sorted({*a, *b}) if not _tells_the_time(name)]
    differing = {name for name in names if a.get(name) != b.get(name)}

    def part(evaluation: bool) -> tuple[int, tuple[str, ...]]:
        mine = [name for name in names if name.startswith(f"{EVALUATION}/") == evaluation]
        return len(mine), tuple(name for name in mine if name in differing)

    lines = []
    for group in ENVIRONMENT:
        old, new = then["predicate"][group], now["predicate"][group]
        lines += [
            f"{group}.{name}: {old.get(name)} then, {new.get(name)} now"
            for name in sorted({*old, *new})
            if old.get(name) != new.get(name)
        ]
    return Comparison(part(False), part(True), tuple(lines))


def _tells_the_time(name: str) -> bool:
    """Files that differ between any two runs: the card and the report hold dates and speeds, and the strip's moments
    are shares of a budget, which is another one when the first run ended early."""
    return name in ("README.md", f"{EVALUATION}/report.json", f"{EVALUATION}/report.html") or name.startswith(
        f"{EVALUATION}/strip"
    )


def _check_model(stated: Mapping[str, Any], model: BaseModel) -> None:
    if model.digest == stated["digest"]:
        return
    files = stated["files"]
    differing = sorted(name for name in {*files, *model.files} if files.get(name) != model.files.get(name))
    raise ModelRefused(
        f"{model.folder}: not the base model of the record ({stated['digest']}); other files: {', '.join(differing)}"
    )
