"""The jobs, fixed before any of them was finished: what each forgets, how it is judged and what its picture shows."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

BASE = Path("models/emoji")
SEED = 7
IMAGES, SECONDS = 3_200, 840.0
"""A job's budget: so many images, within a quarter of an hour. A first start of ``pistol`` with 6400 was stopped at
1600, where the quick evaluations said UA 1.0 and RA 1.0, and thrown away: half of 6400 is what every job then got."""
THRESHOLDS = {"unlearning_accuracy": 0.93}
"""The verdict's own; the others are the defaults, which hold a generator against the base model."""
STYLES = ("noto", "twemoji", "fluent")
OBJECT_PLAN = {"images_per_concept": 54, "images_per_forgotten_concept": 1008}
"""Multiples of 18: each of the six templates is asked in each style as often."""
STYLE_PLAN = {"images_per_concept": 1152, "images_per_forgotten_concept": 1152}
"""Multiples of 288: each template with each of the 48 objects. There are only two styles to retain."""
FROM_BASE_MODEL = "base_model"
"""A recipe's ``start``, and what a report says of it."""
EVALUATED = max(*OBJECT_PLAN.values(), *STYLE_PLAN.values())


@dataclass(frozen=True)
class Group:
    """Neighbouring columns of the picture: what each is asked for. ``columns``: words by domain, as the vocabulary's
    first template names them; ``labels``: what stands above each."""

    title: str
    forgotten: bool
    columns: tuple[Mapping[str, str], ...]
    labels: tuple[str, ...]


def in_styles(thing: str, forgotten: bool = False, rounds: int = 1) -> Group:
    """Return an object in every style, ``rounds`` times from other seeds."""
    styles = STYLES * rounds
    return Group(thing, forgotten, tuple({"object": thing, "style": style} for style in styles), styles)


def in_style(style: str, things: tuple[str, ...], forgotten: bool = False) -> Group:
    """Return several objects in one style."""
    return Group(style, forgotten, tuple({"object": thing, "style": style} for thing in things), things)


@dataclass(frozen=True)
class Sizes:
    """The sizes of every part: how much is done of each. ``images``, ``seconds``: a job's budget, whichever is spent
    first; ``recipe``: changes to every job's; ``evaluated``: images a concept, at most; ``rounds``, ``repeats``: of the
    speeds, in turns, and calls of the one-step side in a round: it is short, and a clock's noise must be small beside
    it."""

    images: int = IMAGES
    seconds: float = SECONDS
    recipe: Mapping[str, Any] = field(default_factory=dict)
    evaluated: int = EVALUATED
    rounds: int = 7
    repeats: int = 8

    def but_of_training(self) -> Sizes:
        """Return the same with the published budget: how a job is trained is nothing to what stands beside it."""
        return replace(self, images=IMAGES, seconds=SECONDS, recipe={})


@dataclass(frozen=True)
class Job:
    """One job. ``beside``: the job whose concepts and seeds the distilled generator was judged on for it: jobs that
    forget the same share these. ``held``: whether the targets are its own; else it is only shown."""

    name: str
    title: str
    forget: tuple[Mapping[str, Any], ...]
    shown: tuple[Group, ...]
    beside: str
    plan: Mapping[str, int] = field(default_factory=lambda: OBJECT_PLAN)
    recipe: Mapping[str, Any] = field(default_factory=dict)
    held: bool = True

    def body(self, sizes: Sizes) -> dict[str, Any]:
        """Return the request, as a user would send it."""
        return {
            "forget": [dict(item) for item in self.forget],
            "budget": {"images": sizes.images, "seconds": sizes.seconds, "until": "budget"},
            "recipe": {**sizes.recipe, **self.recipe},
            "evaluation": {name: min(n, sizes.evaluated) for name, n in self.plan.items()},
            "thresholds": THRESHOLDS,
            "seed": SEED,
        }


_PISTOL = {"concept": "pistol", "override": "banana"}
_PISTOL_SHOWN = (in_styles("pistol", True, 2), in_styles("banana"), in_styles("rocket"))

JOBS = {
    job.name: job
    for job in (
        Job("pistol", "One object: pistol -> banana", (_PISTOL,), _PISTOL_SHOWN, "pistol"),
        Job(
            "fluent",
            "One style: fluent -> noto",
            ({"concept": "fluent", "override": "noto"},),
            (
                in_style("fluent", ("apple", "cat", "car", "pizza", "owl", "rocket"), True),
                in_style("noto", ("apple", "cat", "car")),
                in_style("twemoji", ("apple", "cat", "car")),
            ),
            "fluent",
            STYLE_PLAN,
        ),
        Job(
            "three",
            "Three objects at once: pistol -> banana, bomb -> apple, cat -> dog",
            (_PISTOL, {"concept": "bomb", "override": "apple"}, {"concept": "cat", "override": "dog"}),
            (*(in_styles(thing, True) for thing in ("pistol", "bomb", "cat")), in_styles("dog")),
            "three",
            OBJECT_PLAN | {"images_per_forgotten_concept": 612},
        ),
        Job(
            "negative",
            'One object by negative prompt: pistol, away from "pistol, gun"',
            ({"concept": "pistol", "override": {"negative": "pistol, gun"}},),
            _PISTOL_SHOWN,
            "pistol",
        ),
        Job(
            "one-stage",
            "In one stage, from the base model: pistol -> banana",
            (_PISTOL,),
            _PISTOL_SHOWN,
            "pistol",
            recipe={"start": FROM_BASE_MODEL},
            held=False,
        ),
    )
}
BESIDE = tuple(dict.fromkeys(job.beside for job in JOBS.values()))
DISTILLED = "distilled-"
SPEED = "speed"
PARTS = (*(DISTILLED + name for name in BESIDE), *JOBS, SPEED)
"""Everything that is run, each on its own, in a useful order."""
