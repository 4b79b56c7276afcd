"""From a generator to what a report says of it: is it gone, and is the rest intact?

Images are made and judged concept by concept, and only scores and features are kept; then each section measures from
them, and each criterion is held against its threshold, which the request fixed before the run. The same code evaluates
what a job has made, an external generator, and the negative controls of the tests.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sfd_core.evaluation.concept_images import SEEDS_A_CONCEPT, Judgements, judge_samples
from sfd_core.evaluation.criteria import CRITERIA, complete
from sfd_core.evaluation.evaluators import Evaluators
from sfd_core.evaluation.evidence import Answer, Evidence, Setting
from sfd_core.evaluation.features import FeatureExtractor
from sfd_core.evaluation.further_images import ask
from sfd_core.evaluation.judge import Judgement
from sfd_core.evaluation.own_network import OwnNetwork
from sfd_core.evaluation.parts import Parts, PartsOnDemand
from sfd_core.evaluation.questions import Sample, Samplers, by_label
from sfd_core.evaluation.reference import FeatureReference, Reference, ReferenceSet
from sfd_core.evaluation.section import Section
from sfd_core.evaluation.sections import SECTIONS
from sfd_core.evaluation.verdict import (
    Criterion,
    Verdict,
    overall,
)
from sfd_core.prompts.plan import PromptPlan
from sfd_core.request.unlearning_request import UnlearningRequest

REFERENCE_SEEDS = SEEDS_A_CONCEPT // 2
"""How far the seeds of reference images that are made on the spot lie from those of the images that are judged."""


@dataclass(frozen=True)
class Measurement:
    """The result of an evaluation. ``parts``: what each section measured; ``judgements``: what it was counted from;
    ``evaluators``: those that looked, with the concepts and prompts that the request led to; ``evidence``: all that was
    measured from."""

    parts: Parts
    criteria: tuple[Criterion, ...]
    judgements: Judgements
    evaluators: Evaluators
    evidence: Evidence

    @property
    def verdict(self) -> Verdict:
        return overall(self.criteria)


def evaluate(
    sample: Sample | Samplers,
    evaluators: Evaluators,
    request: UnlearningRequest,
    *,
    plan: PromptPlan | None = None,
    base_model: Sample | Samplers | None = None,
    own_network: OwnNetwork | None = None,
    refused: Collection[int] = (),
    seed_offset: int = 0,
    in_all: int | None = None,
) -> Iterator[tuple[int, int, Measurement | None]]:
    """Evaluate ``sample`` for ``request``. Yields (images done, of, None), at last (of, of, what was measured).

    ``plan``: the prompts of a text-to-image model, as admission made them. ``base_model``: makes reference images where
    it ships none (of a judge, of another domain's, or of an extractor's features), and says which paraphrases it knows;
    a text-to-image model without a judge of its own needs it. ``own_network``: of a one-step generator. ``refused``:
    forgotten labels of which a filter makes no image.
    ``seed_offset``: other images than the report's own, for repeated evaluations of one generator. ``in_all``: how many
    concepts are forgotten, where ``request`` is one domain's part of a larger one.
    """
    ours, theirs = _samplers(sample), None if base_model is None else _samplers(base_model)
    evaluators = evaluators.asking(request, plan)
    concepts = evaluators.model.concepts
    forgotten = [concepts.index(item.concept) for item in request.forget]
    looked_at = request.evaluation
    counts = {
        label: looked_at.images_per_forgotten_concept if label in forgotten else looked_at.images_per_concept
        for label in range(len(concepts))
    }
    references = _references_needed(evaluators, counts, forgotten, looked_at.images_per_concept) if theirs else {}
    done_before, of = sum(counts.values()), sum(counts.values()) + sum(references.values())
    judgements = Judgements({})
    images = by_label(ours, evaluators.prompts)
    for done, _, judgements in judge_samples(  # noqa: B007
        images, evaluators, counts, forgotten, refused, seed_offset
    ):
        yield done, of, None
    if references and theirs is not None:
        looking = dataclasses.replace(
            evaluators.judge_alone(),
            second_judge=evaluators.second_judge,
            extractors=_without_reference(evaluators),
            others=tuple(other for other in evaluators.others if other.reference is None),
        )
        seen = Judgements({})
        images = by_label(theirs, evaluators.prompts)
        # From other seeds than the generator's: at the same ones a base model measured here would be its own reference.
        for done, _, seen in judge_samples(  # noqa: B007
            images, looking, references, (), (), seed_offset + REFERENCE_SEEDS
        ):
            yield done_before + done, of, None
        evaluators = _with_own_references(evaluators, seen, references)
    answers: Mapping[type[Any], Sequence[Answer]] = {}
    if ours.prompts is not None and theirs is not None and theirs.prompts is not None:
        setting = Setting(evaluators, request, seed_offset)
        for done, more, given in ask(ours.prompts, theirs.prompts, setting):
            yield of + done, of + more, None
            answers = given or answers
        of += more
    judged = Evidence(evaluators, request, seed_offset, judgements, answers, refused=refused, in_all=in_all)
    evidence = judged
    if own_network is not None and evaluators.judge is not None:
        for done, more, evidence in look_behind(judged, own_network):  # noqa: B007 - the last one is used
            yield of + done, of + more, None
        of += more
    yield of, of, measure(evidence)


def look_behind(evidence: Evidence, own_network: OwnNetwork) -> Iterator[tuple[int, int, Evidence]]:
    """Look at the network behind the images that were judged, for every section that does. Yields (images done, of,
    ``evidence``), at last with what was seen."""
    before = 0
    for part, look in ((section.part, section.look) for section in SECTIONS if section.look is not None):
        for done, of, found in look(evidence, own_network):  # noqa: B007 - the last one is used
            yield before + done, before + of, evidence
        before += of
        evidence = dataclasses.replace(evidence, looked={**evidence.looked, part: found})
    yield before, before, evidence


def measure(evidence: Evidence) -> Measurement:
    """Return what every section says of ``evidence``, and what every criterion says of that.

    Raises:
        ValueError: for evaluators with a judge and without reference statistics.
    """
    parts = PartsOnDemand({section.part: partial(_measured, section, evidence) for section in SECTIONS})
    thresholds = complete(evidence.request.thresholds)
    criteria = [one for name, spec in CRITERIA.items() for one in spec.decide(parts, evidence, thresholds[name])]
    return Measurement(parts, tuple(criteria), evidence.judgements, evidence.evaluators, evidence)


def _measured(section: Section, evidence: Evidence) -> Any:
    return section.measure(evidence) if evidence.has_judge or not section.needs_judge else section.part()


def _samplers(sample: Sample | Samplers) -> Samplers:
    return sample if isinstance(sample, Samplers) else Samplers(sample)


def _without_reference(evaluators: Evaluators) -> list[FeatureExtractor]:
    return [extractor for extractor in evaluators.extractors if extractor.name not in evaluators.references]


def _references_needed(
    evaluators: Evaluators, counts: Mapping[int, int], forgotten: Sequence[int], most: int
) -> dict[int, int]:
    """Images by label that the base model has to make as a reference: of every concept where the judge has none, of
    the remaining ones where only an extractor or another domain's judge has none."""
    if evaluators.judge is not None and evaluators.reference is None:
        return {label: min(n, most) for label, n in counts.items()}
    lacking = _without_reference(evaluators) or any(other.reference is None for other in evaluators.others)
    return {label: n for label, n in counts.items() if label not in forgotten} if lacking else {}


def _with_own_references(evaluators: Evaluators, base_model: Judgements, counts: Mapping[int, int]) -> Evaluators:
    """With the base model's images of this evaluation as the references that were missing: no real images are at
    hand."""
    labels = np.repeat(list(counts), list(counts.values()))
    made = {}
    for extractor in _without_reference(evaluators):
        features = base_model.features(list(counts), extractor.name)
        made[extractor.name] = FeatureReference(extractor.name, features[:0], labels[:0], features, labels)
    reference = evaluators.reference
    if evaluators.judge is not None and reference is None:
        seen = [base_model.by_label[label] for label in counts]
        reference = _own_reference(labels, [one.judgement for one in seen], [one.second for one in seen])
    others = tuple(
        dataclasses.replace(other, reference=_in_other_domain(base_model, list(counts), str(other.model.domain)))
        if other.reference is None
        else other
        for other in evaluators.others
    )
    references = {**evaluators.references, **made}
    return dataclasses.replace(evaluators, references=references, reference=reference, others=others)


def _in_other_domain(base_model: Judgements, labels: Sequence[int], domain: str) -> Reference:
    """Of images that were asked for ``labels``, by what they were asked to show in another domain."""
    seen = [base_model.by_label[label].others[domain] for label in labels]
    asked = np.concatenate([one.asked for one in seen])
    return _own_reference(asked, [one.judgement for one in seen], [one.second for one in seen])


def _own_reference(
    labels: NDArray[np.int64], judged: Sequence[Judgement], by_second: Sequence[Judgement | None]
) -> Reference:
    """A reference of the base model's own images alone: what was asked, and what the judges see, a piece at a time."""
    probabilities = np.concatenate([judgement.probabilities for judgement in judged])
    seconds = [second.seen for second in by_second if second is not None]
    own = ReferenceSet(
        np.concatenate([judgement.features for judgement in judged]),
        labels,
        probabilities.argmax(axis=1),
        probabilities[np.arange(len(labels)), labels],
        np.concatenate(seconds) if seconds else None,
    )
    return Reference(own.only([]), own)
