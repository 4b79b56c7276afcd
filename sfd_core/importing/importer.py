"""A checkpoint that is a pickle becomes safetensors: the folder of a base model, or the distilled start of one."""

from __future__ import annotations

import json
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save_file

from sfd_core.adding.pair import enter_pair
from sfd_core.adding.recognition import family_of_folder
from sfd_core.base_model.configs import read_config
from sfd_core.base_model.manifest import BaseModel
from sfd_core.base_model.safe_files import WEIGHTS
from sfd_core.errors import ModelRefused
from sfd_core.families.registry import family_of, load_manifest
from sfd_core.importing.checkpoint import read_checkpoint
from sfd_core.importing.layout import Choices, Found, Layout, Network
from sfd_core.importing.layouts import layouts

SHOWN = 6
"""Names of an unknown checkpoint that its refusal lists."""


@dataclass(frozen=True)
class Imported:
    """The outcome of an import. ``origin``: whose it is; ``folder``: where it lies; ``base_model``: whether that is a
    base model's folder, else it is the distilled start of one; ``notes``: what is to be known of it."""

    origin: str
    folder: str
    base_model: bool
    notes: tuple[str, ...]


def import_checkpoint(path: Path, out: Path | None, base: Path | None, choices: Choices) -> Imported:
    """Import ``path``. ``out``: the folder, which must not be there, for a base model. ``base``: the folder of the base
    model, with a manifest, of which a generator was distilled.

    Raises:
        ModelRefused: naming the file and what is refused, what is wrong with it, or which folder is needed.
    """
    read = read_checkpoint(path)
    layout = _layout_of(read, path)
    found = layout.find(read, str(path), choices)
    if found.base_model is not None:
        if out is None:
            raise ModelRefused(f"{path}: holds a base model ({layout.origin}): say which folder it becomes (--out)")
        folder = _write_base(found, found.base_model, out)
    else:
        if base is None:
            raise ModelRefused(
                f"{path}: holds a generator that was distilled of a base model ({layout.origin}): say which (--of), "
                "since its text encoder, autoencoder and schedule are that model's"
            )
        folder = _enter(found, load_manifest(base))
    return Imported(layout.origin, str(folder), found.base_model is not None, found.notes)


def _layout_of(read: Any, path: Path) -> Layout:
    known = layouts().values()
    for layout in known:
        if layout.recognises(read):
            return layout
    listed = "; ".join(f"{layout.origin}: {layout.looks_like}" for layout in known)
    raise ModelRefused(f"{path}: {_described(read)}, which is none of the known origins. Known are {listed}")


def _described(read: Any) -> str:
    if isinstance(read, dict):
        names = [ascii(name)[:60] for name in list(read)[:SHOWN]]
        return f"a dict with {', '.join(names)}{' and more' if len(read) > SHOWN else ''}" if names else "an empty dict"
    if isinstance(read, list | tuple):
        return f"a {type(read).__name__} of {len(read)}"
    return f"a {type(read).__name__}"


def _write_base(found: Found, network: Network, out: Path) -> Path:
    if out.exists():
        raise ModelRefused(f"{out}: is there already: say another folder")
    with _unfinished(out.parent) as folder:
        _write_network(network, folder / "unet", {})
        (folder / "scheduler").mkdir()
        _write_json(folder / "scheduler" / "scheduler_config.json", found.scheduler)
        described, _ = family_of_folder(folder)
        family_of(described.name).load_network(folder / "unet")
        folder.rename(out)
    return out


def _enter(found: Found, model: BaseModel) -> Path:
    """Keep the networks with ``model``, once its family has loaded them."""
    assert found.generator is not None
    own = read_config(model.folder / "unet" / "config.json")
    parts = {"generator": found.generator, "fake_score": found.fake_score}

    def fill(folder: Path) -> None:
        for name, network in parts.items():
            if network is not None:
                _write_network(network, folder / name, own)
                family_of(model.family).load_network(folder / name)

    name = enter_pair(model, fill, found.t_init, "unet")
    load_manifest(model.folder)
    return model.folder / name


def _write_network(network: Network, folder: Path, base: Mapping[str, Any]) -> None:
    folder.mkdir(parents=True)
    _write_json(folder / "config.json", network.config or base)
    weights = {name: w.float() if w.dtype == torch.float64 else w for name, w in network.weights.items()}
    save_file(weights, folder / WEIGHTS)


def _write_json(path: Path, value: Mapping[str, Any]) -> None:
    path.write_text(json.dumps(value, indent=2, ensure_ascii=False) + "\n", "utf-8")


@contextmanager
def _unfinished(parent: Path) -> Iterator[Path]:
    """Yield a new folder in ``parent`` that whoever finishes it renames; it is gone otherwise."""
    parent.mkdir(parents=True, exist_ok=True)
    folder = Path(tempfile.mkdtemp(prefix=".unfinished-", dir=parent))
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)
