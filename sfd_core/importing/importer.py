"""A checkpoint that is a pickle becomes safetensors: the folder of a base model, or the distilled start of one."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from sfd_core.adding.pair import enter_pair
from sfd_core.adding.recognition import family_of_folder
from sfd_core.adding.writing import fresh_folder, saying
from sfd_core.base_model.config_checks import shown
from sfd_core.base_model.configs import read_config
from sfd_core.base_model.manifest import BaseModel
from sfd_core.base_model.safe_files import WEIGHTS
from sfd_core.base_model.saving import save_tensors
from sfd_core.errors import ModelRefused
from sfd_core.families.registry import family_of, load_manifest
from sfd_core.importing.checkpoint import read_checkpoint
from sfd_core.importing.layout import Choices, Found, Layout, Network
from sfd_core.importing.layouts import layouts

NO_FAKE_SCORE = "the file has no fake score: jobs start with the base model's own network in its place"
ALIKE = ("sample_size", "in_channels", "num_class_embeds")
"""What a generator of classes and its base model must have alike: what they make and are asked by."""
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
    if found.base_model is not None and (out is not None or found.generator is None):
        if out is None:
            raise ModelRefused(f"{path}: holds a base model ({layout.origin}): say which folder it becomes (--out)")
        return Imported(layout.origin, str(_write_base(found, found.base_model, out, str(path))), True, found.notes)
    if base is None:
        either = "a base model (--out: which folder it becomes), or " if found.base_model is not None else ""
        raise ModelRefused(
            f"{path}: holds {either}a generator that was distilled of a base model ({layout.origin}): say which "
            "(--of), since its text encoder, autoencoder and schedule are that model's"
        )
    folder = _enter(found, load_manifest(base), str(path))
    notes = found.notes if found.fake_score is not None else (*found.notes, NO_FAKE_SCORE)
    return Imported(layout.origin, str(folder), False, notes)


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


def _write_base(found: Found, network: Network, out: Path, what: str) -> Path:
    if out.exists():
        raise ModelRefused(f"{out}: is there already: say another folder")
    with _unfinished(out.parent, what) as folder:
        _write_network(network, folder / "unet", {})
        (folder / "scheduler").mkdir()
        _write_json(folder / "scheduler" / "scheduler_config.json", found.scheduler)
        described, layout = family_of_folder(folder)
        layout.check(folder)
        family_of(described.name).load_network(folder / "unet")
        folder.rename(out)
    return out


def _enter(found: Found, model: BaseModel, what: str) -> Path:
    """Keep the networks with ``model``, once they were held against it and its family has loaded them."""
    assert found.generator is not None
    path = model.folder / "unet" / "config.json"
    if not path.is_file():
        raise ModelRefused(f"{what}: holds a U-Net, and the network of {model.name} ({model.family}) is none")
    own = read_config(path)
    _refuse_other(found.generator.config or {}, own, what)
    parts = {"generator": found.generator, "fake_score": found.fake_score}

    def fill(folder: Path) -> None:
        with saying({f"{folder}/": ""}, f"{what}: "):
            for name, network in parts.items():
                if network is not None:
                    _write_network(network, folder / name, own)
                    family_of(model.family).load_network(folder / name)

    name = enter_pair(model, fill, found.t_init, "unet")
    load_manifest(model.folder)
    return model.folder / name


def _refuse_other(config: Mapping[str, Any], own: Mapping[str, Any], what: str) -> None:
    """Refuse a network that makes something else than the base model, whose configuration is ``own``."""
    faults = [
        f"{name} is {shown(config[name])}, the base model's {shown(own.get(name))}"
        for name in ALIKE
        if name in config and config[name] != own.get(name)
    ]
    if faults:
        raise ModelRefused(f"{what}: {'; '.join(faults)}")


def _write_network(network: Network, folder: Path, base: Mapping[str, Any]) -> None:
    folder.mkdir(parents=True)
    _write_json(folder / "config.json", network.config or base)
    weights = {name: w.float() if w.dtype == torch.float64 else w for name, w in network.weights.items()}
    save_tensors(weights, folder / WEIGHTS)


def _write_json(path: Path, value: Mapping[str, Any]) -> None:
    path.write_text(json.dumps(value, indent=2, ensure_ascii=False) + "\n", "utf-8")


@contextmanager
def _unfinished(parent: Path, what: str) -> Iterator[Path]:
    """Yield a new folder in ``parent`` that whoever finishes it renames; it is gone otherwise. ``what``: is made into
    it, and is what a refusal is about."""
    parent.mkdir(parents=True, exist_ok=True)
    folder = fresh_folder(parent)
    try:
        with saying({f"{folder}/": ""}, f"{what}: "):
            yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)
