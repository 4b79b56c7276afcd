"""COCO: are images of everyday captions still good, and do they show what is asked?"""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from sfd_core.suites.likeness import CLIP, INCEPTION, clip_scores, distance, pictures_in
from sfd_core.suites.suite import Ask, Entry, Given, Measured, Shown, Source, Suite
from sfd_core.suites.tables import MAX_FAULTS, read_text

CAPTIONS, IMAGES = "captions.json", "images"


def _read(given: Given, faults: list[str]) -> Sequence[Ask]:
    path = given.data / CAPTIONS
    if (text := read_text(path, faults)) is None:
        return []
    try:
        said: Any = json.loads(text)
        files = {one["id"]: str(one["file_name"]) for one in said["images"]}
        captions = [(one["image_id"], str(one["caption"]).strip()) for one in said["annotations"]]
        captions.sort(key=lambda one: int(one[0]))
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        faults.append(f"{path}: is not COCO's JSON of images and annotations ({type(error).__name__}: {error})")
        return []
    first: dict[Any, str] = {}
    for image, caption in captions:
        first.setdefault(image, caption)
    if strangers := [str(image) for image in first if image not in files]:
        faults.append(f"{path}: captions of images that it does not list: {', '.join(strangers[:MAX_FAULTS])}")
    names = {each.name for each in pictures_in(given.data / IMAGES)}
    if lacking := [files[image] for image in first if image in files and files[image] not in names]:
        more = f" and {len(lacking) - MAX_FAULTS} more" if len(lacking) > MAX_FAULTS else ""
        faults.append(f"{given.data / IMAGES}: lacks {', '.join(lacking[:MAX_FAULTS])}{more}")
    return [
        Ask(caption, seed, groups={"file": files.get(image, "")}) for seed, (image, caption) in enumerate(first.items())
    ]


def _measure(given: Given, shown: Shown) -> Measured:
    import numpy as np

    all_of_them = np.ones(len(shown.asks), bool)
    real = [given.data / IMAGES / ask.groups["file"] for ask in shown.asks]
    far, features = distance("captions", given, shown, all_of_them, real)
    score, clip = clip_scores("CLIP score", "captions", given, shown, all_of_them)
    return Measured((far, score), {**features, **clip})


SUITE = Suite(
    place=4,
    name="coco",
    title="COCO captions",
    data=(
        Entry(CAPTIONS, "COCO's captions, as captions_val2014.json has them; the first of each image is asked for"),
        Entry(IMAGES, "the pictures that it names"),
    ),
    weights=(INCEPTION, CLIP),
    axes={
        "FID": "Fréchet distance to the real pictures of the same captions, on Inception's 2048 features; smaller is better",
        "FD-EffLite0-320": "the same on the features at hand where Inception's weights are not given; it is no FID",
        "CLIP score": "100 times the cosine of image and caption, the mean over images",
    },
    sources=(
        Source("Lin et al. 2014, Microsoft COCO", "https://arxiv.org/abs/1405.0312"),
        Source("Heusel et al. 2017, FID", "https://arxiv.org/abs/1706.08500"),
        Source("Hessel et al. 2021, CLIPScore", "https://arxiv.org/abs/2104.08718"),
    ),
    needs_forgotten=False,
    read=_read,
    measure=_measure,
    differs=("Real pictures are cut to their middle square and resized to the generator's size.",),
)
