"""The captions that a run retains by default, and the recipes that ship."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import pytest

from api.schemas.submission import Submission
from sfd_core.admission import admit
from sfd_core.families.stable_diffusion import plain_text_model
from sfd_core.families.stable_diffusion.recipe import STABLE_DIFFUSION
from sfd_core.prompts import make_captions
from sfd_core.prompts.plan import captions
from sfd_core.prompts.words import mentions, removed
from sfd_core.request.prompt_lists import check_prompts
from sfd_core.request.reading import read

RECIPES = Path(__file__).resolve().parents[3] / "recipes"


def test_the_captions_are_what_their_script_makes() -> None:
    assert list(captions()) == make_captions.captions()
    assert make_captions.captions(50, seed=1) != make_captions.captions(50, seed=2)


def test_the_captions_are_many_different_and_fit_to_be_asked() -> None:
    assert len(captions()) >= 3000
    assert check_prompts(captions(), "/captions") == captions()
    words = {word for caption in captions() for word in caption.replace(",", " ").split()}
    assert len(words) > 900
    # A word is at most a few tokens of CLIP's 75.
    assert max(len(caption.split()) for caption in captions()) <= 25
    assert not any(mentions(caption, ["nude", "naked", "nsfw", "gun", "blood"]) for caption in captions())


def test_articles_of_the_captions_agree() -> None:
    assert not [caption for caption in captions() if f" {caption}".count(" a o") or f" {caption}".count(" a e")]
    assert not [caption for caption in captions() if "{" in caption or "  " in caption]


@pytest.mark.parametrize("name", ["celebrity", "nudity"])
def test_a_recipe_is_a_request_that_both_the_service_and_the_library_take(name: str) -> None:
    text = (RECIPES / f"{name}.json").read_text("utf-8")
    body = json.loads(text)
    read(Submission, body)
    model = plain_text_model(body["base_model"], "Stable Diffusion 1.5")
    admitted = admit(body, model)
    request, plan = admitted.request, admitted.plan
    # The published settings are the family's own, written out so that a request says what it runs, but for those that
    # are theirs on half the gradient (docs/recipes.md) and for the negative prompt, which not every request has.
    theirs = {"adam_epsilon": 5e-7, "clip_value": 0.5, "negative_in_fake_score": name == "nudity"}
    assert request.recipe == dataclasses.replace(STABLE_DIFFUSION, **theirs)
    assert body["recipe"].items() <= (vars(STABLE_DIFFUSION) | theirs).items()
    assert plan is not None
    assert len(plan.forgotten[0]) >= 30
    assert len(plan.retained) > 3000
    if name == "nudity":
        topic = request.forget[0].topic
        assert topic is not None
        assert len(topic.subjects) == 12
        assert all(
            o.negative and not mentions(o.prompt, topic.keywords) for p in plan.forgotten[0] for o in p.overrides
        )
        assert removed(plan.forgotten[0][0].prompt, topic.keywords) == topic.subjects[0]
    else:
        assert {o.prompt for p in plan.forgotten[0] for o in p.overrides} >= {"a photo of a middle aged man"}
