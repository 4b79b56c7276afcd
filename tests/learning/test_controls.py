"""Negative controls on the real bundled model, through the public command: the report must be able to say no."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from typer.testing import CliRunner

from cli.main import app
from jobs.settings import BUNDLED_MODELS
from sfd_core.admission import admit
from sfd_core.evaluation.in_training import generator_of
from sfd_core.families.class_unet.generator import OneStepGenerator
from sfd_core.families.loading import load_base
from sfd_core.families.registry import load_manifest
from sfd_core.training.state import start
from tests.support.training import train

STEPS = 24
FASHION = BUNDLED_MODELS / "fashion"
CONTROL = FASHION / "controls" / "without-sneaker"
"""A good one-step generator that was retrained without Sneaker."""
Evaluate = Callable[..., dict[str, Any]]


@pytest.fixture(scope="module")
def remembers(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The base model distilled with nothing forgotten."""
    fashion = load_base(load_manifest(FASHION))
    body = {"forget": [{"concept": "Sneaker", "override": "Bag"}], "budget": {"images": STEPS * 64}}
    request = replace(admit(body, fashion.model).request, forget=())
    state = start(fashion, request.recipe, 0, torch.device("cpu"))
    for _ in train(state, fashion, request):
        pass
    folder = tmp_path_factory.mktemp("remembers")
    generator_of(state, fashion, request.recipe).save(folder)
    return folder


@pytest.fixture(scope="module")
def evaluate(tmp_path_factory: pytest.TempPathFactory) -> Evaluate:
    """``lethe evaluate`` on few images: its report. The exit status must agree with the verdict."""

    def run(generator: Path, images: int = 100, forgotten: int = 200) -> dict[str, Any]:
        out = tmp_path_factory.mktemp("report")
        result = CliRunner().invoke(
            app,
            [
                *("evaluate", "--generator", str(generator), "--base", "fashion", "--forgotten", "Sneaker"),
                *("--images-per-concept", str(images), "--images-per-forgotten-concept", str(forgotten)),
                *("--out", str(out)),
            ],
        )
        assert result.exception is None or isinstance(result.exception, SystemExit), result.output
        report: dict[str, Any] = json.loads((out / "report.json").read_text())
        assert (result.exit_code == 0) == (report["verdict"] == "pass"), result.output
        return report

    return run


@pytest.fixture(scope="module")
def ten_images(evaluate: Evaluate) -> dict[str, Any]:
    """The report of the control as it is, on ten images of what is forgotten."""
    return evaluate(CONTROL, forgotten=10)


def altered(folder: Path, change: Callable[[torch.nn.Module], None]) -> Path:
    """The control with its network changed."""
    generator = OneStepGenerator.load(CONTROL)
    with torch.no_grad():
        change(generator.pipe.unet)
    generator.save(folder)
    return folder


def decisions(report: dict[str, Any]) -> dict[str, str]:
    return {criterion["name"]: criterion["decision"] for criterion in report["criteria"]}


@pytest.mark.slow
def test_the_base_distilled_with_nothing_forgotten_fails(remembers: Path, evaluate: Evaluate) -> None:
    report = evaluate(remembers)
    assert report["verdict"] == "fail"
    assert decisions(report)["unlearning_accuracy"] == "fail"
    row = report["unlearning"][0]
    assert row["accuracy"]["high"] < 0.9
    # The denominator is the images that were asked for the concept, not all images.
    assert row["n"] == row["accuracy"]["n"] == 200
    assert row["accuracy"]["value"] == pytest.approx(1 - row["seen"] / 200)
    # The second judge, trained apart, sees them too.
    assert row["second_judge"]["accuracy"]["high"] < 0.9
    # It is a real generator: what fails it is only that it has forgotten nothing.
    assert report["retained_accuracy"]["generator"]["value"] > 0.6
    neighbours = report["neighbours"]
    assert {row["concept"] for row in neighbours[:2]} == {"Ankle boot", "Sandal"}
    assert neighbours[0]["confusion"] >= neighbours[1]["confusion"] >= neighbours[2]["confusion"]


@pytest.mark.slow
def test_two_remaining_classes_swapped_fail_where_the_same_generator_does_not(
    evaluate: Evaluate, ten_images: dict[str, Any], tmp_path: Path
) -> None:
    trouser, bag = (load_manifest(FASHION).concept_index(c) for c in ("Trouser", "Bag"))

    def swap(unet: Any) -> None:
        rows = unet.class_embedding.weight
        rows[[trouser, bag]] = rows[[bag, trouser]].clone()

    assert decisions(ten_images)["retained_accuracy_drop"] == "pass"
    report = evaluate(altered(tmp_path / "swapped", swap), forgotten=10)
    assert report["verdict"] == "fail"
    assert decisions(report)["retained_accuracy_drop"] == "fail"
    assert report["confusion"]["generator"][trouser][bag] > 0.5
    assert report["confusion"]["base_model"][trouser][bag] < 0.05


@pytest.mark.slow
def test_a_constant_image_fails_on_the_frechet_distance(evaluate: Evaluate, tmp_path: Path) -> None:
    def blacken(unet: Any) -> None:
        unet.conv_out.weight.zero_()
        unet.conv_out.bias.fill_(1000.0)

    folder = altered(tmp_path / "constant", blacken)
    assert OneStepGenerator.load(folder).sample_labels([0, 5], [1, 2]).max() == 0
    report = evaluate(folder, forgotten=10)
    assert report["verdict"] == "fail"
    assert decisions(report)["frechet_distance_ratio"] == "fail"
    # It forgets perfectly: UA alone proves nothing.
    assert report["unlearning"][0]["accuracy"]["value"] == 1.0
    assert report["quality"][0]["against_real"]["recall"] == 0.0


def test_ten_images_are_inconclusive_whatever_they_show(ten_images: dict[str, Any]) -> None:
    report = ten_images
    assert report["unlearning"][0]["accuracy"]["value"] == 1.0
    assert report["verdict"] == "inconclusive"
    assert decisions(report) == {
        "unlearning_accuracy": "inconclusive",
        "many_steps_share": "inconclusive",
        "part_noised_excess": "inconclusive",
        "forgotten_elsewhere": "pass",
        "retained_accuracy_drop": "pass",
        "worst_concept_loss": "inconclusive",
        "frechet_distance_ratio": "pass",
        "coverage_ratio": "pass",
        "distinct_images": "pass",
        "one_picture_concepts": "pass",
    }
    reasons = [c["reason"] for c in report["criteria"] if c["decision"] == "inconclusive"]
    assert all("images would decide it" in reason or "more images" in reason for reason in reasons)


@pytest.mark.slow
def test_too_few_images_for_a_distance_make_no_number(evaluate: Evaluate) -> None:
    report = evaluate(CONTROL, images=10, forgotten=10)
    part = report["quality"][0]
    assert (part["n"], part["against_real"]["fd"]) == (90, None)
    assert part["n"] < part["images_needed"]
    assert decisions(report)["frechet_distance_ratio"] == "inconclusive"


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--base", "unicorns"], "unknown base model 'unicorns'; known: emoji, emoji-flow, fashion, fashion-edm"),
        (["--forgotten", "Unicorn"], "Unicorn"),
        (["--probe", "hypnosis"], "unknown probe 'hypnosis'"),
        (["--images-per-concept", "1"], "must be at least 2, not 1"),
        (["--generator", str(FASHION / "judge")], "neither a one-step generator's model_index.json"),
    ],
)
def test_what_cannot_be_evaluated_is_refused(options: list[str], said: str, tmp_path: Path) -> None:
    ours = {"--generator": str(CONTROL), "--base": "fashion", "--forgotten": "Sneaker", "--out": str(tmp_path / "out")}
    ours |= dict(zip(options[::2], options[1::2], strict=True))
    result = CliRunner().invoke(app, ["evaluate", *(word for option in ours.items() for word in option)])
    assert result.exit_code not in (0, 1)
    assert said in " ".join(result.output.replace("│", " ").split())
    assert not (tmp_path / "out").exists()
