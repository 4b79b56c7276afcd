"""Write ``captions.txt``: what a run retains where neither the request nor the model's vocabulary says it.

    python -m sfd_core.prompts.make_captions

Captions as people write them for pictures, put together at random (the same every time) from the lists of
``caption_parts.json``: people, animals, things, food, vehicles, places and scenes, as photographs and in other media.
They name no person, no brand and no artist, so that a request which forgets one drops few of them.
"""

from __future__ import annotations

import json
import random
import re
from collections.abc import Mapping, Sequence
from pathlib import Path

from sfd_core.base_model.inflection import article

HERE = Path(__file__).parent
SEED = 0
CAPTIONS = 4000
PARTS: Mapping[str, Sequence[str]] = json.loads((HERE / "caption_parts.json").read_text("utf-8"))
PATTERNS: Mapping[str, float] = {
    "{a} {people} {doing}": 5,
    "{a} {people} {doing} {where}": 6,
    "{a} {people} {looks} {doing} {where}": 6,
    "a portrait of {a} {people} {looks}": 3,
    "a portrait of {a} {people} {looks}, {finish}": 4,
    "{a} {animals} {animal_doing}": 5,
    "{a} {animal_looks} {animals} {animal_doing}": 7,
    "a photo of {a} {animals} {animal_doing}": 2,
    "{a} {things} {thing_where}": 4,
    "{a} {thing_looks} {things} {thing_where}": 7,
    "a photo of {a} {thing_looks} {things}": 2,
    "{a} {food} {food_where}": 6,
    "a photo of {a} {food} {food_where}": 1,
    "{a} {road_vehicles} {road_where}": 3,
    "{a} {trains} {train_where}": 1,
    "{a} {boats} {boat_where}": 1,
    "{a} {aircraft} {aircraft_where}": 1,
    "{a} {places} {when}": 4,
    "{a} {places} {when}, {finish}": 6,
    "{scenes} {when}": 4,
    "a photo of {scenes} {when}": 3,
    "{media} {a} {people}": 2,
    "{media} {a} {animals}": 3,
    "{media} {a} {things}": 2,
    "{media} {a} {food}": 1,
    "{media} {a} {road_vehicles}": 1,
    "{media} {a} {places}": 3,
    "{a} {people}, {styles}": 2,
    "{a} {animals}, {styles}": 2,
    "{a} {places}, {styles}": 3,
}
"""How often each comes, against the others."""


def captions(n: int = CAPTIONS, seed: int = SEED) -> list[str]:
    """Make ``n`` captions, none twice."""
    draw = random.Random(seed)
    found: dict[str, None] = {}
    while len(found) < n:
        (pattern,) = draw.choices(list(PATTERNS), list(PATTERNS.values()))
        caption = re.sub(r"{(\w\w+)}", lambda part: draw.choice(PARTS[part[1]]), pattern)
        found[re.sub(r"{a}(?= (\S+))", lambda follows: article(follows[1]), caption)] = None
    return list(found)


def main() -> None:
    (HERE / "captions.txt").write_text("\n".join(captions()) + "\n", "utf-8")


if __name__ == "__main__":
    main()
