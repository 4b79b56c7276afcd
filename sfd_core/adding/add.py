"""A folder that somebody has becomes a base model: copied, loaded once, and registered with a manifest."""

from __future__ import annotations

import dataclasses
import re
import shutil
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import yaml

from sfd_core.adding.faults import Faults
from sfd_core.adding.judges import Judge
from sfd_core.adding.said import Said
from sfd_core.adding.survey import Survey, survey
from sfd_core.adding.words import VOCABULARY, Words
from sfd_core.adding.writing import judge_entry, saying, unfinished, write_manifest
from sfd_core.base_model.manifest import SCHEMA_VERSION, BaseModel, file_sha256
from sfd_core.base_model.sources import put_file, put_weights
from sfd_core.errors import ModelRefused
from sfd_core.evaluation.judge import ImageJudge
from sfd_core.families.loading import load_base
from sfd_core.families.protocol import LoadedBase
from sfd_core.families.registry import family_of, load_manifest
from sfd_core.families.sampling import PromptSampler

NOT_SAID = "not stated"
CARD = "README.md"


def add_model(source: Path, models: Path, said: Said, known: Collection[str] = ()) -> BaseModel:
    """Add the model in ``source`` to the folder ``models``. ``known``: names that other models have.

    Raises:
        ModelRefused: with everything that is wrong with it. Nothing is left of it then.
    """
    found = survey(source, said, known)
    _check_room(found, models, said.link)
    with unfinished(models) as folder:
        files = _put(found, folder, said.link)
        write_manifest(folder, manifest(found, said, files, _licence(source)))
        with saying({str(folder / j.folder): str(j.source) for j in found.all_judges} | {str(folder): str(source)}):
            try_out(load_manifest(folder))
        folder.rename(models / found.name)
    return load_manifest(models / found.name)


def _check_room(found: Survey, models: Path, link: bool) -> None:
    models.mkdir(parents=True, exist_ok=True)
    free = shutil.disk_usage(models).free
    if not link and found.size > free:
        raise ModelRefused(f"{models}: a copy takes {found.size} bytes, and {free} are free: make room, or say --link")


def _put(found: Survey, folder: Path, link: bool) -> dict[str, str]:
    """Put every file in its place; returns their digests by name."""
    for name, sources in found.files.items():
        if name.endswith(".safetensors"):
            put_weights(sources, folder / name, link)
        else:
            put_file(sources[0], folder / name, link)
    names = sorted(found.files)
    if found.words is not None and found.words.made is not None:
        (folder / VOCABULARY).write_text(found.words.made, "utf-8")
        names.append(VOCABULARY)
    return {name: file_sha256(folder / name) for name in names}


def manifest(found: Survey, said: Said, files: dict[str, str], licence: str | None) -> dict[str, Any]:
    """Make the manifest of what was found. ``files``: digests by name; ``licence``: as the folder's card has it."""
    sampler: dict[str, Any] = {"network_evaluations": said.steps}
    if said.guidance is not None:
        sampler["guidance"] = said.guidance
    if found.family.takes_prompts:
        asked_by = _words(found.words, sampler, files)
    else:
        judges = _judges(found.judges, ("judge", "second_judge"), files)
        asked_by = {"concepts": list(found.concepts), **judges, "teacher": sampler}
    return {
        "schema_version": SCHEMA_VERSION,
        "name": found.name,
        "title": said.title or found.name,
        "family": found.family.name,
        "license": said.license or licence or NOT_SAID,
        "data": said.data or NOT_SAID,
        "image": dataclasses.asdict(found.image),
        **asked_by,
        "files": files,
    }


def _words(words: Words | None, sampler: Mapping[str, Any], files: dict[str, str]) -> dict[str, Any]:
    """What a manifest says of a vocabulary and of the domains that are judged."""
    if words is None:
        return {}
    domains = {
        domain: {**_judges(judges, ("judge", "second_judge"), files), "teacher": dict(sampler)}
        for domain, judges in words.judges.items()
    }
    return {"vocabulary": VOCABULARY, **({"domains": domains} if domains else {})}


def _judges(judges: Sequence[Judge], names: Sequence[str], files: dict[str, str]) -> dict[str, Any]:
    return {
        name: judge_entry(f"{judge.network} of {judge.source.resolve().name}", judge.folder, {}, files)
        for name, judge in zip(names, judges, strict=False)
    }


def _licence(source: Path) -> str | None:
    """The licence in the head of a model's card, as a hub has it."""
    card = source / CARD
    try:
        head = re.match(r"---\n(.*?)\n---", card.read_text("utf-8")[:65536], re.DOTALL)
        read = yaml.safe_load(head[1]) if head is not None else None
    except (OSError, ValueError, yaml.YAMLError):
        return None
    licence = read.get("license") if isinstance(read, dict) else None
    return licence if isinstance(licence, str) and licence.strip() else None


def try_out(model: BaseModel) -> None:
    """Load a model with its judges, and run each once.

    Raises:
        ModelRefused: with what is wrong with any of them.
    """
    faults = Faults()
    base = faults.attempt(load_base, model)
    if base is not None:
        try:
            _run(base)
        except Exception as error:  # noqa: BLE001 - whatever a network that does not fit provokes is a refusal
            faults.add(f"{model.folder}: its network does not run: {error}")
    for view in [model.view(domain) for domain in model.domains] or [model]:
        _try_judges(view, faults)
    faults.refuse(model.name)


def _run(base: LoadedBase) -> None:
    """Draw one image in one step."""
    model, sampler = base.model, family_of(base.model.family).base_sampler(base, "cpu", 1)
    if isinstance(sampler, PromptSampler):
        sampler.sample_prompts([""], [0])
    else:
        sampler.sample_labels([len(model.concepts) - 1], [0])


def _try_judges(model: BaseModel, faults: Faults) -> None:
    shape = (1, model.image.height, model.image.width, model.image.channels)
    blank = np.zeros(shape[:-1] if model.image.channels == 1 else shape, np.uint8)
    for info in (model.judge, model.second_judge):
        judge = faults.attempt(ImageJudge.load, model, "cpu", info) if info is not None else None
        if info is None or judge is None:
            continue
        try:
            judge.judge(blank)
        except Exception as error:  # noqa: BLE001 - whatever a network that does not fit provokes is a refusal
            faults.add(f"{model.folder / info.folder}: it does not take the model's images: {error}")
