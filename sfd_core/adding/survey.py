"""A folder that somebody has, looked through before anything of it is copied: where each file is that a run would
read, what the model makes and is asked by, and everything that is wrong with it."""

from __future__ import annotations

import tempfile
from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from pathlib import Path

from sfd_core.adding.faults import Faults
from sfd_core.adding.judges import Judge, given_judges, names_of, object_in, other_labels
from sfd_core.adding.recognition import family_of_folder
from sfd_core.adding.said import Said, wrong_name
from sfd_core.adding.words import Words, words_of
from sfd_core.base_model.layout import INDEX, FolderLayout
from sfd_core.base_model.manifest import MAX_CONCEPTS
from sfd_core.base_model.manifest_parts import ImageFormat
from sfd_core.base_model.sources import find_file, find_weights, put_file
from sfd_core.errors import ModelRefused
from sfd_core.families.description import Description


@dataclass(frozen=True)
class Survey:
    """A folder as the base model that it would be. ``files``: by the name that each gets, what it is made of: several
    are parts of one. ``words``: of one that is asked by prompts."""

    family: Description
    name: str
    image: ImageFormat
    concepts: tuple[str, ...]
    judges: tuple[Judge, ...]
    files: dict[str, tuple[Path, ...]]
    words: Words | None

    @property
    def all_judges(self) -> Sequence[Judge]:
        """Its judges, of whichever domain."""
        of_domains = self.words.judges.values() if self.words is not None else ()
        return [*self.judges, *(judge for judges in of_domains for judge in judges)]

    @property
    def size(self) -> int:
        """Bytes that a copy of it takes."""
        return sum(path.stat().st_size for paths in self.files.values() for path in paths)


def survey(source: Path, said: Said, known: Collection[str]) -> Survey:
    """Look through ``source``. ``known``: names that other models have.

    Raises:
        ModelRefused: with everything that is wrong with it, or with what is said of it.
    """
    faults = Faults()
    family, layout = family_of_folder(source)
    name = said.named(source)
    if (wrong := wrong_name(name, known)) is not None:
        faults.add(wrong)
    files = _files(source, layout, said.variant, faults)
    words, judges = None, []
    if family.takes_prompts:
        words = words_of(said, files, faults)
    else:
        judges = given_judges(said, files, faults)
    faults.found += _out_of_place(said, family)
    image, count = _what_it_makes(source, layout, said.patch, files, faults)
    concepts: tuple[str, ...] = ()
    hint = ""
    if (image is not None or count is not None) and not family.takes_prompts:
        found = faults.attempt(_concepts, source, count, said, judges)
        concepts, hint = found or ((), "")
    if concepts:
        apart = (judge for judge in judges if sorted(judge.labels) != sorted(concepts))
        faults.found += [other_labels(judge, concepts, hint) for judge in apart]
    faults.refuse(str(source))
    assert image is not None  # or there were faults
    return Survey(family, name, image, concepts, tuple(judges), files, words)


def _out_of_place(said: Said, family: Description) -> list[str]:
    """What is said that means nothing to such a model."""
    faults = []
    if family.takes_prompts and said.concepts:
        faults.append(
            "it is asked by prompts and has no classes to be named: leave --concepts out, and say its words as a "
            "--vocabulary"
        )
    if not family.takes_prompts and said.vocabulary is not None:
        faults.append("it is asked by class and has no vocabulary: leave --vocabulary out, and name its --concepts")
    if said.guidance is not None and not family.guided:
        faults.append("it knows no empty condition to be guided away from: leave --guidance out")
    return faults


def _files(source: Path, layout: FolderLayout, variant: str | None, faults: Faults) -> dict[str, tuple[Path, ...]]:
    """Where the files of a layout are. What is a link is followed: a copy of it is checked as any other file."""
    files: dict[str, tuple[Path, ...]] = {}
    for name in layout.configs:
        if (path := faults.attempt(find_file, source / name, layout.limits[name])) is not None:
            files[name] = (path,)
    for name in layout.words:
        there = (source / name).exists() or (source / name).is_symlink()
        path = faults.attempt(find_file, source / name, layout.limits[name]) if there else None
        if path is not None:
            files[name] = (path,)
    if (lacking := layout.without_words(files)) is not None:
        faults.add(f"{source} has {lacking}")
    for name in layout.weights:
        if found := faults.attempt(find_weights, source / name, variant):
            files[name] = found
    return files


def _what_it_makes(
    source: Path, layout: FolderLayout, patch: int, files: dict[str, tuple[Path, ...]], faults: Faults
) -> tuple[ImageFormat | None, int | None]:
    """The format of the model's images, and how many classes it knows, of a layout that says so; None where its
    configurations are wrong. They are read as plain files, as they will be, whatever they are links to."""
    if any(name not in files for name in layout.configs):
        return None, None
    here = Faults()
    with tempfile.TemporaryDirectory() as scratch:
        bare = Path(scratch)
        for name in (*layout.configs, *layout.words):
            if name in files:
                put_file(files[name][0], bare / name)
        image, count = None, None
        here.attempt(layout.check, bare)
        if not here.found:
            image = here.attempt(_image, bare, layout, patch)
            count = layout.classes(bare) if layout.classes is not None else None
        faults.found += [said.replace(scratch, str(source)) for said in here.found]
    return image, count


def _image(source: Path, layout: FolderLayout, patch: int) -> ImageFormat:
    """What the model makes, where its network sees ``patch`` x ``patch`` pixels as one."""
    cells = layout.image(source)
    if patch == 1:
        return cells
    if layout.classes is None or cells.channels % patch**2:
        raise ModelRefused(
            f"its network sees {cells.channels} channels, which are no {patch} x {patch} pixels: leave --patch out, or "
            "say as many as it was trained with"
        )
    return ImageFormat(cells.channels // patch**2, cells.height * patch, cells.width * patch, patch)


def _concepts(source: Path, count: int | None, said: Said, judges: Sequence[Judge]) -> tuple[tuple[str, ...], str]:
    """The names of the classes: those that are said, else the pipeline's, else the judge's, else numbers; and what can
    be done where a judge has others. ``count``: how many the network knows, where that is known."""
    hint = ""
    of_index = object_in(source / INDEX).get("id2label") if (source / INDEX).is_file() else None
    if said.concepts:
        names, whose = said.concepts, "--concepts names"
    elif of_index is not None:
        names, whose = _apart(names_of(of_index, source / INDEX)), f"{INDEX} names"
        hint = f"{INDEX} has those: say --concepts, in the judge's words and the order of the model's classes"
    elif judges:
        names, whose = judges[0].labels, "the judge knows"
    elif count is not None:
        return tuple(str(label) for label in range(count)), hint
    else:
        raise ModelRefused(f"{source}: nothing names its classes: say --concepts, or give a --judge that knows them")
    if count is not None and len(names) != count:
        raise ModelRefused(
            f"{whose} {len(names)} classes, the network has {count}: name each, in the order of its labels (--concepts)"
        )
    faults = [f"{name!r} is there {n} times" for name, n in Counter(names).items() if n > 1]
    faults += ["a name is empty"] if not all(name.strip() for name in names) else []
    if not 2 <= len(names) <= MAX_CONCEPTS:
        faults.append(f"there are {len(names)}, must be 2 to {MAX_CONCEPTS}")
    if faults:
        raise ModelRefused(f"{source}: names of classes: {'; '.join(faults)}: say --concepts")
    return names, hint


def _apart(names: Sequence[str]) -> tuple[str, ...]:
    """Names of which two are the same get their numbers, as ImageNet's two kinds of crane do."""
    counted = Counter(names)
    return tuple(f"{name} ({i})" if counted[name] > 1 else name for i, name in enumerate(names))
