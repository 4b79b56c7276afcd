"""The report page: what it says in each verdict, what it escapes, and that it stands alone."""

from __future__ import annotations

import base64
import copy
import hashlib
import json
import math
import re
from typing import Any

import numpy as np
import pytest

from sfd_core.evaluation.intervals import wilson
from sfd_core.report import page
from sfd_core.report.report import from_json
from tests.support.page_reader import PICTURES, Page, read
from tests.support.sample_report import Forgetting, as_json, sample_report

THREE: Forgetting = {"Sneaker": "Sandal", "Trouser": {"random": True}, "Shirt": {"judge": True}}
OPTIONAL = ("recipe", "budget", "text", "curves", "strip", "cost", "speed", "generator", "scores", "judge")
OPTIONAL += ("second_judge", "retained_accuracy", "confusion", "agreement", "inception_score", "clip_score")


def test_a_pass_is_said_in_words_with_its_figures() -> None:
    text = read(sample_report()).text
    assert "✓ Pass The generator meets every threshold that was fixed before the run." in text
    assert (
        "Measured: of 2 000 images asked for “Sneaker”, the judge sees “Sneaker” in 3 (0.15 %; 95% interval "
        "0.05 to 0.45 %). The base model shows it in 94.4 %. In 94.9 % the judge sees Bag instead, as was asked. The "
        "second judge sees “Sneaker” in 1."
    ) in text
    assert "Measured: of 4 500 images asked for the 9 concepts that are to remain" in text
    assert "3 of 2 000 images; at most 0.45 %" in text
    assert "✓“Sneaker” is not shown when it is asked for, within what is allowed" in text
    assert "✓The other concepts are still shown as asked, within the loss that is allowed" in text
    assert "the generator's images are 2.37 times as far from real ones as the base model's own" in text
    assert "withheld" not in text


def test_a_fail_says_that_the_generator_is_withheld_and_why() -> None:
    text = read(sample_report(THREE, seen=61, lost=0.09, distance=20.0)).text
    assert "✕ Fail The generator misses a threshold" in text
    assert "It is withheld: kept and shown, not released, unless an administrator releases it" in text
    assert "✕“Trouser” is still shown when it is asked for, more often than is allowed" in text
    assert "✕The other concepts suffered more than is allowed" in text
    assert "✕Images of the other concepts are further from real ones than is allowed" in text
    assert "“Trouser” is absent from at least 99 % of the images asked for it 96.95 %" in text
    assert "unlearning accuracy of Trouser is 96.95 %" in text
    assert "The other concepts lose at most 5 points of accuracy" in text


def test_inconclusive_says_how_many_images_it_takes() -> None:
    text = read(sample_report(seen=0, n=10, per_concept=10)).text
    assert "? Inconclusive What was measured does not decide" in text
    assert "images would decide it" in text
    assert "0 of 10 images; at most 27.76 %" in text
    assert "?Not decided whether “Sneaker” is shown more often than is allowed" in text
    assert "a Frechet distance takes 136 images of remaining concepts, on both sides; 90 were judged" in text
    assert "not measured" in text


def test_random_and_judge_overrides_have_words() -> None:
    text = read(sample_report(THREE)).text
    assert "Asked for “Trouser”, the generator is to show a random remaining concept." in text
    assert "Asked for “Shirt”, the generator is to show what the judge finds nearest." in text
    said = "The judge errs: it sees “Sneaker” in 0.60 % of real images of Sandal and in 0.40 % of the base model's."
    assert text.count(said) == 1
    assert "so about 99.40 % is the most that can be expected" in text


def test_a_gain_is_not_called_a_drop() -> None:
    report = sample_report(lost=-0.02)
    assert report["retained_accuracy"]["drop"]["value"] < 0
    assert re.search(r"A gain of \d\.\d points \(95% interval of the drop −\d", read(report).text)


def test_only_what_suffered_is_marked() -> None:
    legend = ("▼: the two", "▼: the whole")
    text = read(sample_report(lost=0.0)).text
    for words_of_legend in legend:
        text = text.replace(words_of_legend, "")
    assert "▼" not in text
    report = sample_report(lost=0.0)
    hurt = next(row for row in report["retention"] if row["concept"] == "Bag")
    hurt["generator"] = as_json(wilson(400, 500))
    assert "16.1 ▼" in read(report).text


def test_it_claims_no_more_than_it_measured() -> None:
    for report in (sample_report(), sample_report(THREE, seen=61, lost=0.09), sample_report(n=10, seen=0)):
        text = read(report).text.lower()
        assert not re.search(r"certif|proved|proven|gdpr|complian|guarantee|erased|\bfid\b", text)
        assert "not proof" in text
        assert "remaps a condition" in text
        assert "measured" in text


def test_the_report_s_own_limits_replace_the_usual_ones() -> None:
    report = sample_report()
    report["limits"] = ["Only <b>one</b> judge."]
    text = read(report).text
    assert "Only <b>one</b> judge." in text
    assert page.LIMITS[0] not in text


def test_it_stands_alone() -> None:
    html = page.render(from_json(sample_report()), PICTURES)
    shown = Page(html)
    assert not {tag for tag, _ in shown.tags} & {"script", "link", "iframe", "object", "form", "base"}
    for tag, attrs in shown.tags:
        assert not any(name.startswith("on") or name == "style" for name in attrs), (tag, attrs)
        for name in ("src", "srcset"):
            assert (attrs.get(name) or "data:image/png;base64,").startswith("data:image/png;base64,")
        assert (attrs.get("href") or "#").startswith("#")
    targets = {attrs["id"] for _, attrs in shown.tags if "id" in attrs}
    assert {attrs["href"][1:] for _, attrs in shown.tags if attrs.get("href")} <= targets  # type: ignore[index]
    assert "url(" not in html
    assert "@import" not in html


def test_its_policy_allows_its_own_style_alone() -> None:
    html = page.render(from_json(sample_report()), {})
    style = re.search(r"<style>(.*?)</style>", html, re.S)
    policy = next(a["content"] for t, a in Page(html).tags if a.get("http-equiv") == "Content-Security-Policy")
    assert style
    assert policy
    digest = base64.b64encode(hashlib.sha256(style.group(1).encode()).digest()).decode()
    assert f"style-src 'sha256-{digest}'" in policy
    assert policy.startswith("default-src 'none';")
    assert "unsafe" not in policy


def test_pictures_are_inlined_with_their_narrow_versions() -> None:
    shown = read(sample_report())
    images = [attrs for tag, attrs in shown.tags if tag == "img"]
    sources = [attrs["srcset"] for tag, attrs in shown.tags if tag == "source"]
    assert [base64.b64decode((a["src"] or "").split(",")[1]) for a in images] == [
        PICTURES[name]
        for name in (
            "pairs.png",
            "strip.png",
            "probe_relearning_0.png",
            "probe_benign_fine_tuning_0.png",
            "probe_image_to_image_0.png",
            "probe_concept_inversion_0.png",
        )
    ]
    assert [base64.b64decode((s or "").split(",")[1]) for s in sources] == [
        PICTURES["pairs-narrow.png"],
        PICTURES["strip-narrow.png"],
    ]
    assert "Rows from the top: Sneaker, Bag, T-shirt" in (images[0]["alt"] or "")


def test_names_that_a_picture_cannot_draw_are_listed_below_it() -> None:
    assert "Rows from the top" not in read(sample_report()).text
    report = sample_report()
    report["confusion"]["concepts"][3] = "服"
    assert "Rows from the top: Sneaker, Bag, T-shirt, Trouser, Pullover, 服" in read(report).text


@pytest.mark.parametrize("missing", OPTIONAL)
def test_any_part_may_be_missing_that_was_not_measured(missing: str) -> None:
    assert "Measured: of 2 000 images" in read(sample_report() | {missing: None}).text


def test_all_of_them_may_be_missing() -> None:
    nothing = {"quality": [], "retention": [], "neighbours": [], "evaluators": [], "pictures": {}, "rerun": []}
    report = sample_report(probes=()) | dict.fromkeys(OPTIONAL) | nothing
    for name in ("share_override", "override_share_note", "mean_probability", "mean_entropy"):
        report["unlearning"][0][name] = None
    text = read(report, {}).text
    assert "✓ Pass" in text
    assert "None" not in text
    assert "While it was trained" not in text
    assert "Image quality" not in text


def test_numbers_that_are_missing_or_not_numbers_show_as_a_dash() -> None:
    report = sample_report()
    report["quality"][0]["against_real"]["fd"]["value"] = math.nan
    report["unlearning"][0]["mean_entropy"] = None
    text = read(report).text
    assert re.search(r"FD-judge-128 – 3\.9\d–4\.2\d", text)
    assert "nan" not in text.lower().split()
    assert "None" not in text


def test_too_few_images_for_a_distance_is_said() -> None:
    text = read(sample_report(per_concept=30)).text
    assert "No Fréchet distance: it takes 338 images on the features EffLite0-320, and there are 270." in text
    assert "on the features judge-128, and" not in text
    assert "FD-EffLite0-320 – – – –" in text
    assert "Precision base model's 78.1 %" in text, "what few images can tell is shown all the same"


def test_features_without_real_images_leave_their_column_empty() -> None:
    report = sample_report()
    report["quality"][1]["against_real"] = None
    assert re.search(r"FD-EffLite0-320 – – [\d.]+", read(report).text)


def test_the_curve_of_several_concepts_is_of_the_worst() -> None:
    text = read(sample_report(THREE)).text
    assert "of the concept where that is lowest" in text
    assert "dotted: base model 2.0 %" in text, "the base model shows a Trouser most often, in 98.0 %"


def test_what_users_typed_is_escaped_everywhere() -> None:
    evil = "</style><script>alert(1)</script>\"'&<img src=x onerror=alert(2)>"

    typed = ("Sneaker", "Bag", "fashion", "ResNet on real Fashion-MNIST", "judge-128", "FD-judge-128", "0.1.0")
    typed += ("one-step generator", "lethe record rerun unlearning-record.json --out again", "IS-judge")

    def poison(value: Any) -> Any:
        if isinstance(value, str):
            return evil if value in typed else value
        if isinstance(value, dict):
            return {key: poison(item) for key, item in value.items()}
        return [poison(item) for item in value] if isinstance(value, list) else value

    report = poison(sample_report())
    report["criteria"][0]["reason"] = report["created_at"] = report["base_model"]["title"] = evil
    report["versions"][evil] = evil
    report["cost"]["device"] = report["speed"]["device"] = evil
    shown = read(report)
    assert "script" not in {tag for tag, _ in shown.tags}
    assert not [attrs for tag, attrs in shown.tags if tag == "img" and attrs.get("src") == "x"]
    for results in report["probes"]["results"].values():
        results[0]["statement"] = evil
    assert read(report).text.count(evil) > shown.text.count(evil) > 20


def test_the_command_submits_the_same_request() -> None:
    report = sample_report()
    asked = {"concept": "it's a $(shoe)", "override": {"random": True}}
    report["forget"] = [{**asked, "words": None, "prompts": None, "topic": None}]
    html = page.render(from_json(report), {})
    rerun, command = re.findall(r"<pre>(.*?)</pre>", html, re.S)
    assert rerun == "lethe record rerun unlearning-record.json --out again"
    text = Page(f"<pre>{command}</pre>")
    raw = "".join(text.parts)
    body = json.loads(raw.split("<<'JSON'\n")[1].removesuffix("\nJSON"))
    names = ("budget", "recipe", "thresholds", "evaluation", "seed")
    assert body == {"base_model": "fashion", "forget": [asked]} | {name: report[name] for name in names}
    assert raw.startswith("curl -X POST ")


def test_of_many_concepts_the_matrices_show_what_matters() -> None:
    report = sample_report()
    concepts = ["Sneaker", "Sandal", *(f"c{i}" for i in range(2, 100))]
    teacher = np.eye(100)
    generator = teacher.copy()
    generator[70] = np.roll(generator[70], 1)
    report["confusion"] = {"concepts": concepts, "base_model": teacher.tolist(), "generator": generator.tolist()}
    text = read(report).text
    assert "Shown are 20 of 100 concepts" in text
    section = text[text.index("What the judge sees, concept") :]
    assert "Sneaker" in section
    assert "Sandal" in section
    assert "c70" in section


def test_a_matrix_row_without_images_is_no_error() -> None:
    report = sample_report()
    report["confusion"]["generator"][3] = [0] * 10
    assert "What the judge sees" in read(report).text


def test_the_same_report_gives_the_same_page() -> None:
    report = sample_report(THREE)
    before = copy.deepcopy(report)
    assert page.render(from_json(report), PICTURES) == page.render(from_json(copy.deepcopy(report)), PICTURES)
    assert report == before, "rendering changes nothing"
