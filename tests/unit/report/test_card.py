"""The card of a published generator, of every kind of report."""

from __future__ import annotations

from sfd_core.families.usage import BESIDE_ITS_WEIGHTS, Usage
from sfd_core.report.card import model_card
from sfd_core.report.report import from_json
from tests.support.plain import plain
from tests.support.sample_report import sample_report
from tests.support.sample_text_report import text_report, unjudged_report, zero_shot_report

STOCK = Usage("StableDiffusionPipeline.from_pretrained(folder)", ("num_inference_steps=1", "guidance_scale=1"))


def test_a_class_model_s_card_says_how_its_own_pipeline_is_used() -> None:
    report = sample_report({"Sneaker": "Bag", "Shirt": {"judge": True}, "Trouser": {"random": True}})
    card = plain(model_card(from_json(report), BESIDE_ITS_WEIGHTS))
    assert "| Sneaker | Bag | 99.85 % (99.55–99.95 %) | 2 000 |" in card
    assert "| Shirt | what the judge finds nearest |" in card
    assert "| Trouser | a random remaining concept |" in card
    assert "pipe = DiffusionPipeline.from_pretrained(folder, custom_pipeline=" in card
    assert 'image = pipe("T-shirt", generator' in card
    assert "whose accuracy on real images is\n92.7 %." in card
    assert "at 10 network evaluations an image." in card


def test_a_text_model_s_card_opens_in_stock_diffusers() -> None:
    card = plain(model_card(from_json(text_report()), STOCK))
    assert "from diffusers import StableDiffusionPipeline\n" in card
    assert "pipe = StableDiffusionPipeline.from_pretrained(folder)" in card
    assert "pipe('a Bag, in the style of fluent', num_inference_steps=1, guidance_scale=1, generator=rng)" in card
    assert "custom_pipeline" not in card
    assert "the style that was asked for is seen in 95.7 %" in card


def test_a_generator_of_several_steps_is_asked_with_fresh_noise() -> None:
    usage = Usage("FluxPipeline.from_pretrained(folder)", ("num_inference_steps=4", "guidance_scale=3.5"), 4)
    card = plain(model_card(from_json(text_report()), usage))
    assert "A generator of 4 steps, distilled" in card
    assert "few-step]" in card
    assert "torch.manual_seed(7)" in card
    assert "num_inference_steps=4, guidance_scale=3.5).images" in card


def test_what_was_not_measured_is_said_to_be_so() -> None:
    card = plain(model_card(from_json(unjudged_report()), STOCK))
    assert "| Sneaker | the empty prompt | not measured | 200 |" in card
    assert "without a judge." in card
    assert "Retained accuracy over the other concepts was not measured." in card
    assert "whose accuracy on real images was never measured." in model_card(from_json(zero_shot_report()), STOCK)
    report = text_report()
    report["unlearning"][0]["override"] = {"negative": "blood"}
    assert "| the prompt, guided away from “blood” |" in model_card(from_json(report), STOCK)
    report["unlearning"][0]["override"] = {"prompts": ["a dog", "a cat"]}
    assert "| one of 2 other prompts |" in model_card(from_json(report), STOCK)
