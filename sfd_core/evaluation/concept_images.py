"""Make images and have them judged, a chunk at a time: what stays in memory are scores and features, never the images.

10 000 images at 512 x 512 would be 8 GB; their scores are a few megabytes.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field
from functools import partial
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from sfd_core.base_model.vocabulary import EvaluationPrompts
from sfd_core.evaluation.evaluators import Evaluators
from sfd_core.evaluation.judge import Judgement
from sfd_core.evaluation.questions import Sample
from sfd_core.evaluation.rates import Labels
from sfd_core.evaluation.second_thread import second_thread

T = TypeVar("T")

FIRST_SEED, SEEDS_A_CONCEPT = 1_000_000_000, 1_000_000
"""Image i of concept k is made from seed FIRST_SEED + k * SEEDS_A_CONCEPT + i: the same in every evaluation, and none
that the base model's stored samples used."""
QUICK_SEEDS = 3 * SEEDS_A_CONCEPT // 4
"""How far the seeds of the quick evaluations in training lie from these: what stops a run must not decide on it."""
CHECK_SEEDS = 2_000_000_000
"""The same of the checks that end a run: past every seed of an evaluation, whatever it is made for. Of as many as 1000
concepts these are below 2^32."""
CHUNK = 512


@dataclass(frozen=True)
class DomainImages:
    """n images in another domain: what each was ``asked`` to show there, [n], and what its judge sees; ``second``: what
    its second judge sees, if it has one."""

    asked: Labels
    judgement: Judgement
    second: Judgement | None = None


@dataclass(frozen=True)
class ConceptImages:
    """All judged images that were asked for one concept.

    ``judgement``: the judge's; ``second``: the second judge's, if there is one; ``features``: [n, F] by the name of
    their extractor; ``clip``: CLIP scores, [n], where CLIP weights were given; ``others``: what they show in the other
    domains, by name. The last three only for remaining concepts.
    """

    judgement: Judgement
    second: Judgement | None
    features: Mapping[str, NDArray[np.float32]] = field(default_factory=dict)
    clip: NDArray[np.float64] | None = None
    others: Mapping[str, DomainImages] = field(default_factory=dict)

    @property
    def seen(self) -> Labels:
        return self.judgement.seen


@dataclass(frozen=True)
class Judgements:
    """All images of an evaluation as the evaluators saw them, by class label."""

    by_label: Mapping[int, ConceptImages]

    def features(self, labels: Sequence[int], extractor: str | None = None) -> NDArray[np.float32]:
        """Return the features [n, F] over ``labels``: of an extractor by name, or the judge's own."""
        seen = (self.by_label[label] for label in labels)
        return np.concatenate([s.judgement.features if extractor is None else s.features[extractor] for s in seen])


def seeds_of(label: int, n: int) -> range:
    """Return the seeds of the first n evaluation images of a class label."""
    first = FIRST_SEED + label * SEEDS_A_CONCEPT
    return range(first, first + n)


def judge_samples(
    sample: Sample,
    evaluators: Evaluators,
    counts: Mapping[int, int],
    forgotten: Collection[int] = (),
    refused: Collection[int] = (),
    seed_offset: int = 0,
) -> Iterator[tuple[int, int, Judgements]]:
    """Make and judge ``counts[label]`` images of each label, from seeds ``seed_offset`` after the first ones.

    Yields (done, of, the concepts that are finished) after every chunk. Of ``forgotten`` labels only the judges'
    answers are kept; of ``refused`` ones, which must be among them, no image is made. Without a judge no concept is
    seen in any image.
    """
    done, of = 0, sum(counts.values())
    by_label: dict[int, ConceptImages] = {}
    concepts = len(evaluators.model.concepts)
    with second_thread() as beside:

        def chunks() -> Iterator[tuple[int, int, Future[ConceptImages]]]:
            for label, n in counts.items():
                for i in range(0, n, CHUNK):
                    seeds = [seed_offset + seed for seed in seeds_of(label, n)[i : i + CHUNK]]
                    if label in refused:
                        nothing = Judgement.of_nothing(len(seeds), concepts)
                        look = partial(ConceptImages, nothing, nothing if evaluators.second_judge else None)
                    else:
                        images = sample([label] * len(seeds), seeds)
                        look = partial(_look, images, label, seeds, evaluators, label not in forgotten)
                    yield label, i + len(seeds), beside(look)

        pieces = []
        for label, n, looking in _one_behind(chunks()):  # one is looked at while the next is drawn
            pieces.append(looking.result())
            if n == counts[label]:
                by_label[label] = _joined(pieces)
                pieces, done = [], done + n
            yield done + n * bool(pieces), of, Judgements(by_label)


def _one_behind(items: Iterable[T]) -> Iterator[T]:
    """Each of ``items`` once the next has been made."""
    before: list[T] = []
    for item in items:
        yield from before
        before = [item]
    yield from before


def _look(
    images: NDArray[np.uint8], label: int, seeds: Sequence[int], evaluators: Evaluators, kept: bool
) -> ConceptImages:
    judge, concepts = evaluators.judge, len(evaluators.model.concepts)
    second = evaluators.second_judge.judge(images) if evaluators.second_judge else None
    judgement = judge.judge(images) if judge is not None else Judgement.of_nothing(len(images), concepts)
    if not kept:
        return ConceptImages(judgement, second)
    labels = [label] * len(images)
    features = {extractor.name: extractor.extract(images) for extractor in evaluators.extractors}
    clip = evaluators.clip.scores(images, evaluators.texts(labels, seeds)) if evaluators.clip else None
    return ConceptImages(judgement, second, features, clip, _in_domains(images, label, seeds, evaluators))


def _in_domains(
    images: NDArray[np.uint8], label: int, seeds: Sequence[int], evaluators: Evaluators
) -> dict[str, DomainImages]:
    """What the images show in each other domain, whose concepts their prompts named too."""
    prompts = evaluators.prompts
    if not isinstance(prompts, EvaluationPrompts):
        return {}
    asked = [prompts.asked(label, seed).others for seed in seeds]
    known = prompts.vocabulary.domains  # of what is forgotten there too, nothing is asked: the judge knows it all
    return {
        name: DomainImages(
            np.array([other.model.concepts.index(known[name][others[name]].name) for others in asked]),
            other.judge.judge(images),
            other.second_judge.judge(images) if other.second_judge else None,
        )
        for other in evaluators.others
        if (name := other.model.domain) is not None
    }


def _joined(pieces: Sequence[ConceptImages]) -> ConceptImages:
    first = pieces[0]
    return ConceptImages(
        _concatenated([piece.judgement for piece in pieces]),
        _all_or_none([piece.second for piece in pieces]),
        {name: np.concatenate([piece.features[name] for piece in pieces]) for name in first.features},
        np.concatenate([piece.clip for piece in pieces if piece.clip is not None]) if first.clip is not None else None,
        {
            name: DomainImages(
                np.concatenate([piece.others[name].asked for piece in pieces]),
                _concatenated([piece.others[name].judgement for piece in pieces]),
                _all_or_none([piece.others[name].second for piece in pieces]),
            )
            for name in first.others
        },
    )


def _all_or_none(pieces: Sequence[Judgement | None]) -> Judgement | None:
    """Whoever looked at one piece looked at all of them."""
    looked = [piece for piece in pieces if piece is not None]
    return _concatenated(looked) if looked else None


def _concatenated(pieces: Sequence[Judgement]) -> Judgement:
    return Judgement(
        np.concatenate([piece.probabilities for piece in pieces]), np.concatenate([piece.features for piece in pieces])
    )
