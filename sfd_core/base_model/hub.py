"""A pipeline of a hub, fetched at one commit: only the files that a run of its family reads, JSON, text and
safetensors, and nothing of it is executed.

What was fetched becomes a base model's folder with a manifest of its own, so that from then on it is verified and
loaded as any other.
"""

from __future__ import annotations

import dataclasses
import fcntl
import hashlib
import io
import json
import shutil
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx2
from huggingface_hub import HfApi, constants, snapshot_download
from huggingface_hub.errors import (
    GatedRepoError,
    HfHubHTTPError,
    LocalEntryNotFoundError,
    RepositoryNotFoundError,
    RevisionNotFoundError,
)
from huggingface_hub.hf_api import RepoFile
from tqdm.asyncio import tqdm_asyncio

from sfd_core.base_model.configs import MAX_CONFIG_BYTES, read_config
from sfd_core.base_model.hub_layout import HubLayout
from sfd_core.base_model.hub_name import Hub
from sfd_core.base_model.layout import INDEX, MAX_WEIGHTS_BYTES
from sfd_core.base_model.manifest import MANIFEST, SCHEMA_VERSION, file_sha256
from sfd_core.base_model.sources import MAX_INDEX_BYTES, parts_of, put_weights, variants
from sfd_core.errors import ModelRefused, ModelUnavailable

TOGETHER = 4
"""Files that are fetched at a time."""
PAUSE = 0.5
"""Seconds between two looks whether another process has fetched what this one waits for."""

Progress = Callable[[], None]


def fetch(
    hub: Hub,
    family: str | None,
    folder: Path,
    layouts: Sequence[HubLayout],
    progress: Progress | None = None,
    endpoint: str = constants.ENDPOINT,
) -> None:
    """Fetch the model of ``hub`` into ``folder``, with a manifest, unless it is there. An interrupted fetch goes on
    where it was; of several at once, in whichever processes, one fetches and the others wait.

    Args:
        family: what the model was allowed as; None: whichever of ``layouts`` it is.
        layouts: what is fetched, by the first that fits the pipeline.
        progress: called, in any thread, whenever bytes have come or are waited for; what it raises ends the fetch.
            Without it, bars are shown.
        endpoint: the hub: Hugging Face's, unless HF_ENDPOINT names another.

    Raises:
        ModelRefused: for a repository or commit that is not there or may not be read, a pipeline that is none of
            ``layouts`` or of another family, or one that lacks a file in a form that is read. Nothing large is
            fetched of it.
        ModelUnavailable: for a hub that cannot be reached now.
    """
    folder.parent.mkdir(parents=True, exist_ok=True)
    with _alone(folder.with_name(f"{folder.name}.lock"), progress):
        if not folder.is_dir():
            partial = folder.with_name(f"{folder.name}.partial")
            with _in_our_words(hub, endpoint):
                layout = _download(hub, family, partial, layouts, progress, endpoint)
            shutil.rmtree(partial / ".cache")  # what an interrupted fetch goes on from
            (partial / MANIFEST).write_text(json.dumps(_manifest(hub, partial, layout), indent=1), "utf-8")
            partial.rename(folder)


def _download(
    hub: Hub,
    family: str | None,
    folder: Path,
    layouts: Sequence[HubLayout],
    progress: Progress | None,
    endpoint: str,
) -> HubLayout:
    """First what says what the model is; the weights only if that is right."""
    listed = {
        entry.path: entry
        for entry in HfApi(endpoint).list_repo_tree(hub.org_name, recursive=True, revision=hub.revision)
        if isinstance(entry, RepoFile)
    }
    fetched: set[str] = set()

    def get(names: Iterable[str]) -> None:
        wanted = [name for name in names if name in listed and name not in fetched]
        snapshot_download(
            hub.org_name,
            revision=hub.revision,
            endpoint=endpoint,
            local_dir=folder,
            allow_patterns=wanted,
            max_workers=TOGETHER,
            tqdm_class=tqdm_asyncio if progress is None else _telling(progress),
        )
        for name in wanted:
            if not _is(folder / name, listed[name]):
                raise ModelUnavailable(f"{_said(hub)}: {name} came otherwise than the hub lists it")
        fetched.update(wanted)

    _check_names(hub, [INDEX], listed)
    _check_sizes(hub, {INDEX: MAX_CONFIG_BYTES}, listed)
    get([INDEX])
    layout = _layout(hub, family, folder / INDEX, layouts)
    _check_names(hub, layout.configs, listed)
    weights = {name: _form(hub, name, listed) for name in layout.weights}
    if (lacking := layout.without_words(listed)) is not None:
        raise ModelRefused(f"{_said(hub)} has {lacking}")
    _check_sizes(hub, layout.limits, listed)
    get([*layout.configs, *layout.words])
    layout.check(folder)
    layout.image(folder)
    for name in layout.configs:
        read_config(folder / name)
    indexes = [form for form in weights.values() if form.endswith(".json")]
    _check_sizes(hub, dict.fromkeys(indexes, MAX_INDEX_BYTES), listed)
    get(indexes)
    parts = {name: _parts(folder, form) for name, form in weights.items()}
    wanted = [part for some in parts.values() for part in some]
    _check_names(hub, wanted, listed)
    for name, some in parts.items():
        if (size := sum(listed[part].size for part in some)) > MAX_WEIGHTS_BYTES:
            raise ModelRefused(f"{_said(hub)}: {name} has {size} bytes; at most {MAX_WEIGHTS_BYTES} are read")
    get(wanted)
    for name, form in weights.items():
        if form != name:
            _become_one(folder, name, parts[name], form)
    return layout


def _parts(folder: Path, form: str) -> list[str]:
    """The files that a form of weights is made of."""
    if not form.endswith(".json"):
        return [form]
    return [path.relative_to(folder).as_posix() for path in parts_of(folder / form)]


def _form(hub: Hub, name: str, listed: Mapping[str, RepoFile]) -> str:
    """The form in which the weights ``name`` are there: the file itself, or the index of its parts; of variants alone
    ``fp16``, which most have, or else the first by name."""
    beside = [Path(other).name for other in listed if Path(other).parent == Path(name).parent]
    there = variants(Path(name).name, beside)
    if not there:
        _check_names(hub, [name], listed)  # says why
    chosen = min(there, key=lambda variant: (variant is not None, variant != "fp16", variant or ""))
    return (Path(name).parent / there[chosen]).as_posix()


def _become_one(folder: Path, name: str, parts: Sequence[str], form: str) -> None:
    """What came in another form becomes the one file that is read."""
    put_weights([folder / part for part in parts], folder / name)
    for left in {form, *parts}:
        (folder / left).unlink(missing_ok=True)


def of_another_family(hub: Hub, found: str, allowed: str) -> str:
    """Say that the model of ``hub`` is not of the family that it was allowed as."""
    return (
        f"{hub.org_name} is of the family {found}, and was allowed as one of {allowed}: "
        f"allow {hub.org_name}={found} to start from it"
    )


def _layout(hub: Hub, family: str | None, index: Path, layouts: Sequence[HubLayout]) -> HubLayout:
    """What is fetched of the pipeline whose ``model_index.json`` this is."""
    name = read_config(index).get("_class_name")
    layout = next((layout for layout in layouts if layout.fits(index.parent)), None)
    if layout is None:
        known = dict.fromkeys(layout.pipeline for layout in layouts)
        raise ModelRefused(f"{index}: _class_name is {name!r}, must be {' or '.join(map(repr, known))}")
    if family is not None and layout.family != family:
        raise ModelRefused(f"{index}: _class_name is {name!r}: {of_another_family(hub, layout.family, family)}")
    return layout


def _check_names(hub: Hub, needed: Sequence[str], names: Mapping[str, object]) -> None:
    """Refuse a repository that lacks a file which every run reads."""
    for name in needed:
        if name not in names:
            beside = [other for other in names if Path(other).parent == Path(name).parent]
            pickled = name.endswith(".safetensors") and any(other.endswith((".bin", ".ckpt")) for other in beside)
            why = ": weights are read from safetensors, never from pickles (.bin, .ckpt)" if pickled else ""
            raise ModelRefused(f"{_said(hub)} has no {name}{why}")


def _check_sizes(hub: Hub, limits: Mapping[str, int], listed: Mapping[str, RepoFile]) -> None:
    """Refuse a file that is larger than what is read of it."""
    for name, most in limits.items():
        if name in listed and listed[name].size > most:
            raise ModelRefused(f"{_said(hub)}: {name} has {listed[name].size} bytes; at most {most} are read")


def _is(path: Path, listed: RepoFile) -> bool:
    """Whether a file is what the commit has there: by SHA-256 in large-file storage, else by git's own digest."""
    if not path.is_file():
        return False
    if listed.lfs is not None:
        return bool(file_sha256(path) == listed.lfs.sha256)
    content = path.read_bytes()
    return bool(hashlib.sha1(b"blob %d\0%b" % (len(content), content)).hexdigest() == listed.blob_id)


def _manifest(hub: Hub, folder: Path, layout: HubLayout) -> dict[str, Any]:
    return {
        "schema_version": SCHEMA_VERSION,
        "name": _said(hub),
        "title": hub.org_name,
        "family": layout.family,
        "license": "as the hub's page says",
        "data": "as the hub's page says",
        "image": dataclasses.asdict(layout.image(folder)),
        "files": {name: file_sha256(folder / name) for name in layout.limits if (folder / name).is_file()},
    }


def _said(hub: Hub) -> str:
    return f"hub:{hub.org_name}@{hub.revision}"


def _telling(progress: Progress) -> type[tqdm_asyncio[Any]]:
    """A bar that shows nothing and tells of every piece."""

    class Telling(tqdm_asyncio):  # type: ignore[type-arg]  # generic for type checkers alone
        def __init__(self, *args: Any, **options: Any) -> None:
            super().__init__(*args, **{**options, "file": io.StringIO()})

        def update(self, n: float | None = 1) -> bool | None:
            progress()
            return super().update(n)

    return Telling


@contextmanager
def _in_our_words(hub: Hub, endpoint: str) -> Iterator[None]:
    """The hub's own errors as ours: what another attempt will not change is a refusal."""
    try:
        yield
    except GatedRepoError:
        message = f"{_said(hub)} is gated: {endpoint} asks for a token (HF_TOKEN) that may read it"
        raise ModelRefused(message) from None
    except RepositoryNotFoundError:
        raise ModelRefused(f"{endpoint} has no repository {hub.org_name}, or it is private") from None
    except RevisionNotFoundError:
        raise ModelRefused(f"{endpoint} has no commit {hub.revision} of {hub.org_name}") from None
    except (HfHubHTTPError, LocalEntryNotFoundError, httpx2.HTTPError) as error:
        raise ModelUnavailable(f"{endpoint} does not hand out {hub.org_name} now: {error}") from None


@contextmanager
def _alone(path: Path, progress: Progress | None) -> Iterator[None]:
    """Hold the lock at ``path``: it goes with the process that holds it."""
    with path.open("a") as lock:
        while True:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if progress is not None:
                    progress()
                time.sleep(PAUSE)
        yield
