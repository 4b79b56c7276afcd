"""Which images an evaluation is made of: those that make a run check itself, that end it, that are a reference, and
that decide are never the same."""

from __future__ import annotations

import itertools
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch

from sfd_core.base_model.manifest import BaseModel
from sfd_core.evaluation.concept_images import CHECK_SEEDS, QUICK_SEEDS, SEEDS_A_CONCEPT, seeds_of
from sfd_core.evaluation.evaluate import REFERENCE_SEEDS
from sfd_core.evaluation.evaluators import Evaluators
from sfd_core.evaluation.further_images import FIRST_SEED_AFTER
from sfd_core.evaluation.in_training import QuickEvaluation
from sfd_core.evaluation.questions import Samplers
from sfd_core.families.loading import load_base
from sfd_core.training.state import start
from tests.support.tiny_model import make_tiny_model

MOST = 100_000
"""Images a concept that a request may ask for."""
CONCEPTS = 1000


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> BaseModel:
    return make_tiny_model(tmp_path_factory.mktemp("models") / "tiny")


@pytest.mark.parametrize("label", [0, 3])
def test_the_sets_of_seeds_share_none(label: int) -> None:
    decides = seeds_of(label, MOST)
    others = [range(decides.start + apart, decides.stop + apart) for apart in (REFERENCE_SEEDS, QUICK_SEEDS)]
    further = range(decides.start + FIRST_SEED_AFTER, decides.start + FIRST_SEED_AFTER + MOST)
    for one, other in itertools.combinations([decides, *others, further], 2):
        assert one.stop <= other.start or other.stop <= one.start
    assert max(each.stop for each in (decides, *others, further)) <= decides.start + SEEDS_A_CONCEPT


def test_a_check_has_none_of_all_the_seeds_of_any_evaluation() -> None:
    """Whatever it is made for: all of a concept lie within its million."""
    first, last = seeds_of(0, 1)[0], seeds_of(CONCEPTS - 1, SEEDS_A_CONCEPT)[-1]
    assert last < first + CHECK_SEEDS
    assert last + CHECK_SEEDS < 2**32, "torch reads the lower 32 bits"


def test_a_check_asks_for_its_own(tiny: BaseModel, monkeypatch: pytest.MonkeyPatch) -> None:
    from sfd_core.admission import admit
    from sfd_core.evaluation import own_check

    base, asked = load_base(tiny), []
    plan = {"images_per_concept": 20, "images_per_forgotten_concept": 20}
    body = {"forget": [{"concept": "red", "override": "green"}], "budget": {"images": 64}, "evaluation": plan}
    request = admit(body, tiny).request
    check = own_check.OwnCheck(base, Evaluators.load(tiny), request, None, torch.device("cpu"))

    def sample(labels: Any, seeds: Any) -> Any:
        asked.extend(seeds)
        return np.zeros((len(labels), 8, 8), np.uint8)

    monkeypatch.setattr(own_check.ImageSource, "of_generator", lambda _: SimpleNamespace(samplers=Samplers(sample)))
    list(check(start(base, request.recipe, 0, torch.device("cpu"))))
    assert len(asked) == check.images
    assert min(asked) >= seeds_of(0, 1)[0] + CHECK_SEEDS


def test_a_quick_evaluation_asks_for_its_own(tiny: BaseModel, monkeypatch: pytest.MonkeyPatch) -> None:
    from sfd_core.admission import admit
    from sfd_core.evaluation import in_training

    base, asked = load_base(tiny), []
    request = admit({"forget": [{"concept": "red", "override": "green"}], "budget": {"images": 64}}, tiny).request
    quick = QuickEvaluation(base, Evaluators.load(tiny), request)
    state = start(base, request.recipe, 0, next(base.network.parameters()).device)

    def sample(labels: Any, seeds: Any) -> Any:
        asked.extend(zip(labels, seeds, strict=True))
        return np.zeros((len(labels), 8, 8), np.uint8)

    monkeypatch.setattr(in_training, "generator_of", lambda *_: SimpleNamespace(sample_labels=sample))
    quick(state)
    assert len(asked) > 64
    assert all(seed not in seeds_of(label, MOST) for label, seed in asked)
