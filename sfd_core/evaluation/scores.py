"""Per-image scores: what every judged image was asked for, from which seed, and what each judge said of it. Whoever
doubts a rate of the report recounts it from this file."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors.torch import save_file

from sfd_core.evaluation.judged import Judged, seeds_of


def save_scores(judged: Judged, path: Path) -> int:
    """Write ``seed`` [n], ``asked`` [n] (class label), ``judge`` and, with a second judge, ``second_judge`` [n, K]
    probabilities. Returns n."""
    labels = sorted(judged.by_label)
    asked = np.repeat(labels, [len(judged.by_label[label].seen) for label in labels])
    seeds = np.concatenate([list(seeds_of(label, len(judged.by_label[label].seen))) for label in labels])
    tensors = {
        "seed": torch.from_numpy(seeds.astype(np.int64)),
        "asked": torch.from_numpy(asked.astype(np.int16)),
        "judge": _joined([judged.by_label[label].judgement.probabilities for label in labels]),
    }
    second = [s.probabilities for label in labels if (s := judged.by_label[label].second) is not None]
    if second:
        tensors["second_judge"] = _joined(second)
    save_file(tensors, path)
    return len(asked)


def _joined(pieces: list[NDArray[np.float32]]) -> torch.Tensor:
    return torch.from_numpy(np.concatenate(pieces)).contiguous()
