"""Models in: weights by safetensors only, configurations as JSON against an allow-list, sizes checked from the headers
before anything large is allocated. Nothing of a model's folder is ever executed."""

from __future__ import annotations

import inspect
import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import torch
from diffusers import UNet2DModel
from safetensors import SafetensorError, safe_open
from safetensors.torch import load_file
from torch import nn

from sfd_core.errors import ModelRefused
from sfd_core.manifest import BaseModel, verify_files
from sfd_core.noise import Schedule, UnsupportedSchedule, schedule_from_config

MAX_CONFIG_BYTES = 1 << 20
MAX_WEIGHTS_BYTES = 20 << 30
M = TypeVar("M", bound=nn.Module)
WEIGHTS = "diffusion_pytorch_model.safetensors"
_DTYPES = {"F32", "F16", "BF16", "I64"}


@dataclass(frozen=True)
class LoadedBase:
    """A base model in memory: its manifest, the teacher's network on the CPU in float32, and its schedule."""

    model: BaseModel
    unet: UNet2DModel
    schedule: Schedule


def load_base(model: BaseModel) -> LoadedBase:
    """Verify every file of ``model`` against its manifest and load the teacher.

    Raises:
        ModelRefused: naming the file and what is wrong with it.
    """
    verify_files(model)
    unet = load_unet(model.folder / "unet")
    cells = model.image.channels * model.image.patch**2
    if unet.config.in_channels != cells or unet.config.out_channels != cells:
        raise ModelRefused(
            f"{model.folder / 'unet'}: {unet.config.in_channels} channels in and {unet.config.out_channels} out, "
            f"the manifest's image and patch make {cells}"
        )
    if unet.config.num_class_embeds != len(model.concepts):
        raise ModelRefused(
            f"{model.folder / 'unet'}: {unet.config.num_class_embeds} class embeddings, "
            f"the manifest names {len(model.concepts)} concepts"
        )
    path = model.folder / "scheduler" / "scheduler_config.json"
    try:
        schedule = schedule_from_config(read_config(path))
    except (UnsupportedSchedule, KeyError, TypeError) as error:
        raise ModelRefused(f"{path}: {error}") from None
    return LoadedBase(model, unet, schedule)


def read_config(path: Path) -> dict[str, Any]:
    """A JSON object from a file of at most 1 MiB that is not a link out of its folder."""
    _inside(path)
    try:
        if path.stat().st_size > MAX_CONFIG_BYTES:
            raise ModelRefused(f"{path}: larger than {MAX_CONFIG_BYTES} bytes")
        config = json.loads(path.read_text("utf-8"))
    except (OSError, UnicodeDecodeError, json.JSONDecodeError, RecursionError) as error:
        raise ModelRefused(f"{path}: not readable as JSON: {error}") from None
    if not isinstance(config, dict):
        raise ModelRefused(f"{path}: must be a JSON object")
    if "auto_map" in config:
        raise ModelRefused(f"{path}: auto_map asks for code of its own to be run; such models are refused")
    return config


def load_unet(folder: Path) -> UNet2DModel:
    """A ``UNet2DModel`` in float32 on the CPU from ``config.json`` and one safetensors file.

    The network is built without storage first, and the header's names, shapes and types are held against it, so a
    file that does not fit is refused before its weights are read.

    Raises:
        ModelRefused: naming the file and what is wrong with it.
    """
    path = folder / "config.json"
    config = read_config(path)
    if config.get("_class_name") != "UNet2DModel":
        raise ModelRefused(f"{path}: _class_name is {config.get('_class_name')!r}, must be 'UNet2DModel'")
    allowed = set(inspect.signature(UNet2DModel.__init__).parameters) - {"self"}
    arguments = {name: value for name, value in config.items() if not name.startswith("_")}
    if unknown := sorted(set(arguments) - allowed):
        raise ModelRefused(f"{path}: unknown fields: {', '.join(unknown)}")
    try:
        with torch.device("meta"):
            empty = UNet2DModel(**arguments)
    except Exception as error:  # noqa: BLE001 - whatever a hostile configuration provokes is a refusal
        raise ModelRefused(f"{path}: no UNet2DModel can be built from it: {error}") from None
    return load_weights(empty, folder / WEIGHTS)


def load_weights(empty: M, path: Path) -> M:
    """Fill ``empty`` (on the meta device) from a safetensors file, in float32.

    Raises:
        ModelRefused: for a file that is too large, truncated or not safetensors, for names, shapes or types that
            are not the network's, and for weights that are not finite.
    """
    check_header(path, {name: tuple(value.shape) for name, value in empty.state_dict().items()})
    weights = {name: value.float() for name, value in load_file(path).items()}
    for name, value in weights.items():
        if not bool(torch.isfinite(value).all()):
            raise ModelRefused(f"{path}: {name} holds NaN or infinite weights")
    empty.load_state_dict(weights, strict=True, assign=True)
    return empty


def check_header(path: Path, shapes: dict[str, tuple[int, ...]]) -> None:
    """Hold a safetensors file's header against the expected names and shapes, without reading a weight."""
    _inside(path)
    if not path.is_file():
        raise ModelRefused(f"{path}: no such file (weights are read from safetensors only)")
    if path.stat().st_size > MAX_WEIGHTS_BYTES:
        raise ModelRefused(f"{path}: larger than {MAX_WEIGHTS_BYTES} bytes")
    try:
        with safe_open(path, framework="pt") as file:
            found = {name: file.get_slice(name) for name in file.keys()}  # noqa: SIM118 - not a mapping
            kinds = {name: (tuple(piece.get_shape()), piece.get_dtype()) for name, piece in found.items()}
    except (SafetensorError, OSError) as error:
        raise ModelRefused(f"{path}: not a readable safetensors file: {error}") from None
    if missing := sorted(set(shapes) - set(kinds)):
        raise ModelRefused(f"{path}: {len(missing)} weights are missing, the first is {missing[0]}")
    if extra := sorted(set(kinds) - set(shapes)):
        raise ModelRefused(f"{path}: {len(extra)} weights are not the network's, the first is {extra[0]}")
    for name, (shape, dtype) in kinds.items():
        if shape != shapes[name]:
            raise ModelRefused(f"{path}: {name} has shape {list(shape)}, the network needs {list(shapes[name])}")
        if dtype not in _DTYPES:
            raise ModelRefused(f"{path}: {name} is {dtype}; {', '.join(sorted(_DTYPES))} are read")


def _inside(path: Path) -> None:
    """Refuse a link that leaves the folder it stands in."""
    if path.is_symlink() and not path.resolve().is_relative_to(Path(os.path.realpath(path.parent))):
        raise ModelRefused(f"{path}: a link that leaves its folder")
