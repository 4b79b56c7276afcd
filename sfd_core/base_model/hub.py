"""A Stable Diffusion pipeline of a hub, fetched at one commit: only the files that a run reads, JSON, text and
safetensors, and nothing of it is executed.

What was fetched becomes a base model's folder with a manifest of its own, so that from then on it is verified and
loaded as any other.
"""

from __future__ import annotations

import fcntl
import hashlib
import io
import json
import shutil
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
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

from sfd_core.base_model.hub_name import Hub
from sfd_core.base_model.manifest import MANIFEST, SCHEMA_VERSION, BaseModel, file_sha256, load_manifest
from sfd_core.base_model.safe_files import MAX_CONFIG_BYTES, MAX_WEIGHTS_BYTES, WEIGHTS, read_config
from sfd_core.errors import ModelRefused, ModelUnavailable
from sfd_core.families.stable_diffusion.loading import check_index

CONFIGS = (
    "model_index.json",
    "scheduler/scheduler_config.json",
    "unet/config.json",
    "vae/config.json",
    "text_encoder/config.json",
)
WEIGHT_FILES = (f"unet/{WEIGHTS}", f"vae/{WEIGHTS}", "text_encoder/model.safetensors")
BYTE_PAIRS = (("tokenizer/tokenizer.json",), ("tokenizer/vocab.json", "tokenizer/merges.txt"))
"""Either has all of a tokenizer."""
TOKENIZER = (*BYTE_PAIRS[0], *BYTE_PAIRS[1], "tokenizer/tokenizer_config.json", "tokenizer/special_tokens_map.json")
MAX_TOKENIZER_BYTES = 64 << 20
LIMITS = {
    **dict.fromkeys(CONFIGS, MAX_CONFIG_BYTES),
    **dict.fromkeys(TOKENIZER, MAX_TOKENIZER_BYTES),
    **dict.fromkeys(WEIGHT_FILES, MAX_WEIGHTS_BYTES),
}
"""Every file that is ever fetched, with the most bytes that it may have."""
TOGETHER = 4
"""Files that are fetched at a time."""
PAUSE = 0.5
"""Seconds between two looks whether another process has fetched what this one waits for."""

Progress = Callable[[], None]


def fetch(hub: Hub, folder: Path, progress: Progress | None = None, endpoint: str = constants.ENDPOINT) -> BaseModel:
    """The model of ``hub`` in ``folder``, fetched unless it is there. An interrupted fetch goes on where it was; of
    several at once, in whichever processes, one fetches and the others wait.

    Args:
        progress: called, in any thread, whenever bytes have come or are waited for; what it raises ends the fetch.
            Without it, bars are shown.
        endpoint: the hub: Hugging Face's, unless HF_ENDPOINT names another.

    Raises:
        ModelRefused: for a repository or commit that is not there or may not be read, or that lacks a file of the
            stock pipeline in a form that is read. Nothing large is fetched of it.
        ModelUnavailable: for a hub that cannot be reached now.
    """
    folder.parent.mkdir(parents=True, exist_ok=True)
    with _alone(folder.with_name(f"{folder.name}.lock"), progress):
        if not folder.is_dir():
            partial = folder.with_name(f"{folder.name}.partial")
            with _in_our_words(hub, endpoint):
                _download(hub, partial, progress, endpoint)
            shutil.rmtree(partial / ".cache")  # what an interrupted fetch goes on from
            (partial / MANIFEST).write_text(json.dumps(_manifest(hub, partial), indent=1), "utf-8")
            partial.rename(folder)
    return load_manifest(folder)


def _download(hub: Hub, folder: Path, progress: Progress | None, endpoint: str) -> None:
    """First what says what the model is; the weights only if that is right."""
    listed = {
        entry.path: entry
        for entry in HfApi(endpoint).list_repo_tree(hub.org_name, recursive=True, revision=hub.revision)
        if isinstance(entry, RepoFile)
    }
    _check_names(hub, listed)
    wanted = {name: listed[name] for name in LIMITS if name in listed}
    for name, file in wanted.items():
        if file.size > LIMITS[name]:
            raise ModelRefused(f"{_said(hub)}: {name} has {file.size} bytes; at most {LIMITS[name]} are read")

    def get(files: Sequence[str]) -> None:
        snapshot_download(
            hub.org_name,
            revision=hub.revision,
            endpoint=endpoint,
            local_dir=folder,
            allow_patterns=list(files),
            max_workers=TOGETHER,
            tqdm_class=tqdm_asyncio if progress is None else _telling(progress),
        )
        for name in set(files) & set(wanted):
            if not _is(folder / name, wanted[name]):
                raise ModelUnavailable(f"{_said(hub)}: {name} came otherwise than the hub lists it")

    get([*CONFIGS, *TOKENIZER])
    check_index(folder)
    _side(folder)
    for name in CONFIGS:
        read_config(folder / name)
    get(list(LIMITS))


def _check_names(hub: Hub, names: Mapping[str, object]) -> None:
    """Refuse a repository that lacks a file which every run reads."""
    for name in (*CONFIGS, *WEIGHT_FILES):
        if name not in names:
            beside = [other for other in names if Path(other).parent == Path(name).parent]
            pickled = name in WEIGHT_FILES and any(other.endswith((".bin", ".ckpt")) for other in beside)
            why = ": weights are read from safetensors, never from pickles (.bin, .ckpt)" if pickled else ""
            raise ModelRefused(f"{_said(hub)} has no {name}{why}")
    if not any(set(files) <= set(names) for files in BYTE_PAIRS):
        raise ModelRefused(f"{_said(hub)} has neither {BYTE_PAIRS[0][0]} nor {' and '.join(BYTE_PAIRS[1])}")


def _is(path: Path, listed: RepoFile) -> bool:
    """Whether a file is what the commit has there: by SHA-256 in large-file storage, else by git's own digest."""
    if not path.is_file():
        return False
    if listed.lfs is not None:
        return bool(file_sha256(path) == listed.lfs.sha256)
    content = path.read_bytes()
    return bool(hashlib.sha1(b"blob %d\0%b" % (len(content), content)).hexdigest() == listed.blob_id)


def _manifest(hub: Hub, folder: Path) -> dict[str, Any]:
    side = _side(folder)
    return {
        "schema_version": SCHEMA_VERSION,
        "name": f"hub:{hub.org_name}@{hub.revision}",
        "title": hub.org_name,
        "family": "stable_diffusion",
        "license": "as the hub's page says",
        "data": "as the hub's page says",
        "image": {"channels": 3, "height": side, "width": side, "patch": 1},
        "files": {name: file_sha256(folder / name) for name in LIMITS if (folder / name).is_file()},
    }


def _side(folder: Path) -> int:
    """Pixels along an edge: the autoencoder halves them between any two of its blocks."""
    latents = read_config(folder / "unet" / "config.json").get("sample_size")
    blocks = read_config(folder / "vae" / "config.json").get("block_out_channels")
    if not isinstance(latents, int) or not isinstance(blocks, list) or not 1 <= len(blocks) <= 8:
        raise ModelRefused(f"{folder}: unet/config.json must have a whole sample_size, vae/config.json its blocks")
    return int(latents * 2 ** (len(blocks) - 1))


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
