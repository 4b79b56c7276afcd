"""A base model's folder, as its ``manifest.json`` describes it. Plain: importing this does not import torch.

The folder is in diffusers format (``unet/``, ``scheduler/``) with, beside it, what Lethe needs to forget and to
judge: the concepts by name, the judge, reference statistics of real images, and the base model's own figures. A
text-to-image model may have all of these for each of its domains (objects, styles), or none: a plain pipeline can be
unlearned from too, it is only judged by less.
``docs/base-models.md`` says how to add one.
"""

from __future__ import annotations

import dataclasses
import hashlib
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from sfd_core.base_model.configs import read_sound_object
from sfd_core.base_model.manifest_parts import Distilled as Distilled
from sfd_core.base_model.manifest_parts import Domain as Domain
from sfd_core.base_model.manifest_parts import (
    Fields,
    lies_inside,
    read_distilled,
    read_domain,
    read_figures,
    read_image,
    read_judge,
    read_references,
)
from sfd_core.base_model.manifest_parts import ImageFormat as ImageFormat
from sfd_core.base_model.manifest_parts import JudgeInfo as JudgeInfo
from sfd_core.base_model.manifest_parts import digest_of as digest_of
from sfd_core.base_model.vocabulary import Vocabulary, load_vocabulary
from sfd_core.errors import FieldError, InvalidRequest, ModelRefused
from sfd_core.request.concepts import Forget
from sfd_core.suggestions import unknown

MANIFEST = "manifest.json"
NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")
"""What requests call a registered model: a part of a path, and never a hub's name."""
SCHEMA_VERSION = 1
MAX_MANIFEST_BYTES = 1 << 20
MAX_CONCEPTS = 10_000
Conditions = Literal["classes", "prompts"]
"""What a family of models is asked by."""


@dataclass(frozen=True)
class BaseModel:
    """A registered base model. ``digest`` covers every file that a run reads, by name and content.

    ``second_judge``: another classifier, of another architecture and trained apart, that says where the first errs.
    ``features``: further reference files by the name of their feature extractor. ``controls``: by concept, the folder
    of a one-step generator distilled from a network that was trained without it. ``recipe``: what
    it recommends to change in its family's.

    A text-to-image model with ``domains`` is judged in one of them at a time: :meth:`view` has that one's concepts,
    judge and figures, and the model as a whole has neither judge nor reference. ``vocabulary``: its words, if known.
    """

    name: str
    title: str
    folder: Path
    family: str
    license: str
    data: str
    concepts: tuple[str, ...]
    image: ImageFormat
    judge: JudgeInfo | None
    reference: str | None
    figures: Mapping[str, Any]
    files: Mapping[str, str]
    digest: str
    second_judge: JudgeInfo | None = None
    features: Mapping[str, str] = field(default_factory=dict)
    controls: Mapping[str, str] = field(default_factory=dict)
    vocabulary: Vocabulary | None = None
    domains: Mapping[str, Domain] = field(default_factory=dict)
    domain: str | None = None
    distilled: Distilled | None = None
    recipe: Mapping[str, Any] = field(default_factory=dict)

    def concept_index(self, concept: str) -> int:
        """Return the class label of ``concept``; ``ValueError`` if the model does not know it."""
        return self.concepts.index(concept)

    def view(self, domain: str) -> BaseModel:
        """Return this model as seen in ``domain``; ``KeyError`` if it has no such domain."""
        seen, vocabulary = self.domains[domain], self.vocabulary
        assert vocabulary is not None  # domains come with a vocabulary
        return dataclasses.replace(
            self,
            concepts=tuple(concept.name for concept in vocabulary.domains[domain]),
            judge=seen.judge,
            second_judge=seen.second_judge,
            reference=seen.reference,
            features=seen.features,
            figures=seen.figures,
            domain=domain,
        )

    def domain_of(self, concept: str) -> str | None:
        """Return the domain that ``concept`` is judged in; None where it belongs to none that has judges."""
        at = self.vocabulary.find(concept) if self.vocabulary else None
        return at[0] if at is not None and at[0] in self.domains else None

    def view_for(self, forget: Sequence[Forget]) -> BaseModel:
        """Return this model as seen in the domain of what is forgotten, that of the first item where there are several;
        as it is, where that belongs to none.

        Raises:
            InvalidRequest: for items that are judged in a domain beside others that are not.
        """
        domains = [self.domain_of(item.concept) for item in forget]
        errors = [
            FieldError(f"/forget/{i}/concept", f"{_kind(domain)}, {_kind(domains[0])} before it: submit a job for each")
            for i, domain in enumerate(domains)
            if (domain is None) != (domains[0] is None)
        ]
        if errors:
            raise InvalidRequest(tuple(errors))
        domain = domains[0] if domains else None
        return self.view(domain) if domain is not None else self


def _kind(domain: str | None) -> str:
    return f"is of the domain {domain!r}" if domain else "is in none of the model's domains"


def read_manifest(folder: Path, families: Mapping[str, Conditions]) -> BaseModel:
    """Read and check ``folder/manifest.json``. No weights are read, and no digest of them is recomputed here:
    ``sfd_core.base_model.verifying`` does that before a run. ``families``: those that are known, with what each is
    asked by.

    Raises:
        ModelRefused: naming the file and the field.
    """
    path = folder / MANIFEST
    if not path.exists():
        raise ModelRefused(f"{path}: no such file; a base model needs a {MANIFEST}")
    return _parse(read_sound_object(path, MAX_MANIFEST_BYTES), folder, path, families)


def _parse(raw: dict[str, Any], folder: Path, path: Path, families: Mapping[str, Conditions]) -> BaseModel:
    fields = Fields(raw, path)
    if (version := fields.get("schema_version", int)) != SCHEMA_VERSION:
        raise ModelRefused(f"{path}: schema_version is {version}, this Lethe reads {SCHEMA_VERSION}")
    family = fields.get("family", str)
    if family not in families:
        raise ModelRefused(f"{path}: {unknown('family', family, families)}")
    files = fields.get("files", dict)
    for name, sha256 in files.items():
        if not lies_inside(name):
            raise ModelRefused(f"{path}: files names {name!r}, which lies outside the folder or is spelt otherwise")
        if not isinstance(sha256, str) or re.fullmatch("[0-9a-f]{64}", sha256) is None:
            raise ModelRefused(f"{path}: files.{name} must be a SHA-256 in hexadecimal")
    return BaseModel(
        name=fields.get("name", str),
        title=fields.get("title", str),
        folder=folder,
        family=family,
        license=fields.get("license", str),
        data=fields.get("data", str),
        image=read_image(fields),
        files=files,
        digest=digest_of(files),
        recipe=fields.get("recipe", dict) if "recipe" in fields.raw else {},
        distilled=read_distilled(fields.within("distilled"), files) if "distilled" in fields.raw else None,
        **(_text_parts(fields, files, folder) if families[family] == "prompts" else _class_parts(fields, files)),
    )


def _class_parts(fields: Fields, files: Mapping[str, str]) -> dict[str, Any]:
    """What a class-conditional model must bring, and what it may."""
    concepts = tuple(fields.get("concepts", list))
    if not 2 <= len(concepts) <= MAX_CONCEPTS or not all(isinstance(c, str) and c.strip() for c in concepts):
        raise ModelRefused(f"{fields.path}: concepts must be 2 to {MAX_CONCEPTS} names")
    if len(set(concepts)) != len(concepts):
        raise ModelRefused(f"{fields.path}: concepts has the same name twice")
    controls = fields.names("controls")
    for concept, value in controls.items():
        if concept not in concepts:
            raise ModelRefused(f"{fields.path}: controls names {concept!r}, which is none of the concepts")
        if not any(name.startswith(f"{value}/") for name in files):
            raise ModelRefused(f"{fields.path}: controls.{concept} names {value!r}, of which no file is among files")
    if "second_judge" in fields.raw and "judge" not in fields.raw:
        raise ModelRefused(f"{fields.path}: second_judge stands beside a judge, and there is none")
    judge, second = (
        read_judge(fields, name, len(concepts), files) if name in fields.raw else None
        for name in ("judge", "second_judge")
    )
    reference, features = read_references(fields, files) if "reference" in fields.raw else (None, {})
    return {
        "concepts": concepts,
        "judge": judge,
        "second_judge": second,
        "reference": reference,
        "features": features,
        "controls": controls,
        "figures": read_figures(fields),
    }


def _text_parts(fields: Fields, files: Mapping[str, str], folder: Path) -> dict[str, Any]:
    """What a text-to-image model may bring."""
    vocabulary: Vocabulary | None = None
    if "vocabulary" in fields.raw:
        if (name := fields.get("vocabulary", str)) not in files:
            raise ModelRefused(f"{fields.path}: vocabulary names {name!r}, which is not among files")
        vocabulary = load_vocabulary(folder / name)
    domains = {}
    for name in fields.get("domains", dict) if "domains" in fields.raw else ():
        if vocabulary is None or name not in vocabulary.domains:
            raise ModelRefused(f"{fields.path}: domains.{name} is no domain of the vocabulary")
        domains[name] = read_domain(fields.within("domains").within(name), len(vocabulary.domains[name]), files)
    known = vocabulary.domains if vocabulary is not None else {}
    return {
        "concepts": tuple(concept.name for name in domains or known for concept in known[name]),
        "judge": None,
        "reference": None,
        "figures": _shared_by_all([domain.figures for domain in domains.values()]),
        "vocabulary": vocabulary,
        "domains": domains,
    }


def _shared_by_all(figures: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """How the base model is sampled, where all domains say the same: it is one network."""
    if not figures:
        return {}
    names = ("network_evaluations", "guidance")
    first = {name: figures[0][name] for name in names if name in figures[0]}
    return {name: value for name, value in first.items() if all(each.get(name) == value for each in figures)}


def file_sha256(path: Path) -> str:
    """Compute the SHA-256 of a file, read in pieces."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()
