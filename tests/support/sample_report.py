"""A report as an evaluation writes it, without the evaluation: figures near those of a real run on ``models/fashion``,
with intervals and decisions by the real code."""

from __future__ import annotations

import dataclasses
import hashlib
import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from pydantic import TypeAdapter

from sfd_core.evaluation.criteria import (
    complete,
    coverage_ratio,
    distinct_images,
    forgotten_elsewhere,
    frechet_distance_ratio,
    many_steps_share,
    one_picture_concepts,
    part_noised_excess,
    retained_accuracy_drop,
    unlearning_accuracy,
    worst_concept_loss,
)
from sfd_core.evaluation.criterion import BEHIND_A_FILTER
from sfd_core.evaluation.intervals import Interval, difference, paired_difference, wilson, z_of_all
from sfd_core.evaluation.sections.depth import ConceptDepth, DepthView, NoiseStep
from sfd_core.evaluation.sections.diversity import ConceptVariety, Variety
from sfd_core.evaluation.verdict import Criterion, by_every_judge, overall
from sfd_core.report.page import limits_of
from sfd_core.report.report import from_json
from sfd_core.request.recipe import Recipe
from tests.support.sample_probes import PROBE_RESULTS

CONCEPTS = ("T-shirt", "Trouser", "Pullover", "Dress", "Coat", "Sandal", "Shirt", "Sneaker", "Bag", "Ankle boot")
TEACHER_RIGHT = (0.874, 0.98, 0.895, 0.847, 0.723, 0.843, 0.58, 0.944, 0.961, 0.993)
ON_REAL = (0.904, 0.991, 0.913, 0.927, 0.89, 0.984, 0.728, 0.978, 0.99, 0.965)
NEXT = {0: 6, 1: 3, 2: 4, 3: 0, 4: 2, 5: 7, 6: 0, 7: 9, 8: 0, 9: 7}
"""What the judge takes each concept for when it errs."""
SECOND = 0.93
"""Share of images in which the second judge says what the first says."""
TOLD = dict.fromkeys(("words", "prompts", "topic"))
"""What a class-conditional model is not told."""
Forgetting = Mapping[str, str | dict[str, bool]]
Json = dict[str, Any]


def as_json(value: Interval | Criterion | Variety | ConceptDepth) -> Json:
    """As JSON has it: lists where there are tuples."""
    read: Json = TypeAdapter(type(value)).dump_python(value, mode="json")
    return read


def digest(of: str) -> str:
    return "sha256:" + hashlib.sha256(of.encode()).hexdigest()


def with_limits(report: Json) -> Json:
    return {**report, "limits": list(limits_of(from_json({**report, "limits": []})))}


def sample_report(
    forget: Forgetting | None = None,
    seen: int = 3,
    n: int = 2000,
    lost: float = 0.008,
    per_concept: int = 500,
    distance: float = 4.1,
    probes: Sequence[str] = tuple(PROBE_RESULTS),
    many_steps: int = 1,
) -> Json:
    """Of a generator that still shows a forgotten concept in ``seen`` of ``n`` images, is right ``lost`` less often
    than the teacher on every other, is ``distance`` from real images, and whose network draws a forgotten concept in
    ``many_steps`` of 300 images in many steps."""
    forget = {"Sneaker": "Bag"} if forget is None else forget
    remaining = [i for i, c in enumerate(CONCEPTS) if c not in forget]
    rng = np.random.default_rng(5)
    teacher_right = [round(1000 * r) for r in TEACHER_RIGHT]
    right = [min(per_concept, round(per_concept * (r - lost + rng.normal(0, 0.006)))) for r in TEACHER_RIGHT]
    generator_matrix = _confusion(right, per_concept, rng)
    for concept, override in forget.items():
        row = [0.0] * 10
        row[CONCEPTS.index(concept)] = seen / n
        row[CONCEPTS.index(override) if isinstance(override, str) else 8] += 0.95 * (1 - seen / n)
        row[9] += 1 - sum(row)
        generator_matrix[CONCEPTS.index(concept)] = row
    generator_all = wilson(sum(right[i] for i in remaining), per_concept * len(remaining))
    teacher_all = wilson(sum(teacher_right[i] for i in remaining), 1000 * len(remaining))
    quality = [_quality(len(remaining) * per_concept, distance, 136, "judge-128", "FD-judge-128")]
    quality.append(_quality(len(remaining) * per_concept, 9 * distance, 338, "EffLite0-320", "FD-EffLite0-320"))
    variety = _variety([CONCEPTS[i] for i in remaining], per_concept * len(remaining))
    depth = [sample_depth(concept, many_steps) for concept in forget]
    elsewhere = per_concept * len(remaining)
    criteria = (
        *(unlearning_accuracy.judge(concept, n - seen, n, 0.99) for concept in forget),
        *(
            forgotten_elsewhere.judge(concept, wilson(elsewhere // 225, elsewhere), wilson(45, 9000), 0.02)
            for concept in forget
        ),
        *(
            by_every_judge([(who, kind.judge(row, view, threshold)) for who, view in row.views], str)
            for kind, threshold in ((many_steps_share, 0.1), (part_noised_excess, 0.2))
            for row in depth
        ),
        retained_accuracy_drop.judge(teacher_all, generator_all, 0.05),
        worst_concept_loss.judge(
            {CONCEPTS[i]: ((teacher_right[i], 1000), (right[i], per_concept)) for i in remaining}, 0.25
        ),
        frechet_distance_ratio.judge(Interval(**quality[0]["against_real"]["fd"]), _about(1.73, 9000), 5.0)
        if quality[0]["against_real"]["fd"]
        else frechet_distance_ratio.too_few(quality[0]["n"], 136, 5.0),
        coverage_ratio.judge(variety, 0.25),
        distinct_images.judge(variety, 0.3),
        one_picture_concepts.judge(variety, 0.05),
    )
    report = {
        "schema_version": 5,
        "created_at": "2026-11-24T20:31:07+00:00",
        "subject": {
            "kind": "one_step",
            "network_evaluations": 1,
            "title": "one-step generator",
        },
        "base_model": {
            "name": "fashion",
            "title": "Fashion-MNIST, class-conditional DDPM, 28x28",
            "digest": digest("base"),
            "license": "MIT (data: Fashion-MNIST, Zalando SE, MIT)",
        },
        "judge": _judge("ResNet on real Fashion-MNIST", 0.927),
        "second_judge": _judge("ConvNeXt on real Fashion-MNIST", 0.918),
        "forget": [{"concept": c, "override": o, **TOLD} for c, o in forget.items()],
        "budget": {"images": 6400, "seconds": 600.0, "until": "pass"},
        "recipe": dataclasses.asdict(Recipe()),
        "thresholds": complete({}),
        "evaluation": {
            "images_per_concept": per_concept,
            "images_per_forgotten_concept": n,
            "probes": list(probes),
            "nsfw": False,
        },
        "seed": 7,
        "retain": None,
        "domain": None,
        "asked_by": None,
        "versions": {"lethe": "0.1.0", "torch": "2.13.0", "diffusers": "0.42.1", "transformers": "5.23.0"},
        "verdict": overall(criteria),
        "criteria": [as_json(c) for c in criteria],
        "unlearning": [_unlearned(concept, override, seen, n) for concept, override in forget.items()],
        "retention": [
            {
                "concept": CONCEPTS[i],
                "n": per_concept,
                "generator": as_json(wilson(right[i], per_concept)),
                "base_model": as_json(wilson(teacher_right[i], 1000)),
                "judge_on_real": ON_REAL[i],
                "second_judge": {
                    "generator": as_json(wilson(round(0.99 * right[i]), per_concept)),
                    "base_model": as_json(wilson(round(0.99 * teacher_right[i]), 1000)),
                },
            }
            for i in remaining
        ],
        "retained_accuracy": {
            "generator": as_json(generator_all),
            "base_model": as_json(teacher_all),
            "drop": as_json(difference(teacher_all, generator_all)),
            "second_judge": {
                "generator": as_json(generator_all),
                "base_model": as_json(teacher_all),
                "drop": as_json(difference(teacher_all, generator_all)),
            },
        },
        "diversity": as_json(variety),
        "depth": [as_json(row) for row in depth],
        "kept_forgotten": None,
        "drawn_again": None,
        "cross_domain": None,
        "paraphrases": None,
        "retained_captions": None,
        "nsfw": None,
        "text": None,
        "confusion": {
            "concepts": list(CONCEPTS),
            "generator": generator_matrix,
            "base_model": _confusion(teacher_right, 1000, rng),
        },
        "agreement": _agreement(forget, seen, n, per_concept),
        "neighbours": [
            {
                "forgotten": concept,
                "concept": CONCEPTS[i],
                "confusion": share,
                "generator": as_json(wilson(right[i], per_concept)),
                "base_model": as_json(wilson(teacher_right[i], 1000)),
                "drop": as_json(difference(wilson(teacher_right[i], 1000), wilson(right[i], per_concept))),
            }
            for concept in forget
            for i, share in zip([i for i in (9, 5, 8, 0, 1) if i in remaining][:3], (0.061, 0.043, 0.002), strict=True)
        ],
        "quality": quality,
        "inception_score": {
            "name": "IS-judge",
            "generator": {"mean": 7.12, "std": 0.11},
        },
        "standard_inception_score": None,
        "clip_score": None,
        "probes": {"asked": list(probes), "results": {name: PROBE_RESULTS[name](list(forget)) for name in probes}},
        "curves": [_moment(step / 16) for step in range(1, 17)],
        "checks": [
            {"step": 64, "images": 4096, "seconds": 12.5, "made": 3800, "missing": ["within the margin: 2.1 points"]}
        ],
        "strip": [{"share": s, "images": round(6400 * s)} for s in (0.0, 0.05, 0.1, 0.25, 0.5, 1.0)],
        "speed": {
            "generator_images_per_second": 374.2,
            "base_model_images_per_second": 38.41,
            "ratio": 9.74,
            "generator_network_evaluations": 1,
            "base_model_network_evaluations": 10,
            "device": "CPU, 2 threads",
        },
        "cost": {
            "seconds": {"preparing": 2.31, "training": 171.9, "evaluating": 84.8},
            "images": 6400,
            "steps": 100,
            "images_per_second": 37.2,
            "peak_memory_bytes": 912 * 2**20,
            "device": "CPU, 2 threads",
            "ended": "images",
        },
        "generator": {
            "digest": digest("generator"),
            "files": {"unet/config.json": digest("unet").removeprefix("sha256:")},
        },
        "scores": {
            "file": "scores.safetensors",
            "sha256": digest("scores").removeprefix("sha256:"),
            "images": n + 4500,
        },
        "evaluators": [
            {"name": "ResNet on real Fashion-MNIST", "role": "judge", "digest": digest("ResNet on real Fashion-MNIST")},
            {"name": "ConvNeXt on real Fashion-MNIST", "role": "second judge", "digest": digest("ConvNeXt")},
            {"name": "EffLite0-320", "role": "features", "digest": digest("EffLite0")},
            {"name": "reference.safetensors", "role": "reference", "digest": digest("reference")},
        ],
        "pictures": {
            "pairs": "pairs.png",
            "strip": "strip.png",
            "pairs_narrow": "pairs-narrow.png",
            "strip_narrow": "strip-narrow.png",
            **{f"probe_{name}_{k}": f"probe_{name}_{k}.png" for name in probes for k in range(len(forget))},
        },
        "rerun": ["lethe record rerun unlearning-record.json --out again"],
    }
    return with_limits(report)


def sample_depth(concept: str, many_steps: int) -> ConceptDepth:
    """Of a network that draws the concept in ``many_steps`` of 300 images, and adds little to part-noised ones."""
    z = z_of_all(2)
    levels = tuple(
        NoiseStep(
            t,
            signal,
            wilson(ours, 120),
            wilson(floor, 120),
            wilson(115, 120),
            paired_difference(
                min(ours, floor) - 6, 6 + max(ours - floor, 0), 6 + max(floor - ours, 0), 108 - max(ours, floor), z
            ),
            paired_difference(floor, 115 - floor, 0, 5, z),
        )
        for t, signal, ours, floor in ((300, 0.628, 56, 74), (440, 0.375, 17, 22))
    )
    view = DepthView(wilson(many_steps, 300), wilson(115, 120), levels)
    return ConceptDepth(concept, 20, view, view)


def foreign_report() -> Json:
    """What ``lethe evaluate`` writes of a generator that was made elsewhere: nothing of a training, and nothing that
    was not asked for."""
    report = sample_report(probes=())
    report |= dict.fromkeys(("budget", "recipe", "text", "curves", "checks", "strip", "cost"))
    for row in (*report["unlearning"], *report["retention"]):
        row["second_judge"] = None
    for row in (*report["forget"], *report["unlearning"]):
        row["override"] = None  # nobody said what it should show
    report["depth"] = None
    behind = {"decision": "inconclusive", "measured": None, "reason": BEHIND_A_FILTER}
    for one in report["criteria"]:
        one |= behind if one["name"] in ("many_steps_share", "part_noised_excess") else {}
    report["verdict"] = "inconclusive" if report["verdict"] == "pass" else report["verdict"]
    report["unlearning"][0]["share_override"] = None
    report["unlearning"][0]["override_share_note"] = None
    pictures = {"pairs": "pairs.png", "pairs_narrow": "pairs-narrow.png"}
    subject = {"kind": "refusal", "network_evaluations": 10, "title": "Fashion-MNIST, refusing the label"}
    return {**report, "subject": subject, "second_judge": None, "agreement": None, "pictures": pictures}


def _about(value: float, n: int, spread: float = 0.04) -> Interval:
    return Interval(value, value * (1 - spread), value * (1 + spread), n)


def _judge(name: str, accuracy: float) -> Json:
    return {"name": name, "accuracy": accuracy, "accuracy_images": 10000, "digest": digest(name)}


def _confusion(right: Sequence[int], total: int, rng: np.random.Generator) -> list[list[float]]:
    matrix = np.zeros((10, 10))
    for i, count in enumerate(right):
        matrix[i, i] = count
        matrix[i, NEXT[i]] += round((total - count) * 0.8)
        matrix[i, int(rng.integers(10))] += total - int(matrix[i].sum())
    shares: list[list[float]] = (matrix / total).tolist()
    return shares


def _unlearned(concept: str, override: str | dict[str, bool], seen: int, n: int) -> Json:
    fixed = isinstance(override, str)
    row = {
        "concept": concept,
        "override": override,
        "n": n,
        "seen": seen,
        "accuracy": as_json(wilson(n - seen, n)),
        "mean_probability": 0.0021,
        "mean_entropy": 0.213,
        "share_override": 0.9491 if fixed else None,
        "second_judge": {"seen": seen // 2, "accuracy": as_json(wilson(n - seen // 2, n))},
    }
    note = {"real_override_seen_as_forgotten": 0.006, "base_model_override_seen_as_forgotten": 0.004}
    return row | {"override_share_note": note if fixed else None}


def _variety(concepts: Sequence[str], n: int) -> Variety:
    rows = tuple(ConceptVariety(concept, round(0.72 - 0.03 * i, 2), 0.98, 120.0) for i, concept in enumerate(concepts))
    ratio, own, same = Interval(0.6, 0.58, 0.62, n), Interval(0.98, 0.97, 0.99, n), Interval(0.0, 0.0, 0.0, n)
    return Variety("judge-128", 5, n, 0.57, 0.95, ratio, own, same, rows)


def _agreement(forget: Forgetting, seen: int, n: int, per_concept: int) -> Json:
    total = n * len(forget) + per_concept * (10 - len(forget))
    rows = [{"concept": c, "n": n, "only_first": seen - seen // 2, "only_second": 0, "both": seen // 2} for c in forget]
    return {
        "generator": as_json(wilson(round(total * SECOND), total)),
        "base_model": as_json(wilson(9010, 10_000)),
        "real": as_json(wilson(4720, 5000)),
        "by_concept": [
            {"concept": c, "generator": r - 0.01, "base_model": r - 0.02, "real": min(1.0, r + 0.01)}
            for c, r in zip(CONCEPTS, ON_REAL, strict=True)
        ],
        "forgotten": rows,
        "statement": "The two see the same concept in 93.0% of the generator's images and 94.4% of real ones.",
    }


def _quality(n: int, fd: float, needed: int, features: str, fd_name: str) -> Json:
    """Without a Frechet distance where fewer than ``needed`` images are at hand, as the evaluation has it."""
    enough = n >= needed
    against_real = {
        "fd": as_json(_about(fd, n)) if enough else None,
        "fd_floor": 0.117 if enough else None,
        "fd_base_model": 1.73 if enough else None,
        "kid": 0.0644,
        "kid_std": 0.0108,
        "kid_floor": -0.0009,
        "precision": 0.781,
        "recall": 0.412,
        "precision_base_model": 0.812,
        "recall_base_model": 0.534,
    }
    against_teacher = against_real | {
        "fd": as_json(_about(0.62 * fd, n)) if enough else None,
        "fd_base_model": None,
        "precision_base_model": None,
        "recall_base_model": None,
    }
    return {
        "features": features,
        "fd_name": fd_name,
        "n": n,
        "images_needed": needed,
        "against_real": against_real,
        "against_base_model": against_teacher,
    }


def _moment(share: float) -> Json:
    return {
        "step": round(100 * share),
        "images": round(6400 * share),
        "seconds": 171.9 * share,
        "unlearning_accuracy": 1 - 0.96 * math.exp(-9 * share),
        "retained_accuracy": 0.876 - 0.5 * math.exp(-7 * share) + 0.01 * math.sin(40 * share),
        "good": bool(share > 0.6),
        "loss_generator": 0.41 * math.exp(-4 * share) - 0.03 + 0.02 * math.sin(31 * share),
        "loss_fake_score": 0.12 + 0.3 * math.exp(-6 * share),
    }
