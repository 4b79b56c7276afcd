"""The whole report of one generator, JSON and page: measured part, probes, pictures, speed, per-image scores, limits.

A job and ``lethe evaluate`` both come here; what only a job knows (training, strip, costs) is handed in.
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

import torch

from sfd_core.base_model.manifest import BaseModel, file_sha256
from sfd_core.display.pictures import examples_picture
from sfd_core.errors import FieldError, InvalidRequest, ModelRefused
from sfd_core.evaluation.evaluate import Measured, evaluate
from sfd_core.evaluation.evaluators import Evaluators
from sfd_core.evaluation.judge import ImageJudge
from sfd_core.evaluation.judged import Judged, seeds_of
from sfd_core.evaluation.probes import ProbeResults, Subject, probe
from sfd_core.evaluation.scores import save_scores
from sfd_core.evaluation.subject import Evaluated, teacher_of
from sfd_core.families.class_unet.generator import OneStepGenerator
from sfd_core.families.protocol import LoadedBase
from sfd_core.prompts.plan import PromptPlan
from sfd_core.report.page import limits_of, render
from sfd_core.report.schema import SCHEMA_VERSION
from sfd_core.report.side_by_side import side_by_side
from sfd_core.request.concepts import FixedOverride
from sfd_core.request.reading import written
from sfd_core.request.unlearning_request import UnlearningRequest

SCORES = "scores.safetensors"
EXAMPLE_PROMPTS = 3
"""Prompts of each concept that a report prints."""


@dataclass
class Examined:
    """A report before it is written. ``pictures``: PNG by name."""

    report: dict[str, Any]
    judged: Judged
    pictures: dict[str, bytes] = field(default_factory=dict)


def examine(
    subject: Evaluated,
    base: LoadedBase,
    evaluators: Evaluators,
    request: UnlearningRequest,
    device: torch.device,
    plan: PromptPlan | None = None,
) -> Iterator[tuple[int, int, Examined | None]]:
    """Measure, probe and picture ``subject`` for ``request``. Yields (done, of, None) often, counted in images and
    then, from nought again, in pieces of the probes; at last the report. ``plan``: the prompts of a text-to-image
    model, as admission made them.

    Raises:
        InvalidRequest: probes are asked for, and ``subject`` takes many steps or prompts: they work on one-step
            generators of classes.
    """
    asked = request.evaluation.probes
    if asked and subject.generator is None:
        raise InvalidRequest((FieldError("/evaluation/probes", _why_no_probes(subject)),))
    measured: Measured | None = None
    teacher = Evaluated.many_steps(teacher_of(base, device), "base model")
    for done, of, measured in evaluate(  # noqa: B007 - the last one is used
        subject.makes, evaluators, request, plan=plan, teacher=teacher.makes, refused=subject.refused
    ):
        yield done, of, None
    assert measured is not None
    evaluators = measured.evaluators
    base = dataclasses.replace(base, model=evaluators.model)
    report = {**header(evaluators, request), **measured.report}
    report["subject"] = {
        "kind": subject.kind,
        "network_evaluations": subject.network_evaluations,
        "title": subject.title,
    }
    examined = Examined(report, measured.judged)
    found: ProbeResults | None = None
    if asked and subject.generator is not None:
        probed = _probed(subject.generator, base, evaluators, request, device)
        for done, of, found in probe(asked, probed):  # noqa: B007 - the last one is used
            yield done, of, None
    report["probes"] = {"asked": list(asked), "results": found.results if found is not None else {}}
    for example in found.examples if found is not None else ():
        examined.pictures[example.name] = examples_picture(example.rows, example.images)
    pictures, report["speed"] = side_by_side(subject, base, request, device, evaluators.prompts)
    examined.pictures |= pictures
    report["limits"] = limits_of(report)
    yield 1, 1, examined


def _probed(
    generator: OneStepGenerator,
    base: LoadedBase,
    evaluators: Evaluators,
    request: UnlearningRequest,
    device: torch.device,
) -> Subject:
    model = base.model
    forgotten = [
        (
            model.concept_index(item.concept),
            model.concept_index(item.override.concept) if isinstance(item.override, FixedOverride) else None,
        )
        for item in request.forget
    ]
    never_knew = {
        model.concept_index(item.concept): _control(model, control, device)
        for item in request.forget
        if (control := model.controls.get(item.concept)) is not None
    }
    judge, second = evaluators.judge, evaluators.second_judge
    if not isinstance(judge, ImageJudge):
        raise ValueError("probes search with gradients through a judge that is a classifier")
    return Subject(generator, base, never_knew, judge, second, forgotten, request.seed, device)


def _why_no_probes(subject: Evaluated) -> str:
    if subject.sample_prompts is not None:
        return "they change a class's condition, which a text-to-image model does not have: leave them out"
    return f"they work on one-step generators; this one takes {subject.network_evaluations} steps an image"


def _control(model: BaseModel, folder: str, device: torch.device) -> OneStepGenerator:
    control = OneStepGenerator.load(model.folder / folder, str(device))
    if control.concepts != model.concepts:
        raise ModelRefused(f"{model.folder / folder}: its concepts are not the base model's in their order")
    return control


def header(evaluators: Evaluators, request: UnlearningRequest) -> dict[str, Any]:
    """What was asked, of what, and by which judges."""
    asked, model = written(request), evaluators.model
    judge, second = evaluators.judges()
    return {
        "schema_version": SCHEMA_VERSION,
        "created_at": datetime.now(UTC).isoformat(timespec="seconds"),
        "base_model": {"name": model.name, "title": model.title, "digest": model.digest, "license": model.license},
        "domain": model.domain,
        "asked_by": _asked_by(evaluators),
        "judge": judge,
        "second_judge": second,
        **{name: asked[name] for name in ("forget", "thresholds", "evaluation", "seed")},
        "retain": asked.get("retain"),
        "versions": {name: version(name) for name in ("lethe", "torch", "diffusers", "transformers")},
    }


def _asked_by(evaluators: Evaluators) -> list[dict[str, Any]] | None:
    """The first prompts that images of each concept were asked for by; None where they were asked for by label."""
    if (prompts := evaluators.prompts) is None:
        return None
    rows = []
    for label, concept in enumerate(evaluators.model.concepts):
        texts = prompts.texts([label] * EXAMPLE_PROMPTS, seeds_of(label, EXAMPLE_PROMPTS))
        rows.append({"concept": concept, "prompts": list(dict.fromkeys(texts))})
    return rows


def write_report(examined: Examined, folder: Path, rerun: Sequence[str]) -> Mapping[str, Any]:
    """Write ``report.json``, ``report.html``, the pictures and the per-image scores into ``folder``. Returns the
    report as written."""
    folder.mkdir(parents=True, exist_ok=True)
    images = save_scores(examined.judged, folder / SCORES)
    report = examined.report
    report["scores"] = {"file": SCORES, "sha256": file_sha256(folder / SCORES), "images": images}
    report["rerun"] = list(rerun)
    report["pictures"] = {name: f"{name}.png" for name in examined.pictures}
    by_file = {f"{name}.png": content for name, content in examined.pictures.items()}
    for name, content in by_file.items():
        (folder / name).write_bytes(content)
    (folder / "report.html").write_text(render(report, by_file), "utf-8")
    (folder / "report.json").write_text(json.dumps(report, indent=2, allow_nan=False) + "\n", "utf-8")
    return report
