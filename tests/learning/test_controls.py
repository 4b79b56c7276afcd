"""Negative controls on the real bundled model: the report must be able to say no."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch

from jobs.settings import BUNDLED_MODELS
from sfd_core.evaluation.evaluate import evaluate, generator_of
from sfd_core.evaluation.judge import ImageJudge
from sfd_core.evaluation.reference import Reference
from sfd_core.generator import OneStepGenerator
from sfd_core.loading import LoadedBase, load_base
from sfd_core.manifest import load_manifest
from sfd_core.request import UnlearningRequest, parse_request
from sfd_core.train import start, train

STEPS = 24


@pytest.fixture(scope="module")
def fashion() -> LoadedBase:
    return load_base(load_manifest(BUNDLED_MODELS / "fashion"))


@pytest.fixture(scope="module")
def request_(fashion: LoadedBase) -> UnlearningRequest:
    body = {
        "forget": [{"concept": "Sneaker", "override": "Bag"}],
        "budget": {"images": STEPS * 64},
        "evaluation": {"images_per_concept": 100, "images_per_forgotten_concept": 200},
    }
    return parse_request(body, fashion.model)


@pytest.fixture(scope="module")
def distilled(fashion: LoadedBase, request_: UnlearningRequest) -> OneStepGenerator:
    """The base model distilled with nothing forgotten."""
    torch.set_num_threads(2)
    nothing = replace(request_, forget=())
    state = start(fashion, request_.recipe, 0, torch.device("cpu"))
    for _ in train(state, fashion, nothing):
        pass
    return generator_of(state, fashion, request_.recipe)


def report_of(generator: OneStepGenerator, base: LoadedBase, request: UnlearningRequest) -> dict[str, Any]:
    judge, reference = ImageJudge.load(base.model), Reference.load(base.model.folder / base.model.reference)
    report = list(evaluate(generator, base, judge, reference, request))[-1][2]
    assert report is not None
    return report


def decisions(report: dict[str, Any]) -> dict[str, str]:
    return {criterion["name"]: criterion["decision"] for criterion in report["criteria"]}


def test_the_base_distilled_with_nothing_forgotten_fails(
    distilled: OneStepGenerator, fashion: LoadedBase, request_: UnlearningRequest
) -> None:
    report = report_of(distilled, fashion, request_)
    assert report["verdict"] == "fail"
    assert decisions(report)["unlearning_accuracy"] == "fail"
    assert report["unlearning"][0]["accuracy"]["high"] < 0.9
    # It is a real generator: what fails it is only that it has forgotten nothing.
    assert report["retained_accuracy"]["generator"]["value"] > 0.6


def test_two_remaining_classes_swapped_fail_on_retained_accuracy(
    distilled: OneStepGenerator, fashion: LoadedBase, request_: UnlearningRequest
) -> None:
    swap = {
        fashion.model.concept_index(a): fashion.model.concept_index(b)
        for a, b in (("Trouser", "Bag"), ("Bag", "Trouser"))
    }

    class Swapped(OneStepGenerator):
        def sample_labels(self, labels: Any, seeds: Any) -> Any:
            return super().sample_labels([swap.get(label, label) for label in labels], seeds)

    assert decisions(report_of(Swapped(distilled.pipe), fashion, request_))["retained_accuracy_drop"] == "fail"


def test_ten_images_are_inconclusive(
    distilled: OneStepGenerator, fashion: LoadedBase, request_: UnlearningRequest
) -> None:
    few = replace(request_, evaluation=replace(request_.evaluation, images_per_forgotten_concept=10))

    class Blank(OneStepGenerator):
        """Never a sneaker: black images. A point estimate of UA would be a perfect 1."""

        def sample_labels(self, labels: Any, seeds: Any) -> Any:
            return np.zeros((len(labels), 28, 28), np.uint8)

    report = report_of(Blank(distilled.pipe), fashion, few)
    unlearning = next(c for c in report["criteria"] if c["name"] == "unlearning_accuracy")
    assert unlearning["measured"]["value"] == 1.0
    assert unlearning["decision"] == "inconclusive"
    # And a generator that makes nothing forgets perfectly: retained accuracy and FD say what it is worth.
    assert report["verdict"] == "fail"
    assert decisions(report)["retained_accuracy_drop"] == "fail"


def test_images_of_nothing_have_a_distance_far_above_the_floor(
    distilled: OneStepGenerator, fashion: LoadedBase, request_: UnlearningRequest
) -> None:
    class Blank(OneStepGenerator):
        def sample_labels(self, labels: Any, seeds: Any) -> Any:
            return np.zeros((len(labels), 28, 28), np.uint8)

    blank = report_of(Blank(distilled.pipe), fashion, request_)["quality"]["against_real"]
    ours = report_of(distilled, fashion, request_)["quality"]["against_real"]
    assert blank["fd"] > 2 * ours["fd"] > 2 * ours["fd_floor"]


def test_unlearning_accuracy_has_the_forgotten_images_as_its_denominator(
    distilled: OneStepGenerator, fashion: LoadedBase, request_: UnlearningRequest
) -> None:
    row = report_of(distilled, fashion, request_)["unlearning"][0]
    assert row["n"] == row["accuracy"]["n"] == request_.evaluation.images_per_forgotten_concept
    assert row["accuracy"]["value"] == pytest.approx(1 - row["seen"] / row["n"])
