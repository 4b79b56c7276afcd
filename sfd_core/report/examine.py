"""The whole report of one generator, JSON and page: measured part, probes, pictures, speed, per-image scores, limits.

A job and ``lethe evaluate`` both come here; what only a job knows (training, strip, costs) is added to the draft.
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

import torch

from sfd_core.base_model.manifest import file_sha256
from sfd_core.display.marking import WEIGHTS, marked
from sfd_core.display.pictures import examples_picture
from sfd_core.errors import FieldError, InvalidRequest
from sfd_core.evaluation.attack_target import AttackTarget
from sfd_core.evaluation.concept_images import Judgements, seeds_of
from sfd_core.evaluation.criteria import complete
from sfd_core.evaluation.evaluate import Measurement, evaluate
from sfd_core.evaluation.evaluators import Evaluators
from sfd_core.evaluation.own_network import OwnNetwork
from sfd_core.evaluation.probe import Probes
from sfd_core.evaluation.probing import ProbeReport, run_probes
from sfd_core.evaluation.scores import save_scores
from sfd_core.evaluation.subject import ImageSource, base_sampler_of
from sfd_core.families.protocol import LoadedBase
from sfd_core.prompts.plan import PromptPlan
from sfd_core.report.page import limits_of, render
from sfd_core.report.report import (
    AskedConcept,
    BaseModelFacts,
    ForgottenConcept,
    ForgottenTopic,
    Report,
    RetainedPrompts,
    ScoresFile,
    SourceFacts,
    compose,
    to_json,
)
from sfd_core.report.side_by_side import side_by_side
from sfd_core.request.concepts import Forget
from sfd_core.request.overrides import written_override
from sfd_core.request.unlearning_request import UnlearningRequest

SCORES = "scores.safetensors"
EXAMPLE_PROMPTS = 3
"""Prompts of each concept that a report prints."""


@dataclass(frozen=True)
class ReportDraft:
    """A report before it is written, and what it was counted from. ``pictures``: PNG by name."""

    report: Report
    judgements: Judgements
    pictures: Mapping[str, bytes]

    def extended(self, pictures: Mapping[str, bytes] | None = None, **fields: Any) -> ReportDraft:
        """Return the draft with more ``pictures``, and other ``fields`` of the report."""
        report = dataclasses.replace(self.report, **fields)
        return ReportDraft(report, self.judgements, {**self.pictures, **(pictures or {})})


def examine(
    source: ImageSource,
    base: LoadedBase,
    evaluators: Evaluators,
    request: UnlearningRequest,
    device: torch.device,
    plan: PromptPlan | None = None,
) -> Iterator[tuple[int, int, ReportDraft | None]]:
    """Measure, probe and picture ``source`` for ``request``. Yields (done, of, None) often, counted in images and then,
    from 0 again, in pieces of the probes; at last the report. ``plan``: the prompts of a text-to-image model, as
    admission made them.

    Raises:
        InvalidRequest: probes are asked for, and ``source`` takes many steps: they work on one-step generators.
    """
    asked = request.evaluation.probes
    if asked and (source.generator is None or source.generator.network_evaluations != 1):
        message = f"they work on one-step generators; this one takes {source.network_evaluations} steps an image"
        raise InvalidRequest((FieldError("/evaluation/probes", message),))
    measured: Measurement | None = None
    base_model = ImageSource.many_steps(base_sampler_of(base, device), "base model")
    # A filter stands before the network: who is behind it asks the network, and that was not looked at.
    network = source.generator if source.kind != "refusal" else None
    own = OwnNetwork.of(network, base, request, plan, device) if network is not None else None
    for done, of, measured in evaluate(  # noqa: B007 - the last one is used
        source.samplers,
        evaluators,
        request,
        plan=plan,
        base_model=base_model.samplers,
        own_network=own,
        refused=source.refused,
    ):
        yield done, of, None
    assert measured is not None
    evaluators = measured.evaluators
    base = dataclasses.replace(base, model=evaluators.model)
    probed: ProbeReport | None = None
    if asked and source.generator is not None:
        target = AttackTarget.of(source.generator, base, evaluators, request, device)
        for done, of, probed in run_probes(asked, target):  # noqa: B007 - the last one is used
            yield done, of, None
    pictures = {e.name: examples_picture(e.rows, e.images) for e in (probed.examples if probed is not None else ())}
    pairs, speed = side_by_side(source, base, request, device, evaluators.prompts)
    report = compose(
        measured.parts,
        **_header(evaluators, request),
        verdict=measured.verdict,
        criteria=measured.criteria,
        evaluators=evaluators.facts(),
        subject=SourceFacts(source.kind, source.network_evaluations, source.title),
        probes=probed.part if probed is not None else Probes(),
        speed=speed,
    )
    report = dataclasses.replace(report, limits=limits_of(report))
    yield 1, 1, ReportDraft(report, measured.judgements, {**pictures, **pairs})


def _header(evaluators: Evaluators, request: UnlearningRequest) -> dict[str, Any]:
    """What was asked, of what, and by which judges."""
    model = evaluators.model
    judge, second = evaluators.judges()
    return {
        "created_at": datetime.now(UTC).isoformat(timespec="seconds"),
        "base_model": BaseModelFacts(model.name, model.title, model.digest, model.license),
        "domain": model.domain,
        "asked_by": _asked_by(evaluators),
        "judge": judge,
        "second_judge": second,
        "forget": tuple(_forgotten(item) for item in request.forget),
        "thresholds": complete(request.thresholds),
        "evaluation": request.evaluation,
        "seed": request.seed,
        "retain": RetainedPrompts(request.retain.prompts) if request.retain is not None else None,
        "versions": {name: version(name) for name in ("lethe", "torch", "diffusers", "transformers")},
    }


def _forgotten(item: Forget) -> ForgottenConcept:
    topic = ForgottenTopic(item.topic.subjects, item.topic.keywords) if item.topic is not None else None
    override = written_override(item.override)
    return ForgottenConcept(item.concept, override, item.words or None, item.prompts or None, topic)


def _asked_by(evaluators: Evaluators) -> tuple[AskedConcept, ...] | None:
    """The first prompts that images of each concept were asked for by; None where they were asked for by label."""
    if (prompts := evaluators.prompts) is None:
        return None
    rows = []
    for label, concept in enumerate(evaluators.model.concepts):
        texts = prompts.texts([label] * EXAMPLE_PROMPTS, seeds_of(label, EXAMPLE_PROMPTS))
        rows.append(AskedConcept(concept, tuple(dict.fromkeys(texts))))
    return tuple(rows)


def write_report(draft: ReportDraft, folder: Path, rerun: Sequence[str], *, mark_images: bool = True) -> dict[str, Any]:
    """Write ``report.json``, ``report.html``, the pictures and the per-image scores into ``folder``. Returns what
    ``report.json`` holds. ``mark_images``: pictures say that a model has made what they show, and which."""
    folder.mkdir(parents=True, exist_ok=True)
    images = save_scores(draft.judgements, folder / SCORES)
    report = dataclasses.replace(
        draft.report,
        scores=ScoresFile(SCORES, file_sha256(folder / SCORES), images),
        rerun=tuple(rerun),
        pictures={name: f"{name}.png" for name in draft.pictures},
    )
    origin = {WEIGHTS: report.generator.digest} if report.generator is not None else {}
    by_file = {
        f"{name}.png": marked(content, origin) if mark_images else content for name, content in draft.pictures.items()
    }
    for name, content in by_file.items():
        (folder / name).write_bytes(content)
    (folder / "report.html").write_text(render(report, by_file), "utf-8")
    written = to_json(report)
    (folder / "report.json").write_text(json.dumps(written, indent=2, allow_nan=False) + "\n", "utf-8")
    return written
