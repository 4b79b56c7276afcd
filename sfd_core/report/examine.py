"""The whole report of one generator, JSON and page: measured part, probes, pictures, speed, per-image scores, limits.

A job and ``lethe evaluate`` both come here; what only a job knows (training, strip, costs) is added to the draft.
"""

from __future__ import annotations

import dataclasses
import json
import time
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
from sfd_core.evaluation.domain_parts import DomainPart, domain_parts
from sfd_core.evaluation.evaluate import Measurement, evaluate
from sfd_core.evaluation.evaluators import Evaluators
from sfd_core.evaluation.own_network import OwnNetwork
from sfd_core.evaluation.parts import part as part_of
from sfd_core.evaluation.probing import ProbeReport, run_probes, together
from sfd_core.evaluation.scores import save_scores
from sfd_core.evaluation.sections.sequence import Sequence as InSequence
from sfd_core.evaluation.sections.sequence import together as together_kept
from sfd_core.evaluation.subject import ImageSource, base_sampler_of
from sfd_core.evaluation.verdict import Criterion, overall
from sfd_core.families.protocol import Generator, LoadedBase
from sfd_core.prompts.plan import PromptPlan
from sfd_core.report.by_domain import KEPT, by_domain
from sfd_core.report.page import SEVERAL_DOMAINS, limits_of, render
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
    compose_domain,
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
    """A report before it is written, and what it was counted from. ``pictures``: PNG by name; ``further``: what was
    judged in each domain but the first, where what was forgotten lies in several; ``probing_seconds``: what the probes
    took."""

    report: Report
    judgements: Judgements
    pictures: Mapping[str, bytes]
    further: Sequence[Judgements] = ()
    probing_seconds: float = 0.0

    def extended(self, pictures: Mapping[str, bytes] | None = None, **fields: Any) -> ReportDraft:
        """Return the draft with more ``pictures``, and other ``fields`` of the report."""
        report = dataclasses.replace(self.report, **fields)
        shown = {**self.pictures, **(pictures or {})}
        return dataclasses.replace(self, report=report, pictures=shown)


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
    # A filter stands before the network: who is behind it asks the network, and that was not looked at.
    network = source.generator if source.kind != "refusal" else None
    found: list[_Examined] = []
    for part in domain_parts(request, base.model, plan):
        one: _Examined | None = None
        done_before = sum(each.images for each in found)
        for done, of, one in _examined(source, network, base, evaluators, part, device):  # noqa: B007 - the last is used
            yield done_before + done, done_before + of, None
        assert one is not None
        found.append(one)
    probed: list[ProbeReport] = []
    began = time.monotonic()
    for one in found if asked else ():
        assert source.generator is not None  # probes of others were refused above
        target = AttackTarget.of(source.generator, one.base, one.measured.evaluators, one.part.request, device)
        last: ProbeReport | None = None
        for done, of, last in run_probes(asked, target, one.part.places):  # noqa: B007 - the last one is used
            yield done, of, None
        probed += [last] if last is not None else []
    probing = time.monotonic() - began if asked else 0.0
    pictures = {e.name: examples_picture(e.rows, e.images) for each in probed for e in each.examples}
    first, *further = found
    pairs, speed = side_by_side(source, first.base, first.part.request, device, first.measured.evaluators.prompts)
    for one in further:
        evaluators = one.measured.evaluators
        drawn, _ = side_by_side(source, one.base, one.part.request, device, evaluators.prompts)
        pairs |= {name.replace("pairs", f"pairs_{evaluators.model.domain}", 1): made for name, made in drawn.items()}
    criteria = [_named(one.measured, bool(further)) for one in found]
    report = compose(
        first.measured.parts,
        **_header(first.measured.evaluators, request),
        verdict=overall([criterion for some in criteria for criterion in some]),
        criteria=tuple(criterion for some in criteria for criterion in some),
        domain_verdicts={str(one.base.model.domain): one.measured.verdict for one in found} if further else {},
        further_domains=tuple(
            compose_domain(one.measured.parts, **_in_domain(one.measured.evaluators)) for one in further
        ),
        evaluators=tuple(dict.fromkeys(row for one in found for row in one.measured.evaluators.facts())),
        subject=SourceFacts(source.kind, source.network_evaluations, source.title),
        probes=together([each.part for each in probed]),
        speed=speed,
    )
    of_all = together_kept(part_of(each, InSequence) for each in (report, *report.further_domains))
    kept: dict[str, Any] = {KEPT: of_all}
    limits = [limit for each in by_domain(report) for limit in limits_of(each)]
    limits += [SEVERAL_DOMAINS] if further else []
    report = dataclasses.replace(report, limits=tuple(dict.fromkeys(limits)), **kept)
    judged = [one.measured.judgements for one in further]
    yield 1, 1, ReportDraft(report, first.measured.judgements, {**pictures, **pairs}, judged, probing)


@dataclass(frozen=True)
class _Examined:
    """The measurement in one domain. ``base``: seen in it; ``images``: how many it took."""

    part: DomainPart
    base: LoadedBase
    measured: Measurement
    images: int


def _examined(
    source: ImageSource,
    network: Generator | None,
    base: LoadedBase,
    evaluators: Evaluators,
    part: DomainPart,
    device: torch.device,
) -> Iterator[tuple[int, int, _Examined | None]]:
    """Measure ``source`` for what is forgotten in one domain, by its judges. Yields (images done, of, None), at last
    (of, of, what was measured). ``network``: what stands behind it, if it can be asked."""
    base = dataclasses.replace(base, model=part.model)
    measured: Measurement | None = None
    base_model = ImageSource.many_steps(base_sampler_of(base, device), "base model")
    own = OwnNetwork.of(network, base, part.request, part.plan, device) if network is not None else None
    for done, of, measured in evaluate(
        source.samplers,
        evaluators.seen_in(part.model),
        part.request,
        plan=part.plan,
        base_model=base_model.samplers,
        own_network=own,
        refused=source.refused,
        in_all=part.in_all,
    ):
        seen = dataclasses.replace(base, model=measured.evaluators.model) if measured is not None else base
        yield done, of, _Examined(part, seen, measured, done) if measured is not None else None


def _named(measured: Measurement, several: bool) -> tuple[Criterion, ...]:
    """The criteria of a domain; each with its name, where there are ``several``."""
    if not several:
        return measured.criteria
    domain = measured.evaluators.model.domain
    return tuple(dataclasses.replace(criterion, domain=domain) for criterion in measured.criteria)


def _in_domain(evaluators: Evaluators) -> dict[str, Any]:
    """What the images of one domain were asked for by, and which judges looked."""
    judge, second = evaluators.judges()
    return {
        "domain": evaluators.model.domain,
        "asked_by": _asked_by(evaluators),
        "judge": judge,
        "second_judge": second,
    }


def _header(evaluators: Evaluators, request: UnlearningRequest) -> dict[str, Any]:
    """What was asked, of what, and by which judges."""
    model = evaluators.model
    return {
        **_in_domain(evaluators),
        "created_at": datetime.now(UTC).isoformat(timespec="seconds"),
        "base_model": BaseModelFacts(model.name, model.title, model.digest, model.license),
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


def _scores(judgements: Judgements, folder: Path, name: str) -> ScoresFile:
    images = save_scores(judgements, folder / name)
    return ScoresFile(name, file_sha256(folder / name), images)


def write_report(draft: ReportDraft, folder: Path, rerun: Sequence[str], *, mark_images: bool = True) -> dict[str, Any]:
    """Write ``report.json``, ``report.html``, the pictures and the per-image scores into ``folder``. Returns what
    ``report.json`` holds. ``mark_images``: pictures say that a model has made what they show, and which."""
    folder.mkdir(parents=True, exist_ok=True)
    domains = [
        dataclasses.replace(each, scores=_scores(judged, folder, f"scores-{each.domain}.safetensors"))
        for each, judged in zip(draft.report.further_domains, draft.further, strict=True)
    ]
    report = dataclasses.replace(
        draft.report,
        scores=_scores(draft.judgements, folder, SCORES),
        further_domains=tuple(domains),
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
