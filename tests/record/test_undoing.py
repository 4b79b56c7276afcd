"""What undoes one concept of a sequence: where it starts, and what is forgotten again."""

from __future__ import annotations

from typing import Any

import pytest

from cli.undoing import NothingToUndo, request_without

FIRST = {"batch": 16, "start": "base_model", "distil_images": 64}
STEPS = (("red", "green"), ("blue", "grey"), ("pink", "grey"))


def records() -> dict[str, Any]:
    """What the records of three generators state, each from the one before; what is new comes first."""
    made: dict[str, Any] = {}
    for number in range(len(STEPS)):
        forget = [{"concept": c, "override": o} for c, o in reversed(STEPS[: number + 1])]
        kept = [concept for concept, _ in STEPS[:number]]
        request: dict[str, Any] = {
            "base_model": "tiny",
            "forget": forget,
            "budget": {"images": 100 * (number + 1), "seconds": None, "until": "pass"},
            "recipe": {"batch": 8, "start": "auto", "distil_images": 0} if kept else FIRST,
            "seed": number,
        }
        if kept:
            request["parent"] = {"generator": f"gen_{number - 1}", "kept": kept}
        made[f"gen_{number}"] = {"predicate": {"request": request}}
    return made


def test_it_starts_before_the_concept_and_forgets_the_later_ones_again() -> None:
    body = request_without("blue", "gen_2", records().__getitem__)
    assert (body["base_model"], body["seed"]) == ("gen_0", 2)
    assert body["recipe"] == {"batch": 8, "start": "auto", "distil_images": 0}
    assert body["forget"] == [{"concept": "pink", "override": "grey"}]
    assert body["budget"] == {"images": 500, "seconds": None, "until": "pass"}
    first = request_without("red", "gen_2", records().__getitem__)
    assert (first["base_model"], [item["concept"] for item in first["forget"]]) == ("tiny", ["blue", "pink"])
    assert first["recipe"] == {**FIRST, "batch": 8}, "it begins where the first did, otherwise as the last"


def test_what_cannot_be_undone_is_said() -> None:
    with pytest.raises(NothingToUndo, match="gen_2 has not forgotten 'grey'; it has forgotten red, blue, pink"):
        request_without("grey", "gen_2", records().__getitem__)
    with pytest.raises(NothingToUndo, match="nothing else was forgotten with 'pink' or after it: gen_1"):
        request_without("pink", "gen_2", records().__getitem__)
