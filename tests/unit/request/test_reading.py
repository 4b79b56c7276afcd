"""A request is its own schema: what is valid comes back from its JSON as it was, and exact types are asked for."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sfd_core.errors import InvalidRequest
from sfd_core.evaluation.probes import PROBES
from sfd_core.request.concepts import MAX_BUDGET_IMAGES, MAX_BUDGET_SECONDS, Budget, Forget, Retain, Topic
from sfd_core.request.evaluation_plan import EvaluationPlan
from sfd_core.request.overrides import read_override, written_override
from sfd_core.request.overrides.empty import EmptyOverride
from sfd_core.request.overrides.fixed import FixedOverride
from sfd_core.request.overrides.judge import JudgeOverride
from sfd_core.request.overrides.negative import NegativeOverride
from sfd_core.request.overrides.prompts import PromptsOverride
from sfd_core.request.overrides.random import RandomOverride
from sfd_core.request.reading import read, read_right_fields, written
from sfd_core.request.recipe import Recipe
from sfd_core.request.unlearning_request import MAX_SEED, UnlearningRequest

PROMPT = st.from_regex(r"[a-zäß][a-z0-9 äß'-]{0,30}[a-z0-9]", fullmatch=True)
PROMPTS = st.lists(PROMPT, min_size=1, max_size=5, unique=True).map(tuple)
OVERRIDE = st.one_of(
    st.builds(FixedOverride, st.text(st.characters(codec="utf-8"))),
    st.just(RandomOverride()),
    st.just(JudgeOverride()),
    st.just(EmptyOverride()),
    st.builds(NegativeOverride, PROMPT),
    st.builds(PromptsOverride, PROMPTS),
)
NAME = st.text(st.characters(codec="utf-8"), min_size=1, max_size=200)
FORGET = st.one_of(
    st.builds(Forget, NAME, OVERRIDE, st.none() | PROMPTS, st.none() | PROMPTS),
    st.builds(Forget, NAME, OVERRIDE, topic=st.builds(Topic, PROMPTS, PROMPTS)),
)
RECIPE = st.builds(
    Recipe,
    alpha=st.floats(0, 2),
    t_init=st.integers(1, 100_000),
    t_min=st.integers(0, 100),
    t_max=st.integers(101, 100_000),
    batch=st.integers(64, 4096),
    adam_epsilon=st.none() | st.floats(1e-12, 1e-2),
    start=st.sampled_from(["auto", "base_model", "distilled"]),
    micro_batch=st.none() | st.integers(1, 4096),
    precision=st.sampled_from(["auto", "fp32", "bf16", "bf16-weights"]),
    compile=st.booleans(),
)
REQUEST = st.builds(
    UnlearningRequest,
    NAME,
    st.lists(FORGET, min_size=1, max_size=4).map(tuple),
    st.builds(
        Budget,
        st.integers(1, MAX_BUDGET_IMAGES),
        st.none() | st.floats(0, MAX_BUDGET_SECONDS, exclude_min=True),
        st.sampled_from(["pass", "budget"]),
    ),
    RECIPE,
    evaluation=st.builds(
        EvaluationPlan,
        st.integers(2, 100_000),
        st.integers(2, 100_000),
        st.lists(st.sampled_from(tuple(PROBES)), unique=True).map(tuple),
        st.booleans(),
    ),
    seed=st.integers(0, MAX_SEED),
    retain=st.none() | st.builds(Retain, PROMPTS),
)


@given(REQUEST)
@settings(deadline=None, derandomize=True)
def test_every_request_comes_back_from_its_json(request: UnlearningRequest) -> None:
    stored = json.loads(json.dumps(written(request)))
    assert read(UnlearningRequest, stored) == request
    assert written(read(UnlearningRequest, stored)) == stored


@given(OVERRIDE)
@settings(deadline=None, derandomize=True)
def test_every_override_comes_back(override: Any) -> None:
    assert read_override(written_override(override)) == override


@pytest.mark.parametrize(("old", "until"), [(True, "pass"), (False, "budget")])
def test_a_budget_from_before_until_is_read_as_it_was_meant(old: bool, until: str) -> None:
    """Jobs and records of then state it, and false was the default."""
    budget = read(Budget, {"images": 64, "seconds": None, "stop_when_unlearned": old})
    assert written(budget) == {"images": 64, "seconds": None, "until": until}
    assert read(Budget, {"images": 64}).until == "pass"


def test_what_was_not_given_is_not_written() -> None:
    assert written(Forget("a", RandomOverride())) == {"concept": "a", "override": {"random": True}}
    assert "retain" not in written(UnlearningRequest("m", (Forget("a", FixedOverride("b")),), Budget(1), Recipe()))
    assert read(Forget, {"concept": "a", "override": "b", "words": None}) == Forget("a", FixedOverride("b"))


@pytest.mark.parametrize(
    ("changed", "pointer", "says"),
    [
        ({"images": "64"}, "/images", "must be a whole number"),
        ({"images": True}, "/images", "must be a whole number"),
        ({"images": 64.0}, "/images", "must be a whole number"),
        ({"images": 0}, "/images", "must be at least 1, not 0"),
        ({"images": 10**30}, "/images", "must be at most 100000000, not 10"),
        ({"seconds": float("nan")}, "/seconds", "must be a finite number"),
        ({"seconds": float("inf")}, "/seconds", "must be a finite number"),
        ({"seconds": True}, "/seconds", "must be a number"),
        ({"seconds": 0}, "/seconds", "must be above 0"),
        ({"stop_when_unlearned": 1}, "/stop_when_unlearned", "must be true or false"),
        ({"until": "pass", "stop_when_unlearned": True}, "/stop_when_unlearned", 'is the old form of "until"'),
        ({"until": "Pass"}, "/until", "must be one of 'pass' or 'budget'"),
        ({"steps": 1}, "/steps", "unknown field; known: images, seconds, until"),
        ({"a/b~c": 1}, "/a~1b~0c", "unknown field"),
    ],
)
def test_a_value_of_another_type_is_refused_where_it_stands(changed: dict[str, Any], pointer: str, says: str) -> None:
    with pytest.raises(InvalidRequest) as caught:
        read(Budget, {"images": 64, **changed}, "/budget")
    ((found, message),) = [(error.pointer, error.message) for error in caught.value.errors]
    assert found == f"/budget{pointer}"
    assert says in message


@pytest.mark.parametrize(
    ("raw", "pointer", "says"),
    [
        (3, "", "must be the name of a concept or"),
        (None, "", "must be the name of a concept or"),
        ({}, "", "must be the name of a concept or"),
        ({"hope": True}, "", "must be the name of a concept or"),
        ({"random": True, "judge": True}, "", "must be the name of a concept or"),
        ({"random": 1}, "/random", "must be true"),
        ({"negative": 3}, "/negative", "must be text"),
        ({"prompts": "a cat"}, "/prompts", "must be a list"),
        ({"prompts": ["a cat", "a cat"]}, "/prompts/1", "the same as number 1"),
    ],
)
def test_an_override_that_is_none(raw: Any, pointer: str, says: str) -> None:
    with pytest.raises(InvalidRequest) as caught:
        read(Forget, {"concept": "a", "override": raw}, "/forget/0")
    assert [error.pointer for error in caught.value.errors] == [f"/forget/0/override{pointer}"]
    assert says in caught.value.errors[0].message


def test_items_that_are_all_wrong_are_not_also_too_few() -> None:
    with pytest.raises(InvalidRequest) as caught:
        read(Retain, {"prompts": [3, 4]})
    assert [error.pointer for error in caught.value.errors] == ["/prompts/0", "/prompts/1"]


def test_one_mistake_hides_no_other() -> None:
    right, wrong = read_right_fields(Budget, {"images": "64", "seconds": 3})
    assert (right, [error.pointer for error in wrong]) == ({"seconds": 3.0}, ["/images"])
    right, wrong = read_right_fields(Budget, ["64"])
    assert (right, [(error.pointer, error.message) for error in wrong]) == ({}, [("", "must be an object")])
