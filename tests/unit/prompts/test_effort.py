"""Planning takes time that grows with the request, or the request is refused: by a count, so everywhere alike."""

from __future__ import annotations

import dataclasses
import itertools
import random
import string
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from jobs.hub_models import hub_model
from sfd_core.admission import admit
from sfd_core.base_model.manifest import BaseModel
from sfd_core.errors import InvalidRequest
from sfd_core.families.registry import load_manifest
from sfd_core.prompts.effort import MAX_CONDITIONS
from sfd_core.request.reading import MOST_ERRORS
from sfd_core.suggestions import nearest

NAME = "sd-legacy/stable-diffusion-v1-5"
WORDS = ["".join(letters) + "q" for letters in itertools.product("bcdfghjklm", "aeiouyrstw", "bcdfghjklm")]
SECONDS = 8.0
"""Of the processor, several times what each takes; before it was bounded each took from ten to without end."""


@pytest.fixture(scope="module")
def hub() -> BaseModel:
    return hub_model(f"hub:{NAME}@{'0' * 40}", [NAME])


@pytest.fixture(scope="module")
def emoji() -> BaseModel:
    return load_manifest(Path(__file__).resolve().parents[3] / "models" / "emoji")


def request(*forget: dict[str, Any], **others: Any) -> dict[str, Any]:
    return {"base_model": "any", "forget": list(forget), **others}


def bounded(work: Callable[[], Any]) -> str | None:
    """What the request is refused with, if it is; neither takes longer than it may."""
    began = time.process_time()
    try:
        work()
        return None
    except InvalidRequest as error:
        return str(error)
    finally:
        assert time.process_time() - began < SECONDS


PLANNED: dict[str, dict[str, Any]] = {
    "1000 words and 10 000 prompts": request(
        {
            "concept": WORDS[0],
            "override": "hammer",
            "words": WORDS,
            "prompts": [f"a {WORDS[i % 1000]} number {i}" for i in range(10_000)],
        }
    ),
    "1000 words that begin alike, and 10 000 prompts": request(
        {
            "concept": f"big {WORDS[0]}",
            "override": "hammer",
            "words": [f"big {word}" for word in WORDS],
            "prompts": [f"big big{i} big {WORDS[i % 1000]}" for i in range(10_000)],
        }
    ),
    "1000 words that begin alike, and 10 000 prompts to retain": request(
        {"concept": f"big {WORDS[0]}", "override": "hammer", "words": [f"big {word}" for word in WORDS]},
        retain={"prompts": [f"a big tree, big{i}" for i in range(10_000)]},
    ),
    "10 000 prompts, each with 10 000 answers": request(
        {
            "concept": "pistol",
            "override": {"prompts": [f"flower {i}" for i in range(10_000)]},
            "prompts": [f"pistol {i}" for i in range(10_000)],
        }
    ),
    "1000 items": request(*({"concept": word, "override": "hammer"} for word in WORDS)),
}


@pytest.mark.parametrize("what", PLANNED)
def test_what_is_long_is_planned_all_the_same(what: str, hub: BaseModel) -> None:
    assert bounded(lambda: admit(PLANNED[what], hub)) is None


def test_the_plan_of_what_is_long_is_whole(hub: BaseModel) -> None:
    body = PLANNED["1000 words that begin alike, and 10 000 prompts"]
    plan = admit(body, hub).plan
    assert plan is not None
    for i, asked in enumerate(plan.forgotten[0]):
        assert asked.overrides[0].prompt == f"big big{i} hammer"
    plan = admit(PLANNED["10 000 prompts, each with 10 000 answers"], hub).plan
    assert plan is not None
    assert [len(asked.overrides) for asked in plan.forgotten[0]] == [10_000] * 10_000
    assert sum(1 for _ in plan.conditions()) < 50_000


REFUSED: dict[str, dict[str, Any]] = {
    "words of the same tokens": request(
        {"concept": "a b", "override": "hammer", "words": ["a" + "!" * i + "b" for i in range(1, 900)]},
        retain={"prompts": [f"a{'!' * (i % 50)}b{i} a!?b" for i in range(10_000)]},
    ),
    "words of many tokens": request(
        {"concept": "a b", "override": "hammer", "words": ["a " * i + "b" for i in range(1, 490)]},
        retain={"prompts": ["a " * 400 + str(i) for i in range(900)]},
    ),
    "what makes another word again and again": request(
        {
            "concept": "pistol",
            "override": {"negative": "gun"},
            "words": ["new york", "pistol"],
            "prompts": [("new " * 100 + "york " * 100)[:900] + f" pistol {i}" for i in range(900)],
        },
        recipe={"kappa4": 2.0},
    ),
    "more answers than can be read": request(
        *(
            {
                "concept": word,
                "override": {"prompts": [f"flower {i} {j}" for i in range(1000)]},
                "prompts": [f"{word} {i}" for i in range(10)],
            }
            for j, word in enumerate(WORDS[:120])
        )
    ),
}


@pytest.mark.parametrize("what", REFUSED)
def test_what_takes_too_long_is_refused_soon(what: str, hub: BaseModel) -> None:
    said = bounded(lambda: admit(REFUSED[what], hub))
    assert said is not None
    assert said.startswith("/forget: ")
    assert ("takes too long to plan" in said) != (f"more than {MAX_CONDITIONS} prompts" in said)
    assert bounded(lambda: admit(REFUSED[what], hub)) == said, "by a count, not by a clock"


def test_a_vocabularys_words_and_others_are_counted_too(emoji: BaseModel) -> None:
    said = bounded(lambda: admit(request({"concept": "pistol", "override": {"random": True}, "words": WORDS}), emoji))
    assert said is not None
    assert f"more than {MAX_CONDITIONS} prompts" in said


@pytest.mark.parametrize("concepts", [10, 10_000])
def test_a_thousand_wrong_names_are_told_in_part_and_soon(concepts: int) -> None:
    folder = Path(__file__).resolve().parents[3] / "models" / "fashion"
    names = tuple(f"some concept {i} of many" for i in range(concepts))
    model = dataclasses.replace(load_manifest(folder), concepts=names, judge=None, second_judge=None)
    wrong = [{"concept": f"sme concept {i} of mny", "override": f"some cncept {i} f many"} for i in range(1000)]
    said = bounded(lambda: admit(request(*wrong), model))
    assert said is not None
    assert MOST_ERRORS <= said.count("unknown concept") <= MOST_ERRORS + 2
    assert "did you mean 'some concept" in said


def test_many_names_suggest_the_one_that_is_misspelt() -> None:
    chance = random.Random(5)
    names = ["".join(chance.choices(string.ascii_lowercase, k=9)) for _ in range(5000)]
    for name in names[:100]:
        assert nearest(name[:4] + name[5:], names) == name
