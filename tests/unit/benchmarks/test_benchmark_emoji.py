"""The arithmetic of ``benchmarks.emoji``: a figure that is not good enough is shown as not reached."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import Any

import pytest

from benchmarks.emoji.__main__ import write_page
from benchmarks.emoji.figures import Target, drop, figures_of, speed_targets, targets
from benchmarks.emoji.jobs import JOBS, PARTS, SPEED, in_styles
from benchmarks.emoji.shown import prompts_of
from benchmarks.emoji.speed import Pair, measured, summary
from benchmarks.emoji.table import all_targets, document, missing
from sfd_core.base_model.vocabulary import load_vocabulary
from sfd_core.evaluation.intervals import wilson
from tests.support.sample_text_report import text_report

EMOJI = Path(__file__).resolve().parents[3] / "models/emoji"


def rate(share: float, n: int = 2000) -> dict[str, float | int]:
    return dataclasses.asdict(wilson(round(share * n), n))


def figures(ua: float, retained: float, cross: float, concepts: tuple[str, ...] = ("pistol",)) -> dict[str, Any]:
    kind = {"kind": "synonym", "prompts": ["a gun"], "n": 100, "generator": rate(ua), "base_model_seen": rate(0.97)}
    return {
        "verdict": "pass",
        "criteria": [],
        "unlearning": [
            {
                "concept": concept,
                "override": "banana",
                "accuracy": rate(ua),
                "second_judge": None,
                "share_override": 0.9,
                "seen": [("banana", 0.9)],
            }
            for concept in concepts
        ],
        "retained": rate(retained),
        "cross_domain": {"style": rate(cross)},
        "paraphrases": [{"concept": concept, "kinds": [kind]} for concept in concepts],
        "retained_captions": rate(retained),
        "base_model": {
            "unlearning": dict.fromkeys(concepts, 0.01),
            "retained": rate(0.96),
            "cross_domain": {"style": rate(0.99)},
            "retained_captions": None,
        },
    }


def job(**changes: Any) -> dict[str, Any]:
    return {
        "device": "CPU, 2 threads",
        "base": "sha256:0",
        "commit": "`abc`",
        "figures": figures(0.99, 0.94, 0.97),
        "training_seconds": 700.0,
        "images": 12_800,
        "steps": 200,
        "wall_seconds": {"preparing": 5.0, "training": 720.0, "evaluating": 90.0},
        "encoder_calls": {"preparing": 14, "training": 0, "evaluating": 3},
        "text": {"start": "distilled"},
        **changes,
    }


def speed(ratio: float) -> dict[str, Any]:
    row = {
        "name": "16 images",
        "images": 16,
        "held": True,
        "one_step_images_per_second": 100.0,
        "base_model_images_per_second": 5.0,
        "ratio": ratio,
        "ratios": [ratio],
    }
    return {
        "device": "CPU, 2 threads",
        "base": "sha256:0",
        "commit": "`abc`",
        "steps": 20,
        "guidance": 2.0,
        "rows": [row, row | {"name": "latents alone", "held": False, "ratio": 1.0}],
    }


DISTILLED = figures(0.02, 0.95, 0.98)


def everything() -> dict[str, dict[str, Any]]:
    """A result of every part, each as good as the targets ask for."""
    beside = {
        "device": "CPU, 2 threads",
        "base": "sha256:0",
        "commit": "`abc`",
        "title": "",
        "base_model": "",
        "figures": DISTILLED,
    }
    return {part: job() if part in JOBS else speed(20.0) if part == SPEED else beside for part in PARTS}


def by_name(found: list[Target]) -> dict[str, bool]:
    return {target.what: target.reached for target in found}


GOOD = {
    "UA of pistol": True,
    "IRA drop": True,
    "CRA drop, style": True,
    "training": True,
    "text encoder calls in training": True,
}


def test_figures_that_are_good_enough_are_reached() -> None:
    assert by_name(targets(job(), DISTILLED)) == GOOD


@pytest.mark.parametrize(
    ("bad", "changes"),
    [
        ("UA of pistol", {"figures": figures(0.94, 0.94, 0.97)}),
        ("IRA drop", {"figures": figures(0.99, 0.915, 0.97)}),
        ("CRA drop, style", {"figures": figures(0.99, 0.94, 0.94)}),
        ("CRA drop, style", {"figures": figures(0.99, 0.94, 0.97) | {"cross_domain": {}}}),
        ("training", {"training_seconds": 901.0}),
        ("text encoder calls in training", {"encoder_calls": {"preparing": 14, "training": 1, "evaluating": 3}}),
        # Nothing was counted where prompts are encoded: then the count would not have seen a call in training either.
        ("text encoder calls in training", {"encoder_calls": {"preparing": 0, "training": 0, "evaluating": 0}}),
    ],
)
def test_a_figure_that_is_not_good_enough_is_not_reached(bad: str, changes: dict[str, Any]) -> None:
    assert by_name(targets(job(**changes), DISTILLED)) == GOOD | {bad: False}


def test_few_images_do_not_reach_the_lower_bound() -> None:
    few = figures(0.99, 0.94, 0.97)
    few["unlearning"][0]["accuracy"] = rate(0.96, 100)
    assert not by_name(targets(job(figures=few), DISTILLED))["UA of pistol"]


def test_one_concept_of_three_that_is_still_seen_is_not_reached() -> None:
    three = figures(0.99, 0.94, 0.97, ("pistol", "bomb", "cat"))
    three["unlearning"][1]["accuracy"] = rate(0.5)
    reached = by_name(targets(job(figures=three), DISTILLED))
    assert (reached["UA of pistol"], reached["UA of bomb"], reached["UA of cat"]) == (True, False, True)


def test_a_drop_is_held_to_newcombe() -> None:
    measured = drop(dataclasses.asdict(wilson(56, 70)), dataclasses.asdict(wilson(48, 80)))
    # Newcombe 1998, table II, method 10, 56/70 against 48/80.
    assert (measured.value, measured.low, measured.high) == pytest.approx((0.2, 0.0524, 0.3339), abs=5e-5)


def test_only_the_ratios_that_are_held_decide() -> None:
    assert [t.reached for t in speed_targets(speed(15.0)["rows"])] == [True]
    assert [t.reached for t in speed_targets(speed(14.9)["rows"])] == [False]


def test_the_ratio_is_the_median_of_the_rounds() -> None:
    pair = Pair("16 images", 16, True, lambda: None, lambda: None)
    # A disturbed round: both sides slow in it.
    row = summary(pair, [(0.1, 2.0), (1.0, 21.0), (0.1, 1.9)])
    assert (row["one_step_images_per_second"], row["base_model_images_per_second"], row["ratio"]) == (160.0, 8.0, 20.0)
    assert row["ratios"] == [20.0, 21.0, 19.0]


def test_both_sides_run_in_turns() -> None:
    calls: list[str] = []
    measured(Pair("x", 1, True, lambda: calls.append("o"), lambda: calls.append("t")), rounds=2, repeats=8)
    assert "".join(calls) == "ot" + 2 * ("o" * 8 + "t")


def test_what_is_kept_of_a_report() -> None:
    row = {"concept": "b", "override": "a", "accuracy": rate(0.9), "second_judge": None, "share_override": 0.7}
    report = {
        "verdict": "fail",
        "criteria": [{"name": "n", "decision": "fail", "reason": "r", "threshold": 1}],
        "unlearning": [row | {"n": 10}],
        "confusion": {
            "concepts": ["a", "b", "c"],
            "generator": [[1, 0, 0], [0.3, 0.1, 0.6], [0, 0, 1]],
            "base_model": [[1, 0, 0], [0.05, 0.9, 0.05], [0, 0, 1]],
        },
        "retained_accuracy": {"generator": rate(0.9), "base_model": rate(0.95)},
        "cross_domain": [{"domain": "style", "generator": rate(0.8), "base_model": rate(0.9)}],
        "paraphrases": None,
        "retained_captions": {"generator": rate(0.7), "base_model": rate(0.75)},
    }
    kept = figures_of(report)
    assert kept["unlearning"] == [row | {"seen": [("c", 0.6), ("a", 0.3)]}]
    assert kept["cross_domain"] == {"style": rate(0.8)}
    assert kept["retained_captions"] == rate(0.7)
    assert kept["base_model"] == {
        "unlearning": {"b": pytest.approx(0.1)},
        "retained": rate(0.95),
        "cross_domain": {"style": rate(0.9)},
        "retained_captions": rate(0.75),
    }
    assert figures_of(report | {"cross_domain": None})["cross_domain"] == {}


def test_a_whole_report_has_what_is_kept() -> None:
    report = text_report(gun=30)
    kept = figures_of(report)
    assert kept["cross_domain"] == {"style": report["cross_domain"][0]["generator"]}
    (forgotten,) = kept["unlearning"]
    assert forgotten["accuracy"] == report["unlearning"][0]["accuracy"]
    results = everything()
    results["pistol"]["figures"] = kept
    assert "| pistol | Sneaker | synonym | a trainer, in the style of noto | 0.750" in document(results, None)


def test_the_table_counts_what_is_not_reached_and_names_it() -> None:
    results = everything()
    assert all(target.reached for _, target in all_targets(results))
    results["negative"]["figures"] = figures(0.4, 0.94, 0.97)
    results["one-stage"] = job(figures=figures(0.99, 0.2, 0.2))  # only shown beside it
    held = all_targets(results)
    assert [(name, target.what) for name, target in held if not target.reached] == [("negative", "UA of pistol")]
    text = document(results, None)
    assert f"**{len(held) - 1} of {len(held)} targets reached.** Not reached: negative, UA of pistol" in text
    assert text.count("**no**") == 1
    assert "asks its network 40 times an image" in text
    assert "| one-stage | IRA | 0.960" in text
    assert "+0.750" in text  # its drop is shown


@pytest.mark.parametrize("part", [*(name for name, one in JOBS.items() if one.held), "distilled-pistol", SPEED])
def test_a_part_that_was_not_run_has_reached_nothing(part: str) -> None:
    results = everything()
    del results[part]
    assert missing(results) == [part]
    unreached = {name for name, target in all_targets(results) if not target.reached and target.measured == "not run"}
    assert unreached == ({part} if part in (*JOBS, SPEED) else {"pistol", "negative"})
    document(results, None)


def test_the_curve_marks_the_steps_that_were_chosen() -> None:
    points = [{"steps": n, "object": 0.9, "style": 0.9, "fd": 100.0} for n in (10, 20)]
    text = document(everything(), {"chosen": points[1], "steps": points})
    assert "| 10 | 0.900 | 0.900 | 100.0 |" in text
    assert "| **20** | **0.900** | **0.900** | **100.0** |" in text


def test_a_table_with_a_part_missing_is_not_written(tmp_path: Path) -> None:
    work, out = tmp_path / "work", tmp_path / "out"
    for part, result in everything().items():
        if part != "fluent":
            (work / part).mkdir(parents=True)
            (work / part / "result.json").write_text(json.dumps(result))
    with pytest.raises(SystemExit, match="--only fluent"):
        write_page(work, out)
    assert not out.exists()


def test_results_of_two_base_models_are_not_mixed(tmp_path: Path) -> None:
    for part, digest in (("pistol", "sha256:0"), (SPEED, "sha256:1")):
        (tmp_path / part).mkdir()
        (tmp_path / part / "result.json").write_text(json.dumps(everything()[part] | {"base": digest}))
    with pytest.raises(SystemExit, match="2 base models"):
        write_page(tmp_path, tmp_path / "out")


def test_every_job_asks_for_what_the_vocabulary_has() -> None:
    vocabulary = load_vocabulary(EMOJI / "vocabulary.json")
    names = {concept.name for concepts in vocabulary.domains.values() for concept in concepts}
    for one in JOBS.values():
        forgotten = {item["concept"] for item in one.forget}
        overrides = {item["override"] for item in one.forget if isinstance(item["override"], str)}
        assert forgotten <= names
        assert overrides <= names - forgotten
        assert {group.title for group in one.shown if group.forgotten} == forgotten
        assert one.beside in JOBS
        assert {item["concept"] for item in JOBS[one.beside].forget} == forgotten
        assert JOBS[one.beside].shown == one.shown
        assert sum(len(group.columns) for group in one.shown) == 12
    assert prompts_of((in_styles("pistol"),), vocabulary)[1] == "a green pistol, in the style of twemoji"
