"""What is read of a prompt, without torch as with it, and prompts that are read as their override is."""

from __future__ import annotations

import dataclasses
import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from transformers import CLIPTokenizer

from sfd_core.admission import admit
from sfd_core.base_model.manifest import BaseModel
from sfd_core.errors import InvalidRequest
from sfd_core.families.loading import load_base
from sfd_core.families.registry import family_of, load_manifest
from sfd_core.families.text.tokens import CLIP, prompt_tokenizer
from sfd_core.request.prompt_lists import MAX_ERRORS
from tests.support.tiny_text_model import make_tiny_text_model

EMOJI = Path("models/emoji")
PROMPTS = [
    "",
    "a pistol",
    "Beyoncé’s  café, 3 mm",
    "x " * 200,
    "手枪 ｇｕｎ\u200b",
    "don't (gun:1.3)",
    "<|endoftext|> a <|startoftext|>!",
]


@pytest.fixture(scope="module")
def as_two_files(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The tokenizer as older pipelines have it."""
    folder = tmp_path_factory.mktemp("old")
    tokenizer = folder / "tokenizer"
    tokenizer.mkdir()
    model = json.loads((EMOJI / "tokenizer" / "tokenizer.json").read_bytes())["model"]
    (tokenizer / "vocab.json").write_text(json.dumps(model["vocab"]))
    pairs = [pair if isinstance(pair, str) else " ".join(pair) for pair in model["merges"]]
    (tokenizer / "merges.txt").write_text("\n".join(["#version: 0.2", *pairs, ""]))
    start = {"__type": "AddedToken", "content": "<|startoftext|>", "lstrip": False, "normalized": True}
    (tokenizer / "tokenizer_config.json").write_text(json.dumps({"model_max_length": 77, "bos_token": start}))
    return folder


def read_by_transformers(folder: Path, prompts: list[str]) -> list[tuple[int, ...]]:
    tokenizer = CLIPTokenizer.from_pretrained(folder / "tokenizer")
    return [tuple(ids) for ids in tokenizer(prompts, max_length=77, truncation=True).input_ids]


def test_it_reads_what_the_run_reads(as_two_files: Path) -> None:
    for folder in (EMOJI, as_two_files):
        tokenizer = prompt_tokenizer(folder / "tokenizer", CLIP)
        assert tokenizer is not None
        assert tokenizer.longest == 77
        assert tokenizer.read(PROMPTS) == read_by_transformers(folder, PROMPTS)


STOCK = CLIPTokenizer.from_pretrained(EMOJI / "tokenizer")


@given(st.text(max_size=120))
def test_it_reads_any_prompt_as_the_run_does(prompt: str) -> None:
    tokenizer = prompt_tokenizer(EMOJI / "tokenizer", CLIP)
    assert tokenizer is not None
    assert tokenizer.read([prompt]) == [tuple(STOCK(prompt, max_length=77, truncation=True).input_ids)]


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("tokenizer.json", "{}"),
        ("tokenizer.json", "["),
        ("tokenizer_config.json", "{}"),
        ("tokenizer_config.json", None),
    ],
)
def test_files_that_are_no_tokenizer_are_left_to_the_run(tmp_path: Path, name: str, content: str | None) -> None:
    shutil.copytree(EMOJI / "tokenizer", tmp_path / "tokenizer")
    assert prompt_tokenizer(tmp_path / "tokenizer", CLIP) is not None
    path = tmp_path / "tokenizer" / name
    path.unlink() if content is None else path.write_text(content)
    assert prompt_tokenizer(tmp_path / "tokenizer", CLIP) is None
    assert prompt_tokenizer(tmp_path / "none", CLIP) is None


LONG = ", ".join(["a very long description of a street in the rain at night"] * 7)
HIDDEN = f"{LONG}, a pistol"


def errors_of(model: BaseModel, *forget: Any) -> dict[str, str]:
    with pytest.raises(InvalidRequest) as caught:
        admit({"forget": list(forget), "budget": {"images": 640}}, model)
    return {error.pointer: error.message for error in caught.value.errors}


@pytest.fixture(scope="module")
def emoji() -> BaseModel:
    return load_manifest(EMOJI)


def test_a_concept_behind_what_is_read_is_refused_prompt_by_prompt(emoji: BaseModel) -> None:
    prompts = ["a pistol", HIDDEN, f"a pistol, {LONG}", f"{LONG}, two pistols"]
    found = errors_of(emoji, {"concept": "pistol", "override": "banana", "prompts": prompts})
    assert list(found) == ["/forget/0/prompts/1", "/forget/0/prompts/3"]
    assert "is read as its override is, in the 77 tokens that the text encoder reads" in found["/forget/0/prompts/1"]
    many = [f"{LONG}, a pistol, {i}" for i in range(MAX_ERRORS + 5)]
    assert len(errors_of(emoji, {"concept": "pistol", "override": "banana", "prompts": many})) == MAX_ERRORS


def test_one_of_several_overrides_is_enough(emoji: BaseModel) -> None:
    item = {"concept": "pistol", "override": {"random": True}, "prompts": [HIDDEN]}
    assert list(errors_of(emoji, item)) == ["/forget/0/prompts/0"]


def test_prompts_that_were_made_are_told_by_what_made_them(emoji: BaseModel) -> None:
    word = "7" * 80  # a token each
    outside = {"outside_vocabulary": True}
    found = errors_of(emoji, {"concept": f"{word} old shoe", "override": f"{word} new shoe", **outside})
    assert list(found) == ["/forget/0/concept"]
    assert "'777777" in found["/forget/0/concept"]
    assert "more prompts like it) is read as its override is" in found["/forget/0/concept"]
    item = {"concept": "shoe", "override": f"{word} new shoe", "words": [f"{word} old shoe"], **outside}
    assert list(errors_of(emoji, item)) == ["/forget/0/words"]
    topic = {"subjects": [word], "keywords": ["nude"]}
    assert list(errors_of(emoji, {"concept": "nudity", "override": "dressed", "topic": topic})) == ["/forget/0/topic"]


def test_what_is_read_differently_is_taken(emoji: BaseModel) -> None:
    guided = {"concept": "pistol", "override": {"negative": "gun"}, "prompts": [HIDDEN]}
    assert admit({"forget": [guided], "budget": {"images": 640}}, emoji).plan
    other = {"concept": "pistol", "override": {"prompts": ["rain"]}, "prompts": [HIDDEN]}
    assert admit({"forget": [other], "budget": {"images": 640}}, emoji).plan


def test_the_service_needs_no_torch_for_it() -> None:
    admitting = (
        "import sys\nfrom pathlib import Path\nfrom sfd_core.admission import admit\n"
        "from sfd_core.families.registry import load_manifest\n"
        "item = {'concept': 'pistol', 'override': 'banana'}\n"
        "assert admit({'forget': [item], 'budget': {'images': 64}}, load_manifest(Path('models/emoji'))).plan\n"
        "assert 'tokenizers' in sys.modules\n"
        "assert not {'torch', 'numpy', 'transformers'} & set(sys.modules)\n"
    )
    done = subprocess.run([sys.executable, "-c", admitting], capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr


def test_a_run_checks_it_before_it_trains(tmp_path: Path) -> None:
    """As of a hub's model, of which nothing was at hand when the request was admitted."""
    make_tiny_text_model(tmp_path, "tiny")
    model = load_manifest(tmp_path)
    item = {"concept": "pistol", "override": "banana", "prompts": [HIDDEN]}
    unfetched = dataclasses.replace(model, folder=tmp_path / "none")
    admitted = admit({"forget": [item], "budget": {"images": 640}}, unfetched)
    base = load_base(model, "cpu")
    with pytest.raises(InvalidRequest, match="/forget/0/prompts/0: is read as its override is"):
        family_of(model.family).plan(base, admitted.request, admitted.plan, "cpu")  # type: ignore[arg-type]
