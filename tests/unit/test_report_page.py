"""The report page: what it says in each verdict, what it escapes, and that it stands alone."""

from __future__ import annotations

import base64
import copy
import dataclasses
import hashlib
import math
import re
from html.parser import HTMLParser
from typing import Any

import numpy as np
import pytest

from sfd_core.evaluation import curves, page, pictures
from sfd_core.evaluation.verdict import (
    Criterion,
    Interval,
    difference,
    judge_retention,
    judge_unlearning,
    overall,
    wilson,
)

CONCEPTS = ("T-shirt", "Trouser", "Pullover", "Dress", "Coat", "Sandal", "Shirt", "Sneaker", "Bag", "Ankle boot")
TEACHER_RIGHT = (0.842, 0.982, 0.874, 0.918, 0.861, 0.972, 0.704, 0.964, 0.984, 0.958)
ON_REAL = (0.871, 0.984, 0.889, 0.932, 0.886, 0.981, 0.768, 0.971, 0.988, 0.963)
NEXT = {0: 6, 1: 3, 2: 4, 3: 0, 4: 2, 5: 7, 6: 0, 7: 9, 8: 0, 9: 7}
"""What the judge takes each concept for when it errs."""


def as_json(value: Interval | Criterion) -> dict[str, Any]:
    return dataclasses.asdict(value)


def sample_report(
    forget: dict[str, str | dict[str, bool]] | None = None,
    seen: int = 3,
    n: int = 2000,
    lost: float = 0.008,
    per_concept: int = 500,
) -> dict[str, Any]:
    """A report as an evaluation of a generator would write it that still shows a forgotten concept in ``seen`` of
    ``n`` images and is right ``lost`` less often than the teacher on every other."""
    forget = {"Sneaker": "Sandal"} if forget is None else forget
    remaining = [i for i, c in enumerate(CONCEPTS) if c not in forget]
    rng = np.random.default_rng(5)

    def confusion(right: list[int], total: int) -> list[list[int]]:
        matrix = np.zeros((10, 10), int)
        for i, count in enumerate(right):
            matrix[i, i] = count
            matrix[i, NEXT[i]] += round((total - count) * 0.8)
            matrix[i, int(rng.integers(10))] += total - int(matrix[i].sum())
        return matrix.tolist()

    teacher_right = [round(2000 * r) for r in TEACHER_RIGHT]
    generator_right = [round(per_concept * (r - lost + rng.normal(0, 0.006))) for r in TEACHER_RIGHT]
    generator_right = [min(r, per_concept) for r in generator_right]
    teacher_matrix, generator_matrix = confusion(teacher_right, 2000), confusion(generator_right, per_concept)
    unlearning = []
    for concept, override in forget.items():
        row = [0] * 10
        row[CONCEPTS.index(concept)] = seen
        row[CONCEPTS.index(override) if isinstance(override, str) else 8] += round(0.95 * (n - seen))
        row[9] += n - sum(row)
        generator_matrix[CONCEPTS.index(concept)] = row
        unlearning.append(
            {
                "concept": concept,
                "override": override,
                "n": n,
                "seen": seen,
                "accuracy": as_json(wilson(n - seen, n)),
                "mean_probability": 0.0021,
                "mean_entropy": 0.213,
                "share_override": 0.9491 if isinstance(override, str) else None,
                "override_share_note": {"real_override_seen_as_forgotten": 0.006} if isinstance(override, str) else None,
            }
        )
    generator_all = wilson(sum(generator_right[i] for i in remaining), per_concept * len(remaining))
    teacher_all = wilson(sum(teacher_right[i] for i in remaining), 2000 * len(remaining))
    criteria = (
        *(judge_unlearning(concept, n - seen, n, 0.99) for concept in forget),
        judge_retention(teacher_all, generator_all, 0.05),
    )
    shares = np.linspace(0, 1, 21)
    return {
        "schema_version": 1,
        "verdict": overall(criteria),
        "criteria": [as_json(c) for c in criteria],
        "base_model": {
            "name": "fashion",
            "title": "Fashion-MNIST, class-conditional DDPM, 28x28",
            "digest": "sha256:" + hashlib.sha256(b"base").hexdigest(),
            "license": "Apache-2.0",
        },
        "forget": [{"concept": c, "override": o} for c, o in forget.items()],
        "seed": 7,
        "created_at": "2026-11-24T20:31:07+00:00",
        "judge": {
            "name": "fashion-judge",
            "accuracy": 0.9233,
            "accuracy_images": 10000,
            "digest": "sha256:" + hashlib.sha256(b"judge").hexdigest(),
        },
        "unlearning": unlearning,
        "retention": [
            {
                "concept": CONCEPTS[i],
                "n": per_concept,
                "generator": as_json(wilson(generator_right[i], per_concept)),
                "teacher": as_json(wilson(teacher_right[i], 2000)),
                "judge_on_real": ON_REAL[i],
            }
            for i in remaining
        ],
        "retained_accuracy": {
            "generator": as_json(generator_all),
            "teacher": as_json(teacher_all),
            "drop": as_json(difference(teacher_all, generator_all)),
        },
        "confusion": {"concepts": list(CONCEPTS), "generator": generator_matrix, "teacher": teacher_matrix},
        "quality": {
            "features": "judge-96",
            "against_real": {"fd": 3.42, "fd_floor": 0.41, "kid": 0.0123, "kid_std": 0.0011, "kid_floor": 0.0002},
            "against_teacher": {"fd": 1.187, "fd_floor": 0.39, "kid": 0.0041, "kid_std": 0.0006, "kid_floor": 0.0001},
            "n": 4500,
        },
        "speed": {
            "generator_images_per_second": 1874.2,
            "teacher_images_per_second": 38.41,
            "ratio": 48.79,
            "generator_network_evaluations": 1,
            "teacher_network_evaluations": 50,
            "device": "cpu, 2 threads",
        },
        "cost": {
            "seconds": {"preparing": 2.31, "training": 171.9, "evaluating": 24.8},
            "images": 6400,
            "images_per_second": 37.2,
            "peak_memory_bytes": 912 * 2**20,
            "device": "cpu, 2 threads",
        },
        "curves": [
            {
                "images": round(6400 * s),
                "seconds": 171.9 * s,
                "unlearning_accuracy": 1 - 0.96 * math.exp(-9 * s),
                "retained_accuracy": 0.906 - 0.5 * math.exp(-7 * s) + 0.01 * math.sin(40 * s),
                "loss_generator": 0.41 * math.exp(-4 * s) - 0.03 + 0.02 * math.sin(31 * s),
                "loss_fake_score": 0.12 + 0.3 * math.exp(-6 * s),
            }
            for s in shares
        ],
        "strip": [
            {"share": s, "images": round(6400 * s), "file": f"strip-{round(100 * s):03d}.png"}
            for s in (0, 0.05, 0.1, 0.25, 0.5, 1)
        ],
        "pictures": {
            "pairs": "pairs.png",
            "strip": "strip.png",
            "pairs_narrow": "pairs-narrow.png",
            "strip_narrow": "strip-narrow.png",
        },
        "recipe": {"alpha": 1.2, "t_init": 440, "batch": 64, "micro_batch": None, "precision": "auto"},
        "budget": {"images": 6400, "seconds": 600, "stop_when_unlearned": True},
        "thresholds": {"unlearning_accuracy": 0.99, "retained_accuracy_drop": 0.05},
        "evaluation": {"images_per_concept": per_concept, "images_per_forgotten_concept": n},
        "versions": {"lethe": "0.1.0", "torch": "2.13.0", "diffusers": "0.42.1"},
        "limits": [],
    }
