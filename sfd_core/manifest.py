"""A base model's folder, as its ``manifest.json`` describes it. Plain: importing this does not import torch.

The folder is in diffusers format (``unet/``, ``scheduler/``) with, beside it, what Lethe needs to forget and to
judge: the concepts by name, the judge, reference statistics of real images, and the teacher's own figures.
``docs/base-models.md`` says how to add one.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from sfd_core.errors import ModelRefused

MANIFEST = "manifest.json"
SCHEMA_VERSION = 1
FAMILIES = ("class_unet",)
MAX_MANIFEST_BYTES = 1 << 20
MAX_CONCEPTS = 10_000


@dataclass(frozen=True)
class ImageFormat:
    """What an image of the model is: ``channels`` x ``height`` x ``width`` pixels in [-1, 1].

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
    that it was not trained on, ``accuracy_images`` of them. ``by_concept``: the same for each concept.
    """

    name: str
    folder: str
    accuracy: float
    accuracy_images: int
    by_concept: tuple[float, ...]
    digest: str


@dataclass(frozen=True)
class BaseModel:
    """A registered base model. ``digest`` covers every file that a run reads, by name and content.

    ``second_judge``: another classifier, of another architecture and trained apart, that says where the first errs.
    ``features``: further reference files by the name of their feature extractor. ``controls``: by concept, the folder
    of a one-step generator that never knew it (distilled from a network trained without it).
    """

    name: str
    title: str
    folder: Path
    family: str
    license: str
    data: str
    concepts: tuple[str, ...]
    image: ImageFormat
    judge: JudgeInfo
    reference: str
    teacher: Mapping[str, Any]
    files: Mapping[str, str]
    digest: str
    second_judge: JudgeInfo | None = None
    features: Mapping[str, str] = field(default_factory=dict)
    controls: Mapping[str, str] = field(default_factory=dict)

    def concept_index(self, concept: str) -> int:
        """The class label of ``concept``; ``ValueError`` if the model does not know it."""
        return self.concepts.index(concept)


def load_manifest(folder: Path) -> BaseModel:
    """Read and check ``folder/manifest.json``. No weights are read, and no digest of them is recomputed here:
    :func:`verify_files` does that before a run.

    Raises:
        ModelRefused: naming the file and the field.
    """
    path = folder / MANIFEST
    try:
        if path.stat().st_size > MAX_MANIFEST_BYTES:
            raise ModelRefused(f"{path}: larger than {MAX_MANIFEST_BYTES} bytes")
        raw = json.loads(path.read_text("utf-8"))
    except FileNotFoundError:
        raise ModelRefused(f"{path}: no such file; a base model needs a {MANIFEST}") from None
    except (OSError, UnicodeDecodeError, json.JSONDecodeError) as error:
        raise ModelRefused(f"{path}: not readable as JSON: {error}") from None
    if not isinstance(raw, dict):
        raise ModelRefused(f"{path}: must be a JSON object")
    return _parse(raw, folder, path)


def _parse(raw: dict[str, Any], folder: Path, path: Path) -> BaseModel:
    fields = _Fields(raw, path)
    if (version := fields.get("schema_version", int)) != SCHEMA_VERSION:
        raise ModelRefused(f"{path}: schema_version is {version}, this Lethe reads {SCHEMA_VERSION}")
    family = fields.get("family", str)
    if family not in FAMILIES:
        raise ModelRefused(f"{path}: family {family!r} is unknown; known: {', '.join(FAMILIES)}")
    concepts = tuple(fields.get("concepts", list))
    if not 2 <= len(concepts) <= MAX_CONCEPTS or not all(isinstance(c, str) and c.strip() for c in concepts):
        raise ModelRefused(f"{path}: concepts must be 2 to {MAX_CONCEPTS} names")
    if len(set(concepts)) != len(concepts):
        raise ModelRefused(f"{path}: concepts has the same name twice")
    files = fields.get("files", dict)
    for name in files:
        if name.startswith("/") or ".." in Path(name).parts:
            raise ModelRefused(f"{path}: files names {name!r}, which lies outside the folder")
    image = _Fields(fields.get("image", dict), path, "image.")
    features, controls = fields.names("features"), fields.names("controls")
    for concept in controls:
        if concept not in concepts:
            raise ModelRefused(f"{path}: controls names {concept!r}, which is none of the concepts")
    reference = fields.get("reference", str)
    for name, value in {"reference": reference, **{f"features.{n}": v for n, v in features.items()}}.items():
        if value not in files:
            raise ModelRefused(f"{path}: {name} names {value!r}, which is not among files")
    for concept, value in controls.items():
        if not any(name.startswith(f"{value}/") for name in files):
            raise ModelRefused(f"{path}: controls.{concept} names {value!r}, of which no file is among files")
    format_ = ImageFormat(
        image.positive("channels"), image.positive("height"), image.positive("width"), image.positive("patch")
    )
    if format_.height % format_.patch or format_.width % format_.patch:
        raise ModelRefused(f"{path}: image.patch {format_.patch} does not divide {format_.height}x{format_.width}")
    return BaseModel(
        name=fields.get("name", str),
        title=fields.get("title", str),
        folder=folder,
        family=family,
        license=fields.get("license", str),
        data=fields.get("data", str),
        concepts=concepts,
        image=format_,
        judge=_judge(fields, "judge", len(concepts), files),
        reference=reference,
        teacher=fields.get("teacher", dict),
        files=files,
        digest=digest_of(files),
        second_judge=_judge(fields, "second_judge", len(concepts), files) if "second_judge" in raw else None,
        features=features,
        controls=controls,
    )


def _judge(fields: _Fields, name: str, concepts: int, files: Mapping[str, str]) -> JudgeInfo:
    """A judge whose files are all among ``files``, with the digest that these make."""
    judge = _Fields(fields.get(name, dict), fields.path, f"{name}.")
    by_concept = tuple(judge.get("by_concept", list))
    if len(by_concept) != concepts:
        raise ModelRefused(f"{fields.path}: {name}.by_concept has {len(by_concept)} entries for {concepts} concepts")
    folder, stated = judge.get("folder", str), judge.get("digest", str)
    found = digest_of({file: sha256 for file, sha256 in files.items() if file.startswith(f"{folder}/")})
    if stated != found:
        raise ModelRefused(f"{fields.path}: {name}.digest is {stated}, the files of {folder}/ make {found}")
    return JudgeInfo(
        judge.get("name", str),
        folder,
        judge.get("accuracy", float),
        judge.get("accuracy_images", int),
        by_concept,
        stated,
    )


class _Fields:
    """Typed access to a JSON object, with an error that names the field."""

    def __init__(self, raw: Mapping[str, Any], path: Path, prefix: str = "") -> None:
        self.raw, self.path, self.prefix = raw, path, prefix

    def get(self, name: str, kind: type) -> Any:
        if name not in self.raw:
            raise ModelRefused(f"{self.path}: {self.prefix}{name} is missing")
        value = self.raw[name]
        if not isinstance(value, kind) or (kind is int and isinstance(value, bool)):
            raise ModelRefused(f"{self.path}: {self.prefix}{name} must be a {kind.__name__}")
        return value

    def names(self, name: str) -> dict[str, str]:
        """An optional object of paths inside the folder, by name."""
        if name not in self.raw:
            return {}
        value: dict[str, Any] = self.get(name, dict)
        for key, path in value.items():
            if not isinstance(path, str) or path.startswith("/") or ".." in Path(path).parts:
                raise ModelRefused(f"{self.path}: {self.prefix}{name}.{key} must be a path inside the folder")
        return value

    def positive(self, name: str) -> int:
        value = self.get(name, int)
        if not 1 <= value <= 4096:
            raise ModelRefused(f"{self.path}: {self.prefix}{name} must be from 1 to 4096")
        return int(value)


def digest_of(files: Mapping[str, str]) -> str:
    """One digest for a set of files given as {relative name: sha256}."""
    lines = "".join(f"{files[name]}  {name}\n" for name in sorted(files))
    return "sha256:" + hashlib.sha256(lines.encode()).hexdigest()


def file_sha256(path: Path) -> str:
    """SHA-256 of a file, read in pieces."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def verify_files(model: BaseModel) -> None:
    """Recompute the digest of every file of the model.

    Raises:
        ModelRefused: for a file that is missing, is a link that leaves the folder, or does not have the digest
            that the manifest states.
    """
    root = model.folder.resolve()
    for name, stated in model.files.items():
        path = model.folder / name
        if not path.resolve().is_relative_to(root):
            raise ModelRefused(f"{path}: a link that leaves the model's folder")
        if not path.is_file():
            raise ModelRefused(f"{path}: named in {MANIFEST} but missing")
        if (found := file_sha256(path)) != stated:
            raise ModelRefused(f"{path}: sha256 is {found}, {MANIFEST} states {stated}")


def registered(folders: Iterable[Path]) -> dict[str, BaseModel]:
    """The base models below ``folders``, by name: each subfolder with a manifest is one.

    Raises:
        ModelRefused: for a manifest that cannot be read, or two models of one name.
    """
    models: dict[str, BaseModel] = {}
    for folder in folders:
        if not folder.is_dir():
            raise ModelRefused(f"{folder}: not a folder")
        for path in sorted(folder.iterdir()):
            if not (path / MANIFEST).is_file():
                continue
            model = load_manifest(path)
            if model.name in models:
                raise ModelRefused(f"{path}: {model.name!r} is already registered from {models[model.name].folder}")
            models[model.name] = model
    return models
