"""What ``lethe evaluate`` does: the report of an external generator, with a progress bar, into a folder."""

from __future__ import annotations

import dataclasses
import shlex
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

import torch

from cli.arguments import override_in
from cli.console import console, say
from cli.run_view import RunView
from cli.tables import reasons, report_table
from client.answers import read
from client.reports import Report
from sfd_core.admission import Admitted, admit
from sfd_core.base_model.manifest import BaseModel, digest_of
from sfd_core.evaluation import nsfw
from sfd_core.evaluation.evaluators import Evaluators, GivenWeights
from sfd_core.evaluation.pace import Pace
from sfd_core.evaluation.parts import part
from sfd_core.evaluation.sections.unlearning import UnlearnedConcept, Unlearning
from sfd_core.evaluation.subject import ImageSource, open_generator
from sfd_core.families.device import pick_device
from sfd_core.families.loading import load_base
from sfd_core.families.protocol import LoadedBase
from sfd_core.families.registry import describe, family_of
from sfd_core.report.examine import ReportDraft, examine, write_report
from sfd_core.report.report import ForgottenConcept, GeneratorFiles
from sfd_core.request.unlearning_request import UnlearningRequest

Row = TypeVar("Row", ForgottenConcept, UnlearnedConcept)


def run(
    folder: Path,
    base_name: str,
    model: BaseModel,
    forgotten: Sequence[tuple[str, str]],
    outside_vocabulary: bool,
    body: Mapping[str, Any],
    out: Path,
    steps: int | None,
    device: str,
    weights: tuple[Path | None, Path | None],
    mark_images: bool,
) -> str:
    """Evaluate the generator in ``folder`` and write the report into ``out``. Returns the verdict.

    ``base_name``: the base model as it was named. ``forgotten``: (concept, override or ""). ``weights``: of
    Inception and CLIP, where given. ``mark_images``: as of ``write_report``.

    Raises:
        InvalidRequest, ModelRefused: for a request, a base model or a generator that do not fit.
    """
    admitted = _request(forgotten, outside_vocabulary, body, model)
    request = admitted.request
    where = pick_device(device)
    base = load_base(admitted.model, where)
    source = open_generator(folder, base, steps, where)
    draft = _without_overrides(
        _draft(source, base, admitted, where, GivenWeights(*weights)),
        {item.concept for (_, override), item in zip(forgotten, request.forget, strict=True) if not override},
    )
    files = family_of(model.family).files(folder)
    draft = draft.extended(generator=GeneratorFiles(digest_of(files), files))
    command = _command(folder, base_name, forgotten, request, steps)
    report = write_report(draft, out, [command], mark_images=mark_images)
    parsed, screen = read(Report, report), console()
    screen.print(report_table(parsed))
    for reason in reasons(parsed):
        say(screen, reason)
    say(screen, f"verdict: {parsed.verdict}\nreport: {out / 'report.html'}")
    return parsed.verdict


def _request(
    forgotten: Sequence[tuple[str, str]], outside_vocabulary: bool, body: Mapping[str, Any], model: BaseModel
) -> Admitted:
    """A request like a job's: it decides what is counted as forgotten, and by which thresholds."""
    unknown = {"empty": True} if describe(model.family).takes_prompts else {"judge": True}
    forget: list[dict[str, Any]] = [
        {"concept": concept, "override": override_in(override) if override else unknown}
        for concept, override in forgotten
    ]
    if outside_vocabulary:
        forget = [{**item, "outside_vocabulary": True} for item in forget]
    return admit({**body, "forget": forget, "budget": {"images": 1}}, model)


def _without_overrides(draft: ReportDraft, concepts: Collection[str]) -> ReportDraft:
    """Of ``concepts`` nobody said what is to be shown in their place."""

    def unsaid(rows: Sequence[Row]) -> tuple[Row, ...]:
        return tuple(dataclasses.replace(row, override=None) if row.concept in concepts else row for row in rows)

    rows = part(draft.report, Unlearning).unlearning
    further = tuple(
        dataclasses.replace(each, unlearning=unsaid(part(each, Unlearning).unlearning))  # type: ignore[call-arg]
        for each in draft.report.further_domains
    )
    forget = unsaid(draft.report.forget)
    return draft.extended(forget=forget, unlearning=unsaid(rows), further_domains=further)


def _draft(
    source: ImageSource, base: LoadedBase, admitted: Admitted, where: torch.device, weights: GivenWeights
) -> ReportDraft:
    request, plan = admitted.request, admitted.plan
    evaluators = Evaluators.load(base.model, where, weights, nsfw.wanted(request))
    pace, draft = Pace(), None
    with RunView(console()) as view:
        view.phase("evaluating")
        for done, of, draft in examine(source, base, evaluators, request, where, plan):  # noqa: B007 - the last is used
            rate, eta = pace(done, of)
            view.progress({"images": done, "of": of, "images_per_second": rate, "eta_seconds": eta})
    assert draft is not None
    return draft


def _command(
    folder: Path, base: str, forgotten: Sequence[tuple[str, str]], request: UnlearningRequest, steps: int | None
) -> str:
    """The command that makes this report again."""
    plan = request.evaluation
    options: list[tuple[object, ...]] = [
        ("--generator", folder),
        ("--base", base),
        *(("--forgotten", f"{concept}={override}" if override else concept) for concept, override in forgotten),
        *([("--outside-vocabulary",)] if request.forget[0].outside_vocabulary else []),
        *([("--steps", steps)] if steps else []),
        ("--images-per-concept", plan.images_per_concept),
        ("--images-per-forgotten-concept", plan.images_per_forgotten_concept),
        *(("--threshold", f"{name}={value}") for name, value in request.thresholds.items()),
        *(("--probe", name) for name in plan.probes),
        ("--seed", request.seed),
    ]
    return shlex.join(["lethe", "evaluate", *(str(part) for option in options for part in option)])
