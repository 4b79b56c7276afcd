"""A name that is not known is told with the one that may be meant, wherever names are asked for."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from jobs.hub_models import hub_model
from sfd_core.admission import admit
from sfd_core.errors import InvalidRequest
from sfd_core.families.registry import load_manifest
from sfd_core.suggestions import LISTED, nearest, unknown

FASHION = load_manifest(Path("models/fashion"))


@pytest.mark.parametrize(
    ("changed", "pointer", "says"),
    [
        ({"forget": [{"concept": "Snekaer", "override": "Bag"}]}, "/forget/0/concept", "did you mean 'Sneaker'?"),
        ({"forget": [{"concept": "bag", "override": "Coat"}]}, "/forget/0/concept", "did you mean 'Bag'?"),
        ({"forget": [{"concept": "Bag", "override": "Sandel"}]}, "/forget/0/override", "did you mean 'Sandal'?"),
        ({"thresholds": {"unlearning": 0.9}}, "/thresholds/unlearning", "did you mean 'unlearning_accuracy'?"),
        ({"evaluation": {"probes": ["relerning"]}}, "/evaluation/probes/0", "did you mean 'relearning'?"),
        ({"recipe": {"bach": 64}}, "/recipe/bach", "unknown field (did you mean 'batch'?); known: alpha"),
        ({"budgt": {}}, "/budgt", "unknown field (did you mean 'budget'?)"),
    ],
)
def test_a_misspelt_name_is_refused_with_the_one_that_may_be_meant(
    changed: dict[str, Any], pointer: str, says: str
) -> None:
    body = {"forget": [{"concept": "Bag", "override": "Coat"}], "budget": {"images": 64}, **changed}
    with pytest.raises(InvalidRequest) as caught:
        admit(body, FASHION)
    assert says in {error.pointer: error.message for error in caught.value.errors}[pointer]


def test_a_misspelt_model_of_a_hub() -> None:
    with pytest.raises(InvalidRequest, match=r"\(did you mean 'acme/noise'\?\)"):
        hub_model(f"hub:acme/nois@{'0' * 40}", ["acme/noise"])


def test_a_name_like_no_other_is_told_with_those_that_there_are() -> None:
    assert unknown("concept", "x", ("pistol", "gun")) == "unknown concept 'x'; known: pistol, gun"
    assert unknown("concept", "x", [f"c{i:03}" for i in range(LISTED + 2)]).endswith("c049 and 2 more")
    assert nearest("x", ()) is None
