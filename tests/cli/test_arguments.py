"""Values written as a=b."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import typer

from cli.arguments import forget_items, parse_numbers, parse_settings, with_words
from cli.job_request import Options


def test_forget_items() -> None:
    forget = forget_items(["Sneaker=Sandal", " Ankle boot = random ", "Bag=judge"])
    assert forget == [
        {"concept": "Sneaker", "override": "Sandal"},
        {"concept": "Ankle boot", "override": {"random": True}},
        {"concept": "Bag", "override": {"judge": True}},
    ]


def test_only_the_first_equals_sign_divides() -> None:
    assert forget_items(["a=b=c"]) == [{"concept": "a", "override": "b=c"}]


@pytest.mark.parametrize("item", ["Sneaker", "Sneaker=", "=Sandal", "=", "", " = "])
def test_an_item_without_both_sides_is_refused(item: str) -> None:
    with pytest.raises(typer.BadParameter, match="must be written like"):
        forget_items([item])


def test_a_concept_named_twice_is_refused() -> None:
    with pytest.raises(typer.BadParameter, match="'Sneaker' is named twice"):
        forget_items(["Sneaker=Sandal", "Sneaker=Bag"])


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


def test_overrides_of_prompts(tmp_path: Path) -> None:
    lines = tmp_path / "calm.txt"
    lines.write_text("a calm lake\na meadow\n")
    forget = forget_items(["gun = negative: a gun, red", f"knife=prompts:{lines}", "gore=empty", "tea=a=b"])
    assert {item["concept"]: item["override"] for item in forget} == {
        "gun": {"negative": "a gun, red"},
        "knife": {"prompts": ["a calm lake", "a meadow"]},
        "gore": {"empty": True},
        "tea": "a=b",
    }


def test_words_and_prompts_go_to_their_item(tmp_path: Path) -> None:
    lines = tmp_path / "guns.txt"
    lines.write_text("a photo of a gun\n")
    items = with_words(forget_items(["gun=cat", "knife=dog"]), ["gun= gun, pistol "], [f"gun={lines}"])
    assert items == [
        {"concept": "gun", "override": "cat", "words": ["gun", "pistol"], "prompts": ["a photo of a gun"]},
        {"concept": "knife", "override": "dog"},
    ]


@pytest.mark.parametrize(
    ("words", "prompts", "says"),
    [
        (["axe=axe"], [], "'axe' is not to be forgotten"),
        (["gun=a", "gun=b"], [], "'gun' is given twice"),
        (["gun"], [], "must be written like pistol=gun,handgun"),
        ([], ["gun"], "must be written like pistol=prompts.txt"),
        ([], ["gun=nowhere.txt"], "nowhere.txt: No such file"),
    ],
)
def test_wrong_words_and_prompts(words: list[str], prompts: list[str], says: str) -> None:
    with pytest.raises(typer.BadParameter) as caught:
        with_words(forget_items(["gun=cat"]), words, prompts)
    assert says in str(caught.value)


def test_a_wrong_line_of_a_prompt_file_is_named(tmp_path: Path) -> None:
    lines = tmp_path / "guns.txt"
    lines.write_text("a gun\n\na gun\n")
    with pytest.raises(typer.BadParameter) as caught:
        forget_items([f"gun=prompts:{lines}"])
    assert "line 2: is empty" in str(caught.value)
    assert "line 3: the same as number 1" in str(caught.value)


RECIPE = Path(__file__).resolve().parents[2] / "recipes" / "celebrity.json"


def test_options_alone_make_a_request(tmp_path: Path) -> None:
    kept = tmp_path / "kept.txt"
    kept.write_text("a cat\n")
    options = Options(base="emoji", forget=["gun=cat"], words=["gun=gun,pistol"], retain=kept, images=64, seconds=5.0)
    assert options.request() == {
        "base_model": "emoji",
        "forget": [{"concept": "gun", "override": "cat", "words": ["gun", "pistol"]}],
        "retain": {"prompts": ["a cat"]},
        "budget": {"images": 64, "seconds": 5.0},
    }


def test_options_change_a_request_in_a_file() -> None:
    said = json.loads(RECIPE.read_text())
    assert Options(RECIPE).request() == said
    changed = Options(
        RECIPE, base="sd", words=["brad pitt=brad,pitt"], images=8, recipe=["kappa4=2"], probe=["relearning"], seed=3
    ).request()
    assert changed == said | {
        "base_model": "sd",
        "forget": [said["forget"][0] | {"words": ["brad", "pitt"]}],
        "budget": {"images": 8},
        "recipe": said["recipe"] | {"kappa4": 2},
        "evaluation": {"probes": ["relearning"]},
        "seed": 3,
    }
    assert Options(RECIPE, forget=["tom=a man"]).request()["forget"] == [{"concept": "tom", "override": "a man"}]


@pytest.mark.parametrize(
    ("options", "missing"),
    [
        (Options(forget=["gun=cat"], images=1), "--base"),
        (Options(base="emoji", images=1), "--forget"),
    ],
)
def test_what_no_request_can_do_without(options: Options, missing: str) -> None:
    with pytest.raises(typer.BadParameter, match=f"Missing option '{missing}'"):
        options.request()


@pytest.mark.parametrize(
    ("content", "says"),
    [
        ('{"base_model": "emoji"', "Expecting"),
        ('{"base_model": "emoji", "forget": [], "budget": {"images": 1}}', "/forget: "),
        ('{"base_model": "emoji", "forget": [{"concept": "a", "override": "b"}], "budget": 3}', "/budget: "),
        ('{"base": "emoji"}', "/base: "),
        ("[]", ": must be an object"),
    ],
)
def test_a_file_that_is_no_request(tmp_path: Path, content: str, says: str) -> None:
    path = tmp_path / "request.json"
    path.write_text(content)
    with pytest.raises(typer.BadParameter) as caught:
        Options(path).request()
    assert says in str(caught.value)
    assert str(path) in str(caught.value)


def test_a_byte_order_mark_makes_no_difference(tmp_path: Path) -> None:
    path = tmp_path / "request.json"
    path.write_bytes(b"\xef\xbb\xbf" + RECIPE.read_bytes())
    assert Options(path).request() == Options(RECIPE).request()


def test_words_outside_the_vocabulary_are_said_of_every_item() -> None:
    options = Options(base="emoji", forget=["gun=cat", "knife=random"], outside_vocabulary=True, images=1)
    assert options.request()["forget"] == [
        {"concept": "gun", "override": "cat", "outside_vocabulary": True},
        {"concept": "knife", "override": {"random": True}, "outside_vocabulary": True},
    ]
    assert all(item["outside_vocabulary"] for item in Options(RECIPE, outside_vocabulary=True).request()["forget"])


def test_the_column_of_every_file_of_prompts(tmp_path: Path) -> None:
    path = tmp_path / "list.csv"
    path.write_text("id,text\n1,a gun\n2,rain\n")
    options = Options(
        base="emoji",
        forget=[f"gun=prompts:{path}"],
        prompts=[f"gun={path}"],
        retain=path,
        prompt_column="text",
        images=1,
    )
    read = ["a gun", "rain"]
    assert options.request()["forget"] == [{"concept": "gun", "override": {"prompts": read}, "prompts": read}]
    assert options.request()["retain"] == {"prompts": read}
    with pytest.raises(typer.BadParameter, match="without a column 'prompt'"):
        Options(base="emoji", forget=["gun=cat"], retain=path, images=1).request()


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(typer.BadParameter, match="No such file"):
        Options(tmp_path / "none.json").request()
