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


def save_scores(judgements: Judgements, path: Path) -> int:
    """Write ``seed`` [n], ``asked`` [n] (label of the concept), ``judge`` and, with a second judge, ``second_judge``
    [n, K] probabilities, and for each other domain D ``asked.D`` [n] and ``judge.D`` [n, K'], with -1 and no
    probability for images of forgotten concepts, which were not judged there. Without a judge: seeds and labels
    alone. Returns n."""
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
        concepts = next(s.others[domain].judgement.probabilities.shape[1] for s in seen if domain in s.others)
        asked, probabilities = [], []
        for one in seen:
            n, looked = len(one.seen), one.others.get(domain)
            asked.append(np.full(n, -1) if looked is None else looked.asked)
            nothing = np.zeros((n, concepts), np.float32)
            probabilities.append(nothing if looked is None else looked.judgement.probabilities)
        tensors[f"asked.{domain}"] = torch.from_numpy(np.concatenate(asked).astype(np.int16))
        tensors[f"judge.{domain}"] = _joined(probabilities)
    return tensors


def _joined(pieces: list[NDArray[np.float32]]) -> torch.Tensor:
    return torch.from_numpy(np.concatenate(pieces)).contiguous()
