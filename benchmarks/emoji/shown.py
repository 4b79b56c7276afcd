"""The columns of the picture: the same prompts and seeds for everything that makes images."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from benchmarks.emoji.jobs import Group
from sfd_core.base_model.vocabulary import Vocabulary
from sfd_core.evaluation.questions import SamplePrompts

SHOWN, SHOWN_BY_BASE_MODEL = "shown.npy", "shown-by-base-model.npy"
FIRST_SEED = 900_000_000


def prompts_of(groups: Sequence[Group], vocabulary: Vocabulary) -> list[str]:
    """Write a prompt a column, by the vocabulary's first template."""
    adjectives = {concept.name: concept.adjective for concept in vocabulary.domains["object"]}
    words = [column for group in groups for column in group.columns]
    return [vocabulary.prompt(vocabulary.templates[0], one, adjectives[one["object"]]) for one in words]


def keep_shown(sample: SamplePrompts, groups: Sequence[Group], vocabulary: Vocabulary | None, path: Path) -> None:
    """Make one image a column and keep them in ``path``: uint8 [columns, H, W, 3]."""
    assert vocabulary is not None, "a picture of words needs the model's vocabulary"
    prompts = prompts_of(groups, vocabulary)
    np.save(path, sample(prompts, range(FIRST_SEED, FIRST_SEED + len(prompts))))
