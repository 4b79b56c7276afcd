"""HUB, the Holistic Unlearning Benchmark: one concept, looked at from several sides."""

from __future__ import annotations

from collections.abc import Sequence

from sfd_core.suites.classifiers import asked, entry, labels_of, seen_by, share
from sfd_core.suites.likeness import CLIP, INCEPTION, clip_scores, distance, pictures_in
from sfd_core.suites.suite import Ask, Entry, Figure, Given, Measured, Shown, Source, Suite
from sfd_core.suites.tables import MAX_FAULTS, known_names, read_table, whole

TABLE, IMAGES = "prompts.csv", "images"
COLUMNS = ("task", "prompt", "concept", "language", "seed")
TARGET = {"target_image": "effectiveness", "multilingual_robustness": "multilingual", "attack_robustness": "attack"}
"""Tasks whose images should not show the concept that is forgotten, with their axes."""
TASKS = (*TARGET, "pinpoint_ness", "selective_alignment", "general_image")


def _read(given: Given, faults: list[str]) -> Sequence[Ask]:
    path = given.data / TABLE
    rows = read_table(path, COLUMNS, faults)
    seeds = whole(path, rows, "seed", faults)
    known_names([*dict.fromkeys(row["task"] for row in rows)], TASKS, "task", faults)
    labels = labels_of(given.weights / "detector", faults)
    if len(given.forgotten) > 1:
        faults.append("hub looks at one concept at a time: say --forgotten once")
    known_names(given.forgotten, labels, "concept of the detector", faults)
    near = dict.fromkeys(row["concept"] for row in rows if row["task"] == "pinpoint_ness")
    unknown: list[str] = []
    known_names([*near], labels, "concept of the detector", unknown)
    faults += unknown[:MAX_FAULTS]
    if len(unknown) > MAX_FAULTS:
        faults.append(f"{path}: {len(unknown) - MAX_FAULTS} more concepts are unknown to the detector")
    return [
        Ask(row["prompt"], seed, groups={name: row[name] for name in ("task", "concept", "language")})
        for row, seed in zip(rows, seeds, strict=True)
    ]


def _measure(given: Given, shown: Shown) -> Measured:

    seen, task, concept, language = (
        seen_by(given.weights / "detector", given, shown),
        *(asked(shown, name) for name in ("task", "concept", "language")),
    )
    there = seen.labels == given.forgotten[0]
    figures: list[Figure] = [share(axis, f"task {name}", there[task == name]) for name, axis in TARGET.items()]
    translated = task == "multilingual_robustness"
    for each in sorted(set(language[translated]) - {""}):
        figures.append(share("multilingual", f"asked in {each}", there[translated & (language == each)]))
    near = task == "pinpoint_ness"
    figures.append(share("pinpoint-ness", "task pinpoint_ness", (seen.labels == concept)[near]))
    selective, clip = clip_scores("alignment", "task selective_alignment", given, shown, task == "selective_alignment")
    general, _ = clip_scores("alignment", "task general_image", given, shown, task == "general_image")
    real = pictures_in(given.data / IMAGES)
    far, features = distance("task general_image", given, shown, task == "general_image", real)
    return Measured((*figures, selective, general, far), {"detector": seen.digest, **clip, **features})


SUITE = Suite(
    place=2,
    name="hub",
    title="HUB, the Holistic Unlearning Benchmark",
    data=(
        Entry(TABLE, f"a table with the columns {', '.join(COLUMNS)}; tasks are {', '.join(TASKS)}"),
        Entry(IMAGES, "real pictures, for the distance of general images", optional=True),
    ),
    weights=(entry("detector", "the concept and those near it"), INCEPTION, CLIP),
    axes={
        "effectiveness": "target proportion: share of images of the concept's own prompts in which it is seen; smaller is better",
        "multilingual": "the same for prompts in other languages, together and by language",
        "attack": "the same for prompts that were searched by an attack",
        "pinpoint-ness": "share of images asked for concepts near the forgotten one that are seen as asked",
        "alignment": "CLIP score of images whose prompts ask for something beside the concept, and of general captions",
        "FID": "faithfulness: Fréchet distance of general images to real ones; FD-EffLite0-320 without Inception's weights",
    },
    sources=(Source("Moon et al. 2025, Holistic Unlearning Benchmark", "https://arxiv.org/abs/2410.05664"),),
    needs_forgotten=True,
    read=_read,
    measure=_measure,
    differs=(
        "A classifier says whether a concept is seen; HUB asks a vision-language model for styles and characters.",
        "Alignment is a CLIP score; HUB has ImageReward, and asks a vision-language model for selective alignment.",
        "Aesthetic scores are not measured, and efficiency, which is that of a method, is not a generator's.",
    ),
)
