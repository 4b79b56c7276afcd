"""What is held against each other: UA of what was forgotten, and what became of the rest, by the judge of a report."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

from benchmarks.shared.experiment import Experiment
from sfd_core.evaluation.concept_images import Judgements, judge_samples
from sfd_core.evaluation.evidence import Evidence
from sfd_core.evaluation.intervals import Interval, difference
from sfd_core.evaluation.questions import by_label
from sfd_core.evaluation.rates import pooled
from sfd_core.evaluation.sections import neighbours
from sfd_core.evaluation.subject import ImageSource


def measure(subject: ImageSource, experiment: Experiment) -> dict[str, Any]:
    """Judge images of every concept, as many as the experiment's request says, and return the row's figures: shares
    with their 95 % intervals. ``unlearned``: of all forgotten concepts together; ``least``: of the one where it is
    lowest; ``near``: of the remaining concepts that the judge takes most easily for a forgotten one."""
    request = experiment.request
    evaluators = experiment.evaluators.judge_alone().asking(request, experiment.prompts)
    concepts = evaluators.model.concepts
    forgotten = [concepts.index(item.concept) for item in request.forget]
    asked = request.evaluation
    counts = {
        label: asked.images_per_forgotten_concept if label in forgotten else asked.images_per_concept
        for label in range(len(concepts))
    }
    judgements = Judgements({})
    makes = by_label(subject.samplers, evaluators.prompts)
    for _, _, judgements in judge_samples(makes, evaluators, counts, forgotten):  # noqa: B007 - the last one is used
        pass
    evidence = Evidence(evaluators, request, 0, judgements, {})
    return {**_of_forgotten(evidence), **_of_kept(evidence)}


def _of_forgotten(evidence: Evidence) -> Mapping[str, Any]:
    (view, *_) = evidence.views
    gone = {label: view.generator[label] != label for label in evidence.forgotten}
    least = min(gone, key=lambda label: float(gone[label].mean()))
    return {
        "unlearned": _json(pooled(list(gone.values()))),
        "least": {"concept": evidence.concepts[least], **_json(pooled([gone[least]]))},
    }


def _of_kept(evidence: Evidence) -> Mapping[str, Any]:
    (view, *_) = evidence.views
    rows = neighbours.measure(evidence).neighbours
    near = [evidence.concepts.index(name) for name in dict.fromkeys(row.concept for row in rows)]
    found: dict[str, Any] = {}
    for name, labels in (("retained", evidence.kept), ("near", near)):
        before, after = view.base_model_right(labels), view.right(labels)
        assert before is not None  # a bundled model ships its own images
        found[name] = {"after": _json(after), "before": _json(before), "drop": _json(difference(before, after))}
    found["near"]["concepts"] = [evidence.concepts[label] for label in near]
    return found


def _json(interval: Interval) -> dict[str, Any]:
    return dataclasses.asdict(interval)
