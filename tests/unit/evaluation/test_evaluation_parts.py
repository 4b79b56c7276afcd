"""The parts of a report that are counted from judgements: agreement, neighbours, per-image scores, rates."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from safetensors.numpy import load_file

from sfd_core.evaluation.concept_images import ConceptImages, Judgements, seeds_of
from sfd_core.evaluation.judge import Judgement
from sfd_core.evaluation.pace import Pace
from sfd_core.evaluation.rates import mean_of, rate, shares
from sfd_core.evaluation.reference import FeatureReference, Reference, ReferenceSet
from sfd_core.evaluation.scores import save_scores
from sfd_core.evaluation.sections import agreement
from sfd_core.evaluation.sections.agreement import ForgottenAgreement
from sfd_core.evaluation.sections.neighbours import measure, nearest

CONCEPTS = ("a", "b", "c", "d")


def judgement(seen: list[int]) -> Judgement:
    """Certain of ``seen``; features are unit vectors."""
    probabilities = np.eye(len(CONCEPTS), dtype=np.float32)[seen]
    return Judgement(probabilities, probabilities)


def reference_set(seen: dict[int, list[int]], second: dict[int, list[int]] | None = None) -> ReferenceSet:
    labels = np.repeat(list(seen), [len(s) for s in seen.values()])
    found = np.concatenate([np.array(s) for s in seen.values()])
    features = np.eye(len(CONCEPTS), dtype=np.float32)[labels]
    others = None if second is None else np.concatenate([np.array(s) for s in second.values()])
    return ReferenceSet(features, labels, found, np.ones(len(labels), np.float32), others)


def evidence(judged: Judgements, reference: Reference, kept: list[int]) -> Any:
    """Of which the first concept is forgotten."""
    return SimpleNamespace(judgements=judged, reference=reference, concepts=CONCEPTS, forgotten=[0], kept=kept)


def test_disagreement_is_counted_image_by_image() -> None:
    judged = Judgements(
        {
            0: ConceptImages(judgement([0, 0, 1, 1, 1]), judgement([0, 1, 0, 1, 1])),
            1: ConceptImages(judgement([1, 1]), judgement([1, 1])),
        }
    )
    everything = reference_set({0: [0, 0, 0, 0], 1: [1, 1, 1, 1]}, {0: [0, 0, 0, 1], 1: [1, 1, 1, 1]})
    found = agreement.measure(evidence(judged, Reference(everything, everything), [1])).agreement
    assert found is not None
    assert found.forgotten == (ForgottenAgreement("a", n=5, only_first=1, only_second=1, both=1),)
    assert found.generator.value == pytest.approx(5 / 7)
    assert found.real.value == pytest.approx(7 / 8)
    assert "the judge still sees it in 2, the second judge in 2, both in 1" in found.statement


def test_without_a_second_judge_nothing_is_said_of_agreement() -> None:
    judged = Judgements({0: ConceptImages(judgement([0]), None)})
    one = reference_set({0: [0]})
    assert agreement.measure(evidence(judged, Reference(one, one), [])).agreement is None


def test_the_nearest_are_those_that_the_judge_mixes_up_both_ways() -> None:
    # a is taken for c once in four, b for a once in four and d never: c and b are its neighbours, in that order of mix.
    teacher = reference_set({0: [0, 0, 2, 2], 1: [1, 1, 1, 0], 2: [2, 2, 2, 2], 3: [3, 3, 3, 3]})
    assert nearest(teacher, 0, [1, 2, 3])[:2] == [(2, 0.5), (1, 0.25)]


def test_a_neighbour_that_suffers_is_named_with_its_drop() -> None:
    teacher = reference_set({0: [0] * 10, 1: [1] * 10, 2: [2] * 10, 3: [3] * 10})
    seen = {k: [k] * 10 if k != 2 else [3] * 5 + [2] * 5 for k in range(4)}
    judged = Judgements({k: ConceptImages(judgement(found), None) for k, found in seen.items()})
    found = measure(evidence(judged, Reference(teacher, teacher), [1, 2, 3]))
    rows = {row.concept: row for row in found.neighbours}
    assert rows["c"].drop.value == pytest.approx(0.5)
    assert rows["c"].drop.low > 0
    assert rows["b"].drop.value == 0.0


def test_the_rates_of_a_report_can_be_recounted_from_the_scores(tmp_path: Path) -> None:
    judged = Judgements(
        {
            0: ConceptImages(judgement([0, 1, 1]), judgement([1, 1, 1])),
            3: ConceptImages(judgement([3, 3]), judgement([3, 0])),
        }
    )
    assert save_scores(judged, tmp_path / "scores.safetensors") == 5
    scores = load_file(tmp_path / "scores.safetensors")
    asked_for_a = scores["asked"] == 0
    assert (scores["judge"][asked_for_a].argmax(1) == 0).mean() == pytest.approx(1 / 3)
    assert (scores["second_judge"][asked_for_a].argmax(1) == 0).sum() == 0
    assert scores["seed"].tolist() == [*seeds_of(0, 3), *seeds_of(3, 2)]


def test_a_mean_covers_the_truth_about_95_times_in_100() -> None:
    random, hits, runs = np.random.default_rng(0), 0, 2000
    for _ in range(runs):
        interval = mean_of(random.exponential(2.0, size=200))
        hits += interval.low <= 2.0 <= interval.high
    assert abs(hits / runs - 0.95) < 3 * np.sqrt(0.95 * 0.05 / runs) + 0.01


def test_a_refused_image_shows_nothing_to_either_judge() -> None:
    nothing = Judgement.of_nothing(3, len(CONCEPTS))
    assert not (nothing.seen < len(CONCEPTS)).any()
    assert shares(nothing.seen, 4) == (0.0,) * 4
    everything = reference_set({0: [0], 1: [1]}, {0: [0], 1: [1]})
    judged = Judgements({0: ConceptImages(nothing, nothing), 1: ConceptImages(judgement([1]), judgement([1]))})
    found = agreement.measure(evidence(judged, Reference(everything, everything), [1])).agreement
    assert found is not None
    assert found.forgotten == (ForgottenAgreement("a", n=3, only_first=0, only_second=0, both=0),)


def test_a_row_of_a_matrix_adds_up_to_one() -> None:
    assert shares(np.array([0, 0, 2, 3]), 4) == (0.5, 0.0, 0.25, 0.25)
    assert rate(np.array([True, False])).value == 0.5


def test_reference_features_leave_concepts_out_on_both_sides(tmp_path: Path) -> None:
    labels = np.array([0, 1, 1, 2])
    whole = FeatureReference("EffLite0-320", np.eye(4, dtype=np.float32), labels, np.eye(4, dtype=np.float32), labels)
    whole.save(tmp_path / "features.safetensors")
    read = FeatureReference.load(tmp_path / "features.safetensors")
    assert read.extractor == "EffLite0-320"
    kept = read.only([0, 2])
    assert kept.real_labels.tolist() == kept.base_model_labels.tolist() == [0, 2]
    assert kept.real.tolist() == np.eye(4, dtype=np.float32)[[0, 3]].tolist()


def test_each_count_of_an_evaluation_has_its_own_pace(monkeypatch: pytest.MonkeyPatch) -> None:
    now = [100.0]
    monkeypatch.setattr("sfd_core.evaluation.pace.time.monotonic", lambda: now[0])
    pace = Pace()
    now[0] = 110.0
    assert pace(500, 1000) == (50.0, 10.0)
    now[0] = 120.0
    pace(1000, 1000)
    pace(0, 100)  # the probes begin
    now[0] = 125.0
    assert pace(10, 100) == (2.0, 45.0)
