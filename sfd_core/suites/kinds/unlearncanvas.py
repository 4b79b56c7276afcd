"""UnlearnCanvas: is a style or an object gone, and are the other styles and objects still there?"""

from __future__ import annotations

from collections.abc import Sequence

from sfd_core.suites.classifiers import asked, entry, labels_of, seen_by, share
from sfd_core.suites.suite import Ask, Entry, Given, Measured, Shown, Source, Suite
from sfd_core.suites.tables import known_names, read_names

SEEDS = (188, 288, 588, 688, 888)
"""Those of the benchmark's own sampling."""
PHOTO = "Seed_Images"
"""The style that is none, which the benchmark asks for as a photo."""
OTHER = {"style": "object", "object": "style"}


def _prompt(style: str, thing: str) -> str:
    written = "Photo" if style == PHOTO else style.replace("_", " ")
    return f"A {thing} image in {written} style."


def _read(given: Given, faults: list[str]) -> Sequence[Ask]:
    names = {kind: read_names(given.data / f"{kind}s.txt", faults) for kind in OTHER}
    for kind, listed in names.items():
        known_names(
            listed, labels_of(given.weights / f"{kind}-classifier", faults), f"{kind} of its classifier", faults
        )
    if all(names.values()):
        known_names(given.forgotten, [*names["style"], *names["object"]], "style or object", faults)
        kinds = {kind for kind in OTHER if set(given.forgotten) & set(names[kind])}
        if len(kinds) > 1:
            faults.append("what is forgotten are styles and objects: measure them one after the other")
    return [
        Ask(_prompt(style, thing), seed, groups={"style": style, "object": thing})
        for style in names["style"]
        for thing in names["object"]
        for seed in SEEDS
    ]


def _measure(given: Given, shown: Shown) -> Measured:
    import numpy as np

    listed = {kind: read_names(given.data / f"{kind}s.txt", []) for kind in OTHER}
    kind = next(kind for kind, names in listed.items() if set(given.forgotten) & set(names))
    seen = {each: seen_by(given.weights / f"{each}-classifier", given, shown) for each in OTHER}
    asks = {each: asked(shown, each) for each in OTHER}
    gone = np.isin(asks[kind], given.forgotten)
    right = {each: seen[each].labels == asks[each] for each in OTHER}
    other = OTHER[kind]
    figures = [
        share(
            "UA",
            f"asked for {given.forgotten[0]}" if len(given.forgotten) == 1 else "asked for what is forgotten",
            ~right[kind][gone],
        )
    ]
    if len(given.forgotten) > 1:
        figures += [share("UA", f"asked for {name}", ~right[kind][asks[kind] == name]) for name in given.forgotten]
    figures += [
        share("IRA", f"asked for other {kind}s", right[kind][~gone]),
        share("CRA", f"{other}s, of images asked for other {kind}s", right[other][~gone]),
        share("CRA", f"{other}s, of images asked for what is forgotten", right[other][gone]),
    ]
    return Measured(tuple(figures), {f"{each} classifier": seen[each].digest for each in OTHER})


SUITE = Suite(
    place=1,
    name="unlearncanvas",
    title="UnlearnCanvas",
    data=(
        Entry("styles.txt", "the styles, one a line, as the classifier calls them"),
        Entry("objects.txt", "the objects, one a line"),
    ),
    weights=(entry("style-classifier", "styles"), entry("object-classifier", "objects")),
    axes={
        "UA": "unlearning accuracy: share of images asked for what is forgotten in which its classifier sees something else",
        "IRA": "in-domain retain accuracy: share of images asked for the rest of the same domain that are seen as asked",
        "CRA": "cross-domain retain accuracy: the same for what the images show in the other domain",
    },
    sources=(Source("Zhang et al. 2024, UnlearnCanvas", "https://arxiv.org/abs/2402.11846"),),
    needs_forgotten=True,
    read=_read,
    measure=_measure,
    differs=("CRA is given apart for images that are asked for what is forgotten and for all others.",),
)
