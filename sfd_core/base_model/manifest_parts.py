"""What a base model's ``manifest.json`` is made of, and how each part is read. Plain: importing this does not import
torch."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from sfd_core.base_model.config_checks import Checked, is_number
from sfd_core.errors import ModelRefused

MAX_SIDE = 4096
"""Pixels along an edge."""
MAX_COUNT = 10**9
"""More images than any judge was tried on."""


@dataclass(frozen=True)
class ImageFormat:
    """The format of the model's images: ``channels`` x ``height`` x ``width`` pixels in [-1, 1].

    ``patch``: the network sees ``patch`` x ``patch`` pixels as one cell of ``channels * patch**2`` channels
    (``pixel_unshuffle``); 1 means that it sees pixels.
    """

    channels: int
    height: int
    width: int
    patch: int = 1


@dataclass(frozen=True)
class JudgeInfo:
    """A classifier that answers "which concept is in this image?".

    ``folder``: a transformers image-classification folder, relative to the model's. ``accuracy``: on real images
    that it was not trained on, ``accuracy_images`` of them. ``by_concept``: the same for each concept. None and empty
    where it was not tried on any.
    """

    name: str
    folder: str
    accuracy: float | None
    accuracy_images: int
    by_concept: tuple[float, ...]
    digest: str

    def accuracy_on(self, label: int) -> float | None:
        """Return its accuracy on real images of one concept; None where it is not known."""
        return self.by_concept[label] if self.by_concept else None


@dataclass(frozen=True)
class Domain:
    """One kind of concept that a text-to-image model knows, with all that judges it. As of :class:`BaseModel`."""

    judge: JudgeInfo
    reference: str | None
    figures: Mapping[str, Any]
    second_judge: JudgeInfo | None = None
    features: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Distilled:
    """The first of two stages, made once: folders of a one-step generator (asked at time ``t_init``: a step of the
    schedule, or a noise level) that has forgotten nothing, and of the fake score it was made with. Each holds one
    network."""

    generator: str
    fake_score: str
    t_init: float


PAIR = ("generator", "fake_score")
"""The networks of a pair that a run starts as, and the folders in which they are saved."""


def read_image(fields: Fields) -> ImageFormat:
    """Read the image's size, which ``patch`` must divide."""
    image = fields.within("image")
    found = ImageFormat(*(image.positive(name) for name in ("channels", "height", "width", "patch")))
    if found.height % found.patch or found.width % found.patch:
        raise ModelRefused(f"{image.at}patch {found.patch} does not divide {found.height}x{found.width}")
    return found


def read_judge(fields: Fields, name: str, concepts: int, files: Mapping[str, str]) -> JudgeInfo:
    """Read a judge whose files are all among ``files``, with the digest that these make."""
    judge = fields.within(name)
    tried = "accuracy" in judge.raw
    checked, by_concept = Checked(judge.raw), []
    if tried:
        checked.value("accuracy", _is_share, _SHARE)
        checked.whole("accuracy_images", 0, MAX_COUNT)
        by_concept = checked.value("by_concept", _are_shares, _SHARES)
    if checked.faults:
        raise ModelRefused(f"{judge.at[:-1]}: {'; '.join(checked.faults)}")
    if tried and len(by_concept) != concepts:
        raise ModelRefused(f"{judge.at}by_concept has {len(by_concept)} entries for {concepts} concepts")
    folder, stated = judge.get("folder", str), judge.get("digest", str)
    own = {file: sha256 for file, sha256 in files.items() if file.startswith(f"{folder}/")}
    if not own:
        raise ModelRefused(f"{judge.at}folder names {folder!r}, of which no file is among files")
    found = digest_of(own)
    if stated != found:
        raise ModelRefused(f"{judge.at}digest is {stated}, the files of {folder}/ make {found}")
    return JudgeInfo(
        judge.get("name", str),
        folder,
        float(judge.raw["accuracy"]) if tried else None,
        judge.raw["accuracy_images"] if tried else 0,
        tuple(by_concept) if tried else (),
        stated,
    )


def read_figures(fields: Fields) -> dict[str, Any]:
    """Read the base model's own figures: how it is sampled, where it is said, and whatever else is shown."""
    figures: dict[str, Any] = fields.get("teacher", dict)
    checked = Checked(figures)
    checked.whole("network_evaluations", 1, 1000, 1)
    checked.positive("guidance", 1.0)
    checked.value("accuracy", _is_share, _SHARE, 1.0)
    checked.value("by_concept", _are_shares, _SHARES, [])
    if checked.faults:
        raise ModelRefused(f"{fields.at}teacher: {'; '.join(checked.faults)}")
    return figures


def read_domain(fields: Fields, concepts: int, files: Mapping[str, str]) -> Domain:
    """Read what judges one domain of a text-to-image model."""
    second = read_judge(fields, "second_judge", concepts, files) if "second_judge" in fields.raw else None
    judge = read_judge(fields, "judge", concepts, files)
    reference, features = read_references(fields, files) if "reference" in fields.raw else (None, {})
    return Domain(judge, reference, read_figures(fields), second, features)


def read_references(fields: Fields, files: Mapping[str, str]) -> tuple[str, dict[str, str]]:
    """Read the judge's reference file, and those of further feature extractors by name."""
    reference, features = fields.get("reference", str), fields.names("features")
    for name, value in {"reference": reference, **{f"features.{n}": v for n, v in features.items()}}.items():
        if value not in files:
            raise ModelRefused(f"{fields.at}{name} names {value!r}, which is not among files")
    return reference, features


def read_distilled(fields: Fields, files: Mapping[str, str]) -> Distilled:
    """Read the distilled pair, whose folders must hold some of ``files``."""
    found = Distilled(fields.get("generator", str), fields.get("fake_score", str), fields.time("t_init"))
    for name in PAIR:
        if not any(file.startswith(f"{getattr(found, name)}/") for file in files):
            raise ModelRefused(f"{fields.at}{name} names {getattr(found, name)!r}, of which no file is among files")
    return found


class Fields:
    """Typed access to a JSON object, with an error that names the field."""

    def __init__(self, raw: Mapping[str, Any], path: Path, prefix: str = "") -> None:
        self.raw, self.path, self.prefix = raw, path, prefix

    @property
    def at(self) -> str:
        """How an error begins that is about a field."""
        return f"{self.path}: {self.prefix}"

    def within(self, name: str) -> Fields:
        """Return the object at ``name``."""
        return Fields(self.get(name, dict), self.path, f"{self.prefix}{name}.")

    def get(self, name: str, kind: type) -> Any:
        if name not in self.raw:
            raise ModelRefused(f"{self.at}{name} is missing")
        value = self.raw[name]
        if not isinstance(value, kind) or (kind is int and isinstance(value, bool)):
            raise ModelRefused(f"{self.at}{name} must be a {kind.__name__}")
        return value

    def names(self, name: str) -> dict[str, str]:
        """Return an optional object of paths inside the folder, by name."""
        if name not in self.raw:
            return {}
        value: dict[str, Any] = self.get(name, dict)
        for key, path in value.items():
            if not lies_inside(path):
                raise ModelRefused(f"{self.at}{name}.{key} must be a path inside the folder")
        return value

    def positive(self, name: str) -> int:
        value = self.get(name, int)
        if not 1 <= value <= MAX_SIDE:
            raise ModelRefused(f"{self.at}{name} must be from 1 to {MAX_SIDE}")
        return int(value)

    def time(self, name: str) -> float:
        """Return a time at which a generator may start; whole ones stay integers."""
        checked = Checked(self.raw)
        must = f"be a number above 0, at most {MAX_SIDE}"
        value: float = checked.value(name, lambda v: is_number(v) and 0 < v <= MAX_SIDE, must)
        if checked.faults:
            raise ModelRefused(f"{self.at}{checked.faults[0]}")
        return value


_SHARE = "be a number from 0 to 1"
_SHARES = "be a list of numbers from 0 to 1"


def _is_share(value: object) -> bool:
    return is_number(value) and 0 <= value <= 1  # type: ignore[operator]


def _are_shares(value: object) -> bool:
    return isinstance(value, list) and all(map(_is_share, value))


def lies_inside(name: object) -> bool:
    """Say whether ``name`` is a path below a folder, in its only spelling, and nothing in it is hidden."""
    parts = name.split("/") if isinstance(name, str) else [""]
    return not any(part == "" or part.startswith(".") or "\\" in part or "\0" in part for part in parts)


def digest_of(files: Mapping[str, str]) -> str:
    """Make one digest for a set of files given as {relative name: sha256}."""
    lines = "".join(f"{files[name]}  {name}\n" for name in sorted(files))
    return "sha256:" + hashlib.sha256(lines.encode()).hexdigest()
