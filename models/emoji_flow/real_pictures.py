"""Write real pictures that no judge was trained on as folders, one a concept, of each domain.

    python -m models.emoji_flow.real_pictures       # build/emoji-real/object, build/emoji-real/style

They are the pictures by which `emoji` is measured.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from PIL import Image

from models.emoji.train_judge import CONCEPTS, held_out, labels_of
from sfd_core.families.images import to_uint8

ROUNDS = 36


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=ROUNDS, help="pictures of each object in each style")
    parser.add_argument("--out", type=Path, default=Path("build/emoji-real"))
    arguments = parser.parse_args()
    x, drawings = held_out(arguments.rounds)
    for domain, concepts in CONCEPTS.items():
        for i, (picture, label) in enumerate(zip(to_uint8(x), labels_of(domain, drawings).tolist(), strict=True)):
            folder = arguments.out / domain / concepts[label]
            folder.mkdir(parents=True, exist_ok=True)
            Image.fromarray(picture).save(folder / f"{i:05}.png")


if __name__ == "__main__":
    main()
