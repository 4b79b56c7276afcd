"""Further images that sections ask for by prompt, beside those of the verdict. Few each, the generator's and the base
model's at the same seeds."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from sfd_core.evaluation.concept_images import SEEDS_A_CONCEPT
from sfd_core.evaluation.evidence import Answer, Found, Hits, Setting
from sfd_core.evaluation.questions import SamplePrompts
from sfd_core.evaluation.sections import SECTIONS

FIRST_SEED_AFTER = 6 * SEEDS_A_CONCEPT // 10
"""How far these images' seeds lie from those of the images that are judged for the verdict."""
CHUNK = 96
"""Images between two progress updates: a base model takes its many steps for each."""


@dataclass(frozen=True)
class Shared:
    """Images that are shared out among several questions: ``fewest`` to ``most`` a question, about ``total`` in all."""

    total: int
    fewest: int
    most: int

    def each(self, questions: int) -> int:
        return max(self.fewest, min(self.most, self.total // max(questions, 1)))


def ask(
    generator: SamplePrompts, base_model: SamplePrompts, setting: Setting
) -> Iterator[tuple[int, int, Mapping[type[Any], Sequence[Answer]] | None]]:
    """Ask every section's questions. Yields (images done, of, None), at last (of, of, the answers by section)."""
    questions = {section.part: section.questions(setting) for section in SECTIONS}
    of = sum(len(one.prompts) + len(one.base_model) for some in questions.values() for one in some)
    done, answers = 0, {}
    for kind, some in questions.items():
        given = []
        for question in some:
            by_maker: list[list[Hits]] = []
            for make, places in ((generator, range(len(question.prompts))), (base_model, question.base_model)):
                pieces = [[np.zeros(0, np.bool_)] for _ in question.looks]
                for i in range(0, len(places), CHUNK):
                    at = places[i : i + CHUNK]
                    images = make([question.prompts[k] for k in at], [question.seeds[k] for k in at])
                    for hits, look in zip(pieces, question.looks, strict=True):
                        hits.append(look(images, at))
                    done += len(at)
                    yield done, of, None
                by_maker.append([np.concatenate(hits) for hits in pieces])
            given.append(Answer(question, [Found(*hits) for hits in zip(*by_maker, strict=True)]))
        answers[kind] = given
    yield of, of, answers
