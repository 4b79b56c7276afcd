"""What the report page says of probes, neighbours, judges and quality, and of a generator that was made elsewhere."""

from __future__ import annotations

import re

import pytest

from sfd_core.evaluation.probes import PROBES, probes_for
from sfd_core.report.page import LIMITS, limits_of
from sfd_core.report.report import from_json
from tests.support.page_reader import read
from tests.support.plain import plain
from tests.support.sample_probes import PROBE_RESULTS
from tests.support.sample_report import foreign_report, sample_report

CLASS_PROBES = probes_for("classes")
THREE = {"Sneaker": "Sandal", "Trouser": "Dress", "Shirt": "Coat"}


def test_probes_that_were_not_asked_for_are_said_not_to_have_been_tried() -> None:
    text = read(sample_report(probes=())).text
    assert "Not attacked: whether it can be brought back" in text
    assert "Attacks: attempts to bring it back No attack was asked for" in text
    assert f"Not tried: {', '.join(spec.title for spec in CLASS_PROBES.values())}." in text
    assert "Whether further training brings the concept back was not tried." in text


IN_SHORT = {
    "relearning": "Relearning attack (fine-tuning): fine-tuned on 1 000 images, half of its images show “Sneaker” "
    "again after 10 steps; the base model: from the start; the control, retrained without it: after 20 steps.",
    "benign_fine_tuning": "Benign fine-tuning (on other concepts): fine-tuned on other concepts alone, 5.0 % of its "
    "images show “Sneaker”; the base model: 92.0 %; the control, retrained without it: 5.0 %.",
    "image_to_image": "Image-to-image attack (SDEdit): from noised images of it, 31.0 % show “Sneaker”, where the "
    "given image alone accounts for 20.0 % (t = 300); from noise alone, in 10 steps, 64.0 %.",
    "concept_inversion": "Concept inversion (adversarial embedding): under the best condition found, “Sneaker” is seen "
    "in 34.0 % of its images; the base model: 98.0 %; the control, retrained without it: 29.0 %.",
}


@pytest.mark.parametrize("probe", list(PROBE_RESULTS))
def test_of_one_probe_the_figures_come_first_and_the_others_are_named_as_not_tried(probe: str) -> None:
    report = sample_report(probes=(probe,))
    text = read(report).text
    assert text.index(IN_SHORT[probe]) < text.index("Before and after"), "in the verdict, in one minute"
    assert text.index(report["probes"]["results"][probe][0]["statement"]) > text.index("Before and after")
    titles = [spec.title for name, spec in CLASS_PROBES.items() if name != probe]
    assert f"Not tried: {', '.join(titles)}." in text


@pytest.mark.parametrize("probe", list(PROBE_RESULTS))
def test_a_probe_without_results_is_still_named(probe: str) -> None:
    report = sample_report(probes=(probe,))
    report["probes"]["results"] = {}
    assert "Attacks: attempts to bring it back" in read(report).text
    assert PROBES[probe].title in read(report).text


def test_relearning_has_a_chart_for_each_number_of_images_and_a_line_for_each_network() -> None:
    shown = read(sample_report(probes=("relearning",)))
    labels = [attrs["aria-label"] or "" for tag, attrs in shown.tags if tag == "svg"]
    charts = [label for label in labels if label.startswith("Unlearning accuracy when fine-tuned")]
    assert [re.findall(r"on ([\d ]+) images", plain(label))[0] for label in charts] == ["10", "100", "1 000"]
    assert all(name in label for label in charts for name in ("Generator", "Base model", "Control"))
    assert "Generator: half after 10 steps" in shown.text
    assert "Base model: half from the start" in shown.text


def test_a_line_that_stays_above_half_says_so() -> None:
    report = sample_report(probes=("relearning",))
    for curve in report["probes"]["results"]["relearning"][0]["curves"]:
        curve["steps_to_half"] = None
    assert "Generator: half not within 40 steps" in read(report).text


def test_a_network_that_has_nothing_to_relearn_is_one_point() -> None:
    report = sample_report(probes=("relearning",))
    for curve in report["probes"]["results"]["relearning"][0]["curves"]:
        if curve["network"] == "base_model":
            del curve["points"][1:]
    text = read(report).text
    assert text.count("Base model: half from the start") == 3
    assert text.count("Control: half after") == 3


def test_without_a_control_there_is_no_line_for_it() -> None:
    report = sample_report(probes=("relearning", "concept_inversion"))
    relearning = report["probes"]["results"]["relearning"][0]
    relearning["curves"] = [curve for curve in relearning["curves"] if curve["network"] != "control"]
    report["probes"]["results"]["concept_inversion"][0]["control"] = None
    text = read(report).text
    assert "Control: half" not in text
    assert "ships no control that was retrained without the concept" in text


def test_an_attack_scored_by_the_judge_that_it_searched_with_is_said_to_be_so() -> None:
    report = sample_report(probes=("concept_inversion",))
    assert "the same judge" not in read(report).text
    attack = report["probes"]["results"]["concept_inversion"][0]
    attack["scored_by"] = attack["searched_with"]
    assert "the same judge: a picture that merely fools it counts too" in read(report).text


def test_what_came_of_many_probes_is_not_all_in_the_verdict() -> None:
    text = read(sample_report(THREE)).text
    assert "fine-tuned on 1 000 images" not in text
    assert f"Each of 3 concepts: {', '.join(PROBES[name].title for name in PROBE_RESULTS)}." in text


def test_examples_of_each_probe_are_shown() -> None:
    shown = read(sample_report(THREE))
    examples = [attrs["alt"] or "" for tag, attrs in shown.tags if tag == "img" and "Examples" in (attrs["alt"] or "")]
    assert len(examples) == len(PROBE_RESULTS), "the pictures of the first concept; the others' files were not given"
    assert examples[0] == "Examples: Relearning attack (fine-tuning), Sneaker"


def test_neighbours_are_named_with_the_drop_of_each() -> None:
    report = sample_report(lost=0.2)
    text = read(report).text
    assert [row["concept"] for row in report["neighbours"]] == ["Ankle boot", "Sandal", "Bag"]
    for row in report["neighbours"]:
        before_and_after = r"[\d.]+ % [\d.]+ % [\d.–]+ % [\d.]+ % [\d.–]+ %"
        assert re.search(rf"{row['concept']} {before_and_after} {row['drop']['value'] * 100:.1f} ▼", text)
    assert "of “Trouser”" not in text
    assert "of “Trouser”" in read(sample_report(THREE)).text, "whose neighbours, where several were forgotten"


def test_where_the_judges_disagree() -> None:
    text = read(sample_report(seen=9)).text
    assert "Sneaker of 2 000 images 4 5 0" in text
    assert "the second judge sees “Sneaker” in 4" in text.lower().replace("sneaker", "Sneaker")
    assert "ConvNeXt on real Fashion-MNIST evaluated the same images and sees the same concept in 93.0 %" in text


def test_quality_is_named_after_its_features_with_floor_and_the_base_model_beside_it() -> None:
    text = read(sample_report()).text
    for name in ("FD-judge-128", "FD-EffLite0-320"):
        figures = rf"{name} [\d.]+ [\d.]+–[\d.]+ [\d.]+ [\d.]+–[\d.]+ its floor 0.117 0.117"
        assert re.search(rf"{figures} the base model's own 1.73 –", text)
    assert "Precision base model's 78.1 % 81.2 %" in text
    assert "IS-judge certain and varied; higher is better 7.12 ± 0.11 CLIP score" in text
    assert "not measured: no CLIP weights were given" in text
    report = sample_report()
    report["clip_score"] = {
        "model": "tiny",
        "digest": "sha256:" + "0" * 64,
        "generator": {"value": 25.3, "low": 25.1, "high": 25.5, "n": 4500},
    }
    assert "25.3 (25.1–25.5), tiny" in read(report).text


def test_evaluators_and_scores_are_listed_with_their_digests() -> None:
    report = sample_report()
    text = read(report).text
    for evaluator in report["evaluators"]:
        assert f"{evaluator['name']} {evaluator['role']} {evaluator['digest']}" in text
    assert f"scores of 6 500 images sha256:{report['scores']['sha256']}" in text


def test_a_generator_made_elsewhere_has_a_page_without_a_training() -> None:
    text = read(foreign_report()).text
    assert "What was measured: Fashion-MNIST, refusing the label, 10 network evaluations an image." in text
    assert "While it was trained" not in text
    assert "Where the two judges disagree" not in text
    assert "There is no second judge." in text
    assert "Through the service" not in text
    assert "To be shown instead not stated" in text
    assert "the generator is to show" not in text
    assert "None" not in text
    report = foreign_report()
    report["verdict"] = "fail"
    assert "withheld" not in read(report).text, "what no job made is not the service's to withhold"


def test_limits_say_of_each_probe_what_it_did_not_try() -> None:
    none, every = (limits_of(from_json(sample_report(probes=probes))) for probes in ((), tuple(CLASS_PROBES)))
    always = len(LIMITS) + 3  # how the network and how images were asked, and what no accuracy is corrected by
    assert none[:always] == every[:always]
    assert none[: len(LIMITS)] == LIMITS
    assert len(none) == len(every) == always + len(CLASS_PROBES)
    assert not set(none[always:]) & set(every[always:])
    assert all("not tried" in limit for limit in none[always:])
