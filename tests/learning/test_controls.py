"""Negative controls on the real bundled model: the report must be able to say no."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch

from jobs.settings import BUNDLED_MODELS
from sfd_core.evaluation.evaluate import evaluate
from sfd_core.evaluation.evaluators import Evaluators
from sfd_core.evaluation.in_training import generator_of
from sfd_core.evaluation.judged import Sample
from sfd_core.evaluation.subject import Evaluated
from sfd_core.loading import LoadedBase, load_base
from sfd_core.manifest import load_manifest
from sfd_core.request import UnlearningRequest, parse_request
from sfd_core.train import start, train

STEPS = 24


@pytest.fixture(scope="module")
def fashion() -> LoadedBase:
    return load_base(load_manifest(BUNDLED_MODELS / "fashion"))


@pytest.fixture(scope="module")
def evaluators(fashion: LoadedBase) -> Evaluators:
    """Both judges; no further feature extractor, which no verdict here is decided by."""
    return replace(Evaluators.load(fashion.model), extractors=(), references={})


@pytest.fixture(scope="module")
def request_(fashion: LoadedBase) -> UnlearningRequest:
    body = {
        "forget": [{"concept": "Sneaker", "override": "Bag"}],
        "budget": {"images": STEPS * 64},
        "evaluation": {"images_per_concept": 100, "images_per_forgotten_concept": 200},
    }
    return parse_request(body, fashion.model)


@pytest.fixture(scope="module")
def distilled(fashion: LoadedBase, request_: UnlearningRequest) -> Evaluated:
    """The base model distilled with nothing forgotten."""
    torch.set_num_threads(2)
    nothing = replace(request_, forget=())
    state = start(fashion, request_.recipe, 0, torch.device("cpu"))
    for _ in train(state, fashion, nothing):
        pass
    return Evaluated.one_step(generator_of(state, fashion, request_.recipe))


def blank(labels: Any, seeds: Any) -> Any:
    """A constant image, whatever is asked for."""
    return np.zeros((len(labels), 28, 28), np.uint8)


def report_of(sample: Sample, evaluators: Evaluators, request: UnlearningRequest) -> dict[str, Any]:
    measured = list(evaluate(sample, evaluators, request))[-1][2]
    assert measured is not None
    return measured.report


def decisions(report: dict[str, Any]) -> dict[str, str]:
    return {criterion["name"]: criterion["decision"] for criterion in report["criteria"]}


def test_the_base_distilled_with_nothing_forgotten_fails(
    distilled: Evaluated, evaluators: Evaluators, request_: UnlearningRequest
) -> None:
    report = report_of(distilled.sample, evaluators, request_)
    assert report["verdict"] == "fail"
    assert decisions(report)["unlearning_accuracy"] == "fail"
    row = report["unlearning"][0]
    assert row["accuracy"]["high"] < 0.9
    # The second judge, trained apart, sees them too.
    assert row["second_judge"]["accuracy"]["high"] < 0.9
    # It is a real generator: what fails it is only that it has forgotten nothing.
    assert report["retained_accuracy"]["generator"]["value"] > 0.6


def test_two_remaining_classes_swapped_fail_on_retained_accuracy_and_show_in_the_matrix(
    distilled: Evaluated, evaluators: Evaluators, request_: UnlearningRequest
) -> None:
    trouser, bag = (evaluators.model.concept_index(c) for c in ("Trouser", "Bag"))
    swap = {trouser: bag, bag: trouser}
    report = report_of(
        lambda labels, seeds: distilled.sample([swap.get(label, label) for label in labels], seeds),
        evaluators,
        request_,
    )
    assert decisions(report)["retained_accuracy_drop"] == "fail"
    assert report["confusion"]["generator"][trouser][bag] > 0.5
    assert report["confusion"]["teacher"][trouser][bag] < 0.05


def test_ten_images_are_inconclusive(evaluators: Evaluators, request_: UnlearningRequest) -> None:
    """Never a sneaker in a black image: a point estimate of UA would be a perfect 1."""
    few = replace(request_, evaluation=replace(request_.evaluation, images_per_forgotten_concept=10))
    report = report_of(blank, evaluators, few)
    unlearning = next(c for c in report["criteria"] if c["name"] == "unlearning_accuracy")
    assert unlearning["measured"]["value"] == 1.0
    assert unlearning["decision"] == "inconclusive"


def test_a_constant_image_fails_on_the_frechet_distance(
    distilled: Evaluated, evaluators: Evaluators, request_: UnlearningRequest
) -> None:
    report = report_of(blank, evaluators, request_)
    assert report["verdict"] == "fail"
    assert decisions(report)["frechet_distance_ratio"] == "fail"
    against = report["quality"][0]["against_real"]
    assert against["recall"] == 0.0
    ours = report_of(distilled.sample, evaluators, request_)["quality"][0]["against_real"]
    assert against["fd"]["low"] > 2 * ours["fd"]["high"] > 2 * ours["fd_floor"]


def test_too_few_images_for_a_distance_make_no_number(
    distilled: Evaluated, evaluators: Evaluators, request_: UnlearningRequest
) -> None:
    few = replace(request_, evaluation=replace(request_.evaluation, images_per_concept=10))
    report = report_of(distilled.sample, evaluators, few)
    assert report["quality"][0]["against_real"] is None
    assert decisions(report)["frechet_distance_ratio"] == "inconclusive"


def test_a_filter_forgets_in_its_answers(
    distilled: Evaluated, evaluators: Evaluators, request_: UnlearningRequest
) -> None:
    sneaker = evaluators.model.concept_index("Sneaker")
    report = report_of(distilled.refusing([sneaker]).sample, evaluators, request_)
    assert report["unlearning"][0]["seen"] == 0


def test_unlearning_accuracy_has_the_forgotten_images_as_its_denominator(
    distilled: Evaluated, evaluators: Evaluators, request_: UnlearningRequest
) -> None:
    row = report_of(distilled.sample, evaluators, request_)["unlearning"][0]
    assert row["n"] == row["accuracy"]["n"] == request_.evaluation.images_per_forgotten_concept
    assert row["accuracy"]["value"] == pytest.approx(1 - row["seen"] / row["n"])


def test_the_nearest_neighbours_of_a_sneaker_are_the_other_shoes(
    distilled: Evaluated, evaluators: Evaluators, request_: UnlearningRequest
) -> None:
    rows = report_of(distilled.sample, evaluators, request_)["neighbours"]
    assert {row["concept"] for row in rows[:2]} == {"Ankle boot", "Sandal"}
    assert rows[0]["confusion"] >= rows[1]["confusion"] >= rows[2]["confusion"]
    for row in rows:
        assert row["drop"]["value"] == pytest.approx(row["teacher"]["value"] - row["generator"]["value"])
