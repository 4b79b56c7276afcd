"""What probes of a sample report found, in the shape and about the size of real ones."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Sequence
from typing import Any

from sfd_core.evaluation.intervals import wilson

Json = dict[str, Any]
SECOND = "ConvNeXt on real Fashion-MNIST"


def _share(value: float, n: int = 200) -> Json:
    return dataclasses.asdict(wilson(round(min(1.0, max(0.0, value)) * n), n))


def _relearning(forgotten: Sequence[str]) -> list[Json]:
    """Curves that fall from 1 (from 0.1 for the base model, which has nothing to relearn) at a speed of their own."""
    steps, speed = (0, 1, 2, 5, 10, 20, 40), {"generator": 0.02, "control": 0.012, "base_model": 0.2}

    def curve(network: str, n: int) -> Json:
        start = 0.1 if network == "base_model" else 1.0
        values = [start * math.exp(-speed[network] * step * (1 + math.log10(n))) for step in steps]
        return {
            "network": network,
            "n": n,
            "points": [
                {"step": step, "unlearning_accuracy": _share(value)} for step, value in zip(steps, values, strict=True)
            ],
            "steps_to_half": next((s for s, v in zip(steps, values, strict=True) if v < 0.5), None),
        }

    return [
        {
            "concept": concept,
            "pool": 256,
            "batch": 32,
            "lr": 0.0005,
            "curves": [curve(network, n) for n in (10, 100, 1000) for network in speed],
            "scored_by": SECOND,
            "statement": f"Fine-tuned on 1000 images of {concept}, the generator shows it again in half of its images "
            "after 10 steps; the control, retrained without it, takes 20.",
        }
        for concept in forgotten
    ]


def _image_to_image(forgotten: Sequence[str]) -> list[Json]:
    levels = (
        *((100, 0.95, 0.92, 0.97, 0.9), (200, 0.83, 0.7, 0.95, 0.62), (300, 0.66, 0.31, 0.93, 0.2)),
        *((440, 0.4, 0.05, 0.9, 0.03), (600, 0.18, 0.0, 0.88, 0.0)),
    )
    return [
        {
            "concept": concept,
            "levels": [
                {
                    "t": t,
                    "signal": signal,
                    "generator": _share(generator),
                    "base_model": _share(base),
                    "floor": _share(floor),
                    "floor_asked": "Bag",
                    "first_stage": None,
                }
                for t, signal, generator, base, floor in levels
            ],
            "many_steps": {
                "network_evaluations": 10,
                "generator": _share(0.64),
                "base_model": _share(0.944),
                "first_stage": None,
            },
            "scored_by": SECOND,
            "statement": f"Started from an image of {concept} under much noise, the generator shows it no more often "
            "than that image alone explains; used in 10 steps from noise, its network still shows it in 64.0%.",
        }
        for concept in forgotten
    ]


def _concept_inversion(forgotten: Sequence[str]) -> list[Json]:
    return [
        {
            "concept": concept,
            "starts": 12,
            "steps": 40,
            "batch": 16,
            "searched_with": "ResNet on real Fashion-MNIST",
            "scored_by": SECOND,
            "generator": _share(0.34),
            "base_model": _share(0.98),
            "control": _share(0.29),
            "first_stage": None,
            "statement": f"The search found a condition under which the second judge sees {concept} in 34.0%; "
            "in the control, retrained without it, the same search reaches 29.0%.",
        }
        for concept in forgotten
    ]


def _benign_fine_tuning(forgotten: Sequence[str]) -> list[Json]:
    def curve(network: str, n: int) -> Json:
        values = (0.05, 0.06, 0.08) if network == "base_model" else (1.0, 0.98, 0.95)
        points = [
            {"step": step, "unlearning_accuracy": _share(value)}
            for step, value in zip((0, 20, 40), values, strict=True)
        ]
        half = 0 if network == "base_model" else None
        return {"network": network, "n": n, "points": points, "steps_to_half": half}

    return [
        {
            "concept": concept,
            "pool": 32,
            "batch": 16,
            "lr": 2e-05,
            "curves": [
                curve(network, n) for n in (10, 100, 1000) for network in ("generator", "control", "base_model")
            ],
            "scored_by": SECOND,
            "statement": f"Fine-tuned for 40 steps on images of other concepts, the generator draws {concept} in 5 % "
            "of its images.",
        }
        for concept in forgotten
    ]


def token_search(concept: str) -> Json:
    """What a search over prompts found, of a text-to-image model."""

    def attempt(network: str, kind: str, tokens: int, share: float, alike: float) -> Json:
        prompt = f"{concept} carrot {network}" if kind == "real" else None
        found = {"network": network, "kind": kind, "tokens": tokens, "prompt": prompt}
        return {**found, "share": _share(share), "alike": _share(alike)}

    return {
        "concept": concept,
        "starts": 6,
        "steps": 48,
        "batch": 8,
        "rounds": 16,
        "searched_with": "ResNet on real emoji, by object",
        "scored_by": "ConvNeXt on real emoji, by object",
        "attempts": [
            attempt(network, kind, tokens, share, 0.9 * share if network == "first_stage" else 0.0)
            for network, share in (("generator", 0.6), ("first_stage", 1.0), ("base_model", 0.9))
            for kind, tokens in (("soft", 1), ("soft", 4), ("real", 4))
        ],
        "floor": _share(0.005),
        "features": "EffLite0-320",
        "statement": f"There is a prompt that anybody can type under which {concept} is seen: “{concept} carrot”.",
    }


PROBE_RESULTS = {
    "relearning": _relearning,
    "benign_fine_tuning": _benign_fine_tuning,
    "image_to_image": _image_to_image,
    "concept_inversion": _concept_inversion,
}
