"""The words of a model: how it is asked, and which files are refused."""

from __future__ import annotations

import copy
import json
from pathlib import Path
from typing import Any

import pytest

from sfd_core.base_model.vocabulary import Concept, EvaluationPrompts, load_vocabulary
from sfd_core.errors import ModelRefused

VOCABULARY: dict[str, Any] = {
    "domains": {
        "object": [
            {"name": "apple", "adjective": "red", "translations": {"fr": "pomme", "de": "Apfel"}},
            {"name": "pistol", "synonyms": ["gun", "pistol"]},
            {"name": "owl", "adjective": "old"},
        ],
        "style": [{"name": "noto", "synonyms": ["google"]}, {"name": "fluent"}],
    },
    "templates": ["{a} {adjective} {object}, in the style of {style}", "{a} {style} picture of {a} {object}"],
    "unseen_templates": ["{style} drew the {object} here"],
}


def write(folder: Path, vocabulary: Any) -> Path:
    path = folder / "vocabulary.json"
    path.write_text(json.dumps(vocabulary))
    return path


def test_a_vocabulary_is_read_whole(tmp_path: Path) -> None:
    vocabulary = load_vocabulary(write(tmp_path, VOCABULARY))
    assert vocabulary.domains["object"][0] == Concept("apple", "red", (), {"fr": "pomme", "de": "Apfel"})
    assert vocabulary.domains["object"][1].words == ("pistol", "gun")
    assert vocabulary.domains["object"][0].words == ("apple", "pomme", "Apfel")
    assert vocabulary.find("fluent") == ("style", 1)
    assert vocabulary.find("gun") is None
    assert vocabulary.owner("APFEL") == vocabulary.domains["object"][0]
    assert vocabulary.owner("teapot") is None


def test_articles_agree_with_what_follows_and_a_missing_adjective_leaves_no_gap(tmp_path: Path) -> None:
    vocabulary = load_vocabulary(write(tmp_path, VOCABULARY))
    first, second = vocabulary.templates
    words = {"object": "owl", "style": "noto"}
    assert vocabulary.prompt(first, words, "old") == "an old owl, in the style of noto"
    assert vocabulary.prompt(first, words) == "an owl, in the style of noto"
    assert vocabulary.prompt(second, words) == "a noto picture of an owl"


def test_every_name_is_asked_for_by_every_template_and_every_other_word_once(tmp_path: Path) -> None:
    prompts = list(load_vocabulary(write(tmp_path, VOCABULARY)).prompts())
    assert len(set(prompts)) == len(prompts) == 3 * 2 * 2 + 3 * 2 + 1 * 3
    assert "a red pomme, in the style of noto" in prompts
    assert "a fluent picture of an Apfel" in prompts
    assert sum("gun" in prompt for prompt in prompts) == 2
    assert sum("google" in prompt for prompt in prompts) == 3


def test_an_evaluation_cycles_through_templates_then_through_the_other_domains(tmp_path: Path) -> None:
    vocabulary = load_vocabulary(write(tmp_path, VOCABULARY))
    objects, styles = EvaluationPrompts(vocabulary, "object"), EvaluationPrompts(vocabulary, "style")
    assert [objects.asked(0, seed).prompt for seed in range(4)] == [
        "a red apple, in the style of noto",
        "a noto picture of an apple",
        "a red apple, in the style of fluent",
        "a fluent picture of an apple",
    ]
    assert [objects.asked(0, seed).others for seed in (0, 2, 4)] == [{"style": 0}, {"style": 1}, {"style": 0}]
    assert styles.asked(1, 2).prompt == "a pistol, in the style of fluent"
    assert styles.asked(1, 2).others == {"object": 1}
    assert styles.texts([1, 0], [2, 5]) == ["a pistol, in the style of fluent", "a noto picture of an owl"]


def test_several_other_domains_are_all_combined(tmp_path: Path) -> None:
    raw = copy.deepcopy(VOCABULARY)
    raw["domains"]["colour"] = [{"name": "red"}, {"name": "blue"}]
    raw |= {"templates": ["{colour} {object} by {style}"], "unseen_templates": []}
    objects = EvaluationPrompts(load_vocabulary(write(tmp_path, raw)), "object")
    assert {tuple(objects.asked(0, seed).others.items()) for seed in range(4)} == {
        (("style", i), ("colour", j)) for i in range(2) for j in range(2)
    }


@pytest.mark.parametrize(
    ("at", "value", "says"),
    [
        (("domains",), [], "domains must be an object"),
        (("domains",), {}, "domains must be an object"),
        (("domains", "Ob ject"), [], "names are letters"),
        (("domains", "adjective"), [{"name": "x"}, {"name": "y"}], "another meaning"),
        (("domains", "style"), [{"name": "noto"}], "at least two concepts"),
        (("domains", "style"), "noto", "at least two concepts"),
        (("domains", "style", 0), "noto", "domains.style[0] must be an object"),
        (("domains", "style", 1, "name"), "noto", "'noto' is there twice"),
        (("domains", "style", 1, "name"), "apple", "'apple' is there twice"),
        (("domains", "style", 1, "name"), "-", "must be words"),
        (("domains", "style", 1, "name"), None, "must be words"),
        (("domains", "style", 1, "synonyms"), "x", "synonyms must be a list"),
        (("domains", "style", 1, "translations"), {"fr": 3}, "must be words"),
        (("domains", "style", 1, "colour"), "red", "unknown key 'colour'"),
        (("templates",), [], "at least 1 templates"),
        (("templates", 0), "{object}", "{style} is missing"),
        (("templates", 0), "{object} {style", "templates[0]"),
        (("templates", 0), 3, "templates[0]"),
        (("templates", 0), "{object.__class__} {object} {style}", "only {a}, {adjective} and domains"),
        (("templates", 0), "{object!r} {style}", "only {a}, {adjective} and domains"),
        (("templates", 0), "{object:>10} {style}", "only {a}, {adjective} and domains"),
        (("templates", 0), "{} {object} {style}", "only {a}, {adjective} and domains"),
        (("unseen_templates", 0), "{object} {colour} {style}", "only {a}, {adjective} and domains"),
    ],
)
def test_a_wrong_vocabulary_is_refused_where_it_is_wrong(
    tmp_path: Path, at: tuple[str | int, ...], value: Any, says: str
) -> None:
    raw = copy.deepcopy(VOCABULARY)
    part: Any = raw
    for key in at[:-1]:
        part = part[key]
    part[at[-1]] = value
    with pytest.raises(ModelRefused) as caught:
        load_vocabulary(write(tmp_path, raw))
    assert says in str(caught.value)
    assert "vocabulary.json" in str(caught.value)


@pytest.mark.parametrize("content", [b"[]", b"{", b"\xff\xfe", b'"x"'])
def test_a_file_that_is_no_vocabulary_is_refused(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "vocabulary.json").write_bytes(content)
    with pytest.raises(ModelRefused, match=r"vocabulary\.json"):
        load_vocabulary(tmp_path / "vocabulary.json")


def test_a_missing_or_a_huge_vocabulary_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ModelRefused, match="not readable"):
        load_vocabulary(tmp_path / "vocabulary.json")
    (tmp_path / "vocabulary.json").write_bytes(b" " * (4 << 20 | 1))
    with pytest.raises(ModelRefused, match="larger than"):
        load_vocabulary(tmp_path / "vocabulary.json")
