"""The requests of each base model, fixed before any of them was run, and how much each trains and is judged on."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from cli.demo_run import PISTOLS, SEED, SNEAKERS
from sfd_core.base_model.manifest import BaseModel
from sfd_core.evaluation.reference import Reference

DROP, RATIO = 0.05, 1.5
"""The largest retained drop from the first stage at the end of a sequence, and the largest Frechet ratio in it."""
CONFUSED = 1 / 200
FASHION = (
    ("Sneaker", "Bag"),
    ("Shirt", "Trouser"),
    ("Sandal", "Trouser"),
    ("Coat", "Trouser"),
    ("Ankle boot", "Trouser"),
    ("T-shirt", "Trouser"),
)
"""The demonstration's class first, then shoes and tops in turns, so that what is near an earlier one comes later. Six
of ten: what an override shows must remain to the end, and so do Pullover and Dress, which the judge mixes up with what
is forgotten. Trouser and Bag are the two that it confuses with none of the six on 1 in 200 real images, in both
directions (:func:`check_told_apart`); each pair alone passes (``benchmarks/all_classes.py``)."""
EMOJI = (
    ("pistol", "banana"),
    ("bomb", "apple"),
    ("fluent", "noto"),
    ("cat", "dog"),
    ("crown", "cactus"),
    ("rocket", "sailboat"),
    ("twemoji", "noto"),
    ("panda", "fox"),
    ("guitar", "umbrella"),
    ("snowman", "sunflower"),
)
"""Eight objects and two of the three styles: the third must remain. The first four are those of
``benchmarks/emoji/jobs.py``. Every object has an override of its own, of which some are near it (a dog, a fox) and some
are not. The judges confuse no pair on real images (:func:`check_told_apart`), nor an object on the base model's."""


@dataclass(frozen=True)
class Series:
    """The requests of one base model, in a row, each a concept and what overrides it.

    ``wanted``: the least lower bound of UA. ``images``: of training of the first job, and of the one that forgets all
    at once; ``later``: of each job that goes on from another, which starts near where it has to end. ``retained``,
    ``forgotten``: images that are judged of a concept that remains, or is forgotten.
    """

    base: str
    requests: tuple[tuple[str, str], ...]
    wanted: float
    images: int
    later: int
    retained: int
    forgotten: int

    def with_sizes(self, sizes: Mapping[str, int | None]) -> Series:
        """Return the same with other ``sizes``; one that is None is as it was. ``requests``: the first so many."""
        given: dict[str, Any] = {name: size for name, size in sizes.items() if size is not None}
        n = given.pop("requests", len(self.requests))
        return dataclasses.replace(self, requests=self.requests[:n], **given)

    def items(self, places: Sequence[int]) -> list[dict[str, str]]:
        """Return what the requests at these places forget, as a body says it."""
        return [{"concept": self.requests[i][0], "override": self.requests[i][1]} for i in places]

    def body(self, places: Sequence[int], first: bool) -> dict[str, Any]:
        """Return a job that forgets what the requests at ``places`` name. ``first``: it goes on from no other."""
        return {
            "forget": self.items(places),
            "budget": {"images": self.images if first else self.later, "until": "budget"},
            "evaluation": {"images_per_concept": self.retained, "images_per_forgotten_concept": self.forgotten},
            "thresholds": {"unlearning_accuracy": self.wanted, "retained_accuracy_drop": DROP},
            # Jobs in a row with one seed would be trained and checked on the same noise.
            "seed": SEED + (0 if first else max(places)),
        }


SERIES = {
    one.base: one
    for one in (
        Series("fashion", FASHION, 0.97, SNEAKERS.images, SNEAKERS.images // 2, 250, 600),
        # Multiples of 18, and forgotten ones of 288 too: each template is asked in each style, or with each object.
        Series("emoji", EMOJI, 0.93, PISTOLS.images, PISTOLS.images // 2, 54, 288),
    )
}


def check_told_apart(model: BaseModel, requests: Sequence[tuple[str, str]]) -> None:
    """Refuse a pair that a judge confuses on real images. Exits with what it confuses."""
    for pair in requests:
        domain = model.domain_of(pair[0])
        seen = model if domain is None else model.view(domain)
        if seen.reference is None:
            raise SystemExit(f"{model.name}: nothing is known of its judge on real images")
        real = Reference.load(seen.folder / seen.reference).real
        one, other = (seen.concept_index(concept) for concept in pair)
        rates = [float(np.mean(real.seen[real.labels == a] == b)) for a, b in ((one, other), (other, one))]
        if max(rates) >= CONFUSED:
            raise SystemExit(f"the judge confuses {pair[0]} and {pair[1]} on real images: {rates}")
