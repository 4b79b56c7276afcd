"""The arithmetic of ``benchmarks.emoji``: a figure that is not good enough is shown as not reached."""

from __future__ import annotations

import dataclasses
import io
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from transformers import CLIPTextConfig, CLIPTextModel

from benchmarks.emoji.__main__ import blocks, write
from benchmarks.emoji.encoder_calls import EncoderCalls
from benchmarks.emoji.figures import Target, drop, figures_of, speed_targets, targets
from benchmarks.emoji.jobs import JOBS, PARTS, SPEED, Group, in_styles
from benchmarks.emoji.picture import Block, Line, picture
from benchmarks.emoji.runs import Bench
from benchmarks.emoji.shown import prompts_of
from benchmarks.emoji.speed import Pair, measured, summary
from benchmarks.emoji.table import all_targets, document, missing
from sfd_core.evaluation.drawing import MARK_TINT
from sfd_core.evaluation.rates import plain
from sfd_core.evaluation.verdict import wilson
from sfd_core.scores.prompt_table import PromptTable
from sfd_core.text.vocabulary import load_vocabulary
from sfd_core.text_parts import TextParts
from tests.sample_text_report import text_report
from tests.tiny_text_model import STYLES, make_tiny_text_model

EMOJI = Path(__file__).resolve().parents[2] / "models/emoji"


def rate(share: float, n: int = 2000) -> dict[str, float | int]:
    return plain(wilson(round(share * n), n))


def figures(ua: float, retained: float, cross: float, concepts: tuple[str, ...] = ("pistol",)) -> dict[str, Any]:
    kind = {"kind": "synonym", "prompts": ["a gun"], "n": 100, "generator": rate(ua), "teacher_seen": rate(0.97)}
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
        "phrasings": [{"concept": concept, "kinds": [kind]} for concept in concepts],
        "retained_captions": rate(retained),
        "teacher": {
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
        "teacher_images_per_second": 5.0,
        "ratio": ratio,
        "ratios": [ratio],
    }
    return {
        "device": "CPU, 2 threads",
        "base": "sha256:0",
        "steps": 20,
        "guidance": 2.0,
        "rows": [row, row | {"name": "latents alone", "held": False, "ratio": 1.0}],
    }


DISTILLED = figures(0.02, 0.95, 0.98)


def everything() -> dict[str, dict[str, Any]]:
    """A result of every part, each as good as the targets ask for."""
    beside = {"device": "CPU, 2 threads", "base": "sha256:0", "title": "", "teacher": "", "figures": DISTILLED}
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
    measured = drop(plain(wilson(56, 70)), plain(wilson(48, 80)))
    # Newcombe 1998, table II, method 10, 56/70 against 48/80.
    assert (measured.value, measured.low, measured.high) == pytest.approx((0.2, 0.0524, 0.3339), abs=5e-5)


def test_only_the_ratios_that_are_held_decide() -> None:
    assert [t.reached for t in speed_targets(speed(15.0)["rows"])] == [True]
    assert [t.reached for t in speed_targets(speed(14.9)["rows"])] == [False]


def test_the_ratio_is_the_median_of_the_rounds() -> None:
    pair = Pair("16 images", 16, True, lambda: None, lambda: None)
    # A disturbed round: both sides slow in it.
    row = summary(pair, [(0.1, 2.0), (1.0, 21.0), (0.1, 1.9)])
    assert (row["one_step_images_per_second"], row["teacher_images_per_second"], row["ratio"]) == (160.0, 8.0, 20.0)
    assert row["ratios"] == [20.0, 21.0, 19.0]


def test_both_sides_run_in_turns() -> None:
    calls: list[str] = []
    measured(Pair("x", 1, True, lambda: calls.append("o"), lambda: calls.append("t")), rounds=2)
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
            "teacher": [[1, 0, 0], [0.05, 0.9, 0.05], [0, 0, 1]],
        },
        "retained_accuracy": {"generator": rate(0.9), "teacher": rate(0.95)},
        "cross_domain": [{"domain": "style", "generator": rate(0.8), "teacher": rate(0.9)}],
        "phrasings": None,
        "retained_captions": {"generator": rate(0.7), "teacher": rate(0.75)},
    }
    kept = figures_of(report)
    assert kept["unlearning"] == [row | {"seen": [("c", 0.6), ("a", 0.3)]}]
    assert kept["cross_domain"] == {"style": rate(0.8)}
    assert kept["retained_captions"] == rate(0.7)
    assert kept["teacher"] == {
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
        write(work, out)
    assert not out.exists()


def test_results_of_two_base_models_are_not_mixed(tmp_path: Path) -> None:
    for part, digest in (("pistol", "sha256:0"), (SPEED, "sha256:1")):
        (tmp_path / part).mkdir()
        (tmp_path / part / "result.json").write_text(json.dumps(everything()[part] | {"base": digest}))
    with pytest.raises(SystemExit, match="2 base models"):
        write(tmp_path, tmp_path / "out")


class Counted(Bench):
    """Makes nothing, and says how often it was asked to."""

    made = 0

    def _made(self, part: str, job: Any, folder: Path) -> dict[str, Any]:
        Counted.made += 1
        return {}


def test_a_finished_part_is_not_run_again_and_another_request_is_refused(tmp_path: Path) -> None:
    Counted.made = 0
    model = make_tiny_text_model(tmp_path / "model", domains=True)

    def bench(images: int) -> Bench:
        return Counted(model, tmp_path / "work", images, 10.0, {})

    assert bench(64).run("pistol") == bench(64).run("pistol")
    assert Counted.made == 1
    with pytest.raises(SystemExit, match="another base model or request"):
        bench(128).run("pistol")
    # How a job is trained is nothing to what stands beside it.
    bench(64).run("distilled-pistol")
    bench(128).run("distilled-pistol")
    assert Counted.made == 2


def groups() -> tuple[Group, ...]:
    """What the tiny model can be asked for."""
    return tuple(
        Group(thing, thing == "pistol", tuple({"object": thing, "style": style} for style in STYLES), STYLES)
        for thing in ("pistol", "banana")
    )


@pytest.fixture
def tiny(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Bench:
    """The first job, small, on a model that knows next to nothing."""
    plan = {"images_per_concept": 4, "images_per_forgotten_concept": 4}
    monkeypatch.setitem(JOBS, "pistol", dataclasses.replace(JOBS["pistol"], plan=plan, shown=groups()))
    monkeypatch.setattr("benchmarks.emoji.speed.ROUNDS", 1)
    model = make_tiny_text_model(tmp_path / "model", domains=True)
    return Bench(model, tmp_path / "work", 8, 60.0, {"kappa4": 2.0}, torch.device("cpu"))


def test_a_job_and_what_stands_beside_it_are_run_and_resumed(tiny: Bench) -> None:
    parts = ("distilled-pistol", "pistol", SPEED)
    results = {part: tiny.run(part) for part in parts}
    assert {part: tiny.run(part) for part in parts} == json.loads(json.dumps(results))
    one = results["pistol"]
    assert one["images"] == 8
    assert one["text"]["start"] == "distilled"
    assert one["encoder_calls"]["training"] == 0
    assert one["encoder_calls"]["preparing"] > 0
    assert list(one["figures"]["cross_domain"]) == ["style"]
    assert results["distilled-pistol"]["figures"]["retained"]["n"] == one["figures"]["retained"]["n"] == 12
    assert (results[SPEED]["steps"], results[SPEED]["guidance"]) == (2, 2.0)
    text = document(results, None)
    assert "| three | all of it | run | not run | **no** |" in text
    images = np.load(tiny.work / "pistol" / "shown.npy")
    assert images.shape == (4, 16, 16, 3)
    (block,) = blocks(tiny.work, {part: results[part] for part in parts})
    assert [(line.name, line.note) for line in block.lines] == [
        ("Teacher", "2 steps, guidance 2"),
        ("Distilled", "1 step, nothing forgotten"),
        ("After forgetting", "1 step"),
    ]
    picture([block])


def test_a_run_that_encodes_prompts_while_it_trains_is_caught(tiny: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    parts: list[TextParts] = []
    looked_up, made = PromptTable.of, PromptTable.__init__

    def making(self: PromptTable, conditions: Any, text: TextParts, *rest: Any) -> None:
        parts.append(text)
        made(self, conditions, text, *rest)

    def encoding(self: PromptTable, c: torch.Tensor) -> torch.Tensor:
        parts[0].text_encoder(torch.zeros(1, 2, dtype=torch.long))
        return looked_up(self, c)

    monkeypatch.setattr(PromptTable, "__init__", making)
    monkeypatch.setattr(PromptTable, "of", encoding)
    result = tiny.run("pistol")
    assert result["encoder_calls"]["training"] > 0
    (caught,) = (t for t in targets(result, DISTILLED) if t.what == "text encoder calls in training")
    assert not caught.reached


def encoder() -> CLIPTextModel:
    return CLIPTextModel(
        CLIPTextConfig(
            vocab_size=99, hidden_size=8, intermediate_size=8, num_hidden_layers=1, num_attention_heads=1,
            max_position_embeddings=8, projection_dim=8, bos_token_id=1, eos_token_id=2, pad_token_id=2,
        )
    )  # fmt: skip


def test_every_call_of_a_text_encoder_is_counted_by_phase() -> None:
    tokens, network = torch.ones(1, 8, dtype=torch.long), encoder()
    network(tokens)
    with EncoderCalls() as calls:
        calls.phase = "preparing"
        network(tokens)
        encoder()(tokens)
        calls.phase = "training"
        torch.nn.Linear(2, 2)(torch.zeros(1, 2))
        assert calls.by_phase == {"preparing": 2}
        network(tokens)
    network(tokens)
    assert calls.by_phase == {"preparing": 2, "training": 1}


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


def shades(*values: int) -> np.ndarray:
    return np.stack([np.full((8, 8, 3), value, np.uint8) for value in values])


GROUPS = (in_styles("pistol", True), Group("banana", False, ({}, {}), ("noto", "fluent")))


def test_the_picture_shows_every_image_and_marks_what_is_to_be_forgotten() -> None:
    lines = (Line("Teacher", "20 steps", shades(1, 2, 3, 4, 5)), Line("After", "1 step", shades(11, 12, 13, 14, 15)))
    image = Image.open(io.BytesIO(picture([Block("One object", GROUPS, lines)])))
    pixels = np.asarray(image)
    places = {}
    for value in (1, 2, 3, 4, 5, 11, 12, 13, 14, 15):
        rows, columns = np.nonzero((pixels == value).all(axis=2))
        assert len(rows) == 16 * 16
        places[value] = (rows.min(), columns.min())
    tops, lefts = {}, {}
    for value, (top, left) in places.items():
        tops.setdefault(value // 10, set()).add(top)
        lefts.setdefault(value % 10, set()).add(left)
    assert all(len(group) == 1 for group in (*tops.values(), *lefts.values()))
    assert [min(lefts[i]) for i in (1, 2, 3, 4, 5)] == sorted(min(lefts[i]) for i in (1, 2, 3, 4, 5))
    tinted = np.nonzero((pixels == MARK_TINT).all(axis=2).any(axis=0))[0]
    assert tinted.min() < places[1][1] < places[3][1] < tinted.max() < places[4][1]


def test_a_row_with_an_image_missing_is_refused() -> None:
    with pytest.raises(ValueError, match="Teacher has 4 images for 5 columns"):
        picture([Block("One object", GROUPS, (Line("Teacher", "", shades(1, 2, 3, 4)),))])
    with pytest.raises(ValueError, match="no job"):
        picture([])
