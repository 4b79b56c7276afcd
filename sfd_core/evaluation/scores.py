"""Per-image scores: what every judged image was asked for, from which seed, and what each judge said of it. Whoever
doubts a rate of the report recounts it from this file."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors.torch import save_file

from sfd_core.evaluation.concept_images import Judgements, seeds_of
from sfd_core.evaluation.judge import Judgement


def save_scores(judgements: Judgements, path: Path) -> int:
    """Write ``seed`` [n], ``asked`` [n] (label of the concept), ``judge`` and, with a second judge, ``second_judge``
    [n, K] probabilities, and for each other domain D ``asked.D`` [n], ``judge.D`` and, where D has a second judge,
    ``second_judge.D`` [n, K'], with -1 and no probability for images of forgotten concepts, which were not judged
    there. Without a judge: seeds and labels alone. Returns n."""
    labels = sorted(judgements.by_label)
    asked = np.repeat(labels, [len(judgements.by_label[label].seen) for label in labels])
    seeds = np.concatenate([list(seeds_of(label, len(judgements.by_label[label].seen))) for label in labels])
    tensors = {
        "seed": torch.from_numpy(seeds.astype(np.int64)),
        "asked": torch.from_numpy(asked.astype(np.int16)),
    }
    first = _joined([judgements.by_label[label].judgement.probabilities for label in labels])
    if first.any():
        tensors["judge"] = first
    second = [s.probabilities for label in labels if (s := judgements.by_label[label].second) is not None]
    if second:
        tensors["second_judge"] = _joined(second)
    save_file(tensors | _in_domains(judgements, labels), path)
    return len(asked)


def _in_domains(judgements: Judgements, labels: Sequence[int]) -> dict[str, torch.Tensor]:
    seen = [judgements.by_label[label] for label in labels]
    tensors = {}
    for domain in dict.fromkeys(name for one in seen for name in one.others):
        parts = [one.others.get(domain) for one in seen]
        numbers = [len(one.seen) for one in seen]
        asked = [np.full(n, -1) if part is None else part.asked for n, part in zip(numbers, parts, strict=True)]
        tensors[f"asked.{domain}"] = torch.from_numpy(np.concatenate(asked).astype(np.int16))
        first = [None if part is None else part.judgement for part in parts]
        tensors[f"judge.{domain}"] = _probabilities(first, numbers)
        second = [None if part is None else part.second for part in parts]
        if any(second):
            tensors[f"second_judge.{domain}"] = _probabilities(second, numbers)
    return tensors


def _probabilities(judgements: Sequence[Judgement | None], numbers: Sequence[int]) -> torch.Tensor:
    """Of all images, so many a concept; none where they were not judged."""
    concepts = next(one.probabilities.shape[1] for one in judgements if one is not None)
    return _joined(
        [
            np.zeros((n, concepts), np.float32) if one is None else one.probabilities
            for n, one in zip(numbers, judgements, strict=True)
        ]
    )


def _joined(pieces: list[NDArray[np.float32]]) -> torch.Tensor:
    return torch.from_numpy(np.concatenate(pieces)).contiguous()
