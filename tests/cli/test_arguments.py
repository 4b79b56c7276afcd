"""Values written as a=b."""

from __future__ import annotations

import pytest
import typer

from cli.arguments import forget_items, parse_forget, parse_numbers, parse_settings


def test_forget_items() -> None:
    forget = parse_forget(["Sneaker=Sandal", " Ankle boot = random ", "Bag=judge"])
    assert forget == {"Sneaker": "Sandal", "Ankle boot": {"random": True}, "Bag": {"judge": True}}
    assert forget_items(forget)[1] == {"concept": "Ankle boot", "override": {"random": True}}


def test_only_the_first_equals_sign_divides() -> None:
    assert parse_forget(["a=b=c"]) == {"a": "b=c"}


@pytest.mark.parametrize("item", ["Sneaker", "Sneaker=", "=Sandal", "=", "", " = "])
def test_an_item_without_both_sides_is_refused(item: str) -> None:
    with pytest.raises(typer.BadParameter, match="must be written like"):
        parse_forget([item])


def test_a_concept_named_twice_is_refused() -> None:
    with pytest.raises(typer.BadParameter, match="'Sneaker' is named twice"):
        parse_forget(["Sneaker=Sandal", "Sneaker=Bag"])


def test_settings_are_typed() -> None:
    items = ["alpha=1.2", "batch=64", "compile=true", "micro_batch=null", "precision=bf16", "eps=1e-8", 'x="7"']
    assert parse_settings(items, "--recipe") == {
        "alpha": 1.2,
        "batch": 64,
        "compile": True,
        "micro_batch": None,
        "precision": "bf16",
        "eps": 1e-8,
        "x": "7",
    }
    assert type(parse_settings(["batch=64"], "--recipe")["batch"]) is int


@pytest.mark.parametrize("value", ["NaN", "Infinity", "-Infinity", "nan"])
def test_what_is_no_number_in_json_stays_text(value: str) -> None:
    assert parse_settings([f"alpha={value}"], "--recipe") == {"alpha": value}


def test_a_key_given_twice_is_refused() -> None:
    with pytest.raises(typer.BadParameter, match="'alpha' is given twice"):
        parse_settings(["alpha=1", "alpha=2"], "--recipe")


@pytest.mark.parametrize("value", ["high", "true", "NaN", "null"])
def test_a_threshold_must_be_a_number(value: str) -> None:
    with pytest.raises(typer.BadParameter, match="unlearning_accuracy must be a number"):
        parse_numbers([f"unlearning_accuracy={value}"], "--threshold")
