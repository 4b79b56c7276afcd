"""The card of a published generator, of every kind of report."""

from __future__ import annotations

from sfd_core.report.card import model_card
from sfd_core.report.report import from_json
from tests.support.sample_report import sample_report
from tests.support.sample_text_report import text_report, unjudged_report, zero_shot_report


def test_a_class_model_s_card_says_how_its_own_pipeline_is_used() -> None:
    card = model_card(
        from_json(sample_report({"Sneaker": "Bag", "Shirt": {"judge": True}, "Trouser": {"random": True}}))
    )
    assert "| Sneaker | Bag | 0.9985 [0.9956, 0.9995] | 2000 |" in card
    assert "| Shirt | by the judge |" in card
    assert "| Trouser | by the draw |" in card
    assert 'image = pipe("T-shirt", generator' in card
    assert "whose accuracy on real images is\n0.927." in card
    assert "at 10 network evaluations an image." in card


def test_a_text_model_s_card_opens_in_stock_diffusers() -> None:
    card = model_card(from_json(text_report()))
    assert "pipe = StableDiffusionPipeline.from_pretrained(folder)" in card
    assert "pipe('a Bag, in the style of fluent', num_inference_steps=1, guidance_scale=1, generator=rng)" in card
    assert "custom_pipeline" not in card
    assert "the style that was asked for is seen in 0.9574" in card


def test_what_was_not_measured_is_said_to_be_so() -> None:
    card = model_card(from_json(unjudged_report()))
    assert "| Sneaker | the empty prompt | not measured | 200 |" in card
    assert "without a judge." in card
    assert "Retained accuracy over the other concepts was not measured." in card
    assert "whose accuracy on real images was never measured." in model_card(from_json(zero_shot_report()))
    report = text_report()
    report["unlearning"][0]["override"] = {"negative": "blood"}
    assert "| guided away from “blood” |" in model_card(from_json(report))
    report["unlearning"][0]["override"] = {"prompts": ["a dog", "a cat"]}
    assert "| 2 other prompts |" in model_card(from_json(report))
