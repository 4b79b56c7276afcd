"""Networks of a model's folder, in: weights by safetensors only, configurations against an allow-list, sizes checked
from the headers before anything large is allocated. Nothing of a folder is ever executed."""

from __future__ import annotations

import inspect
import itertools
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

import torch
from diffusers import UNet2DModel
from safetensors import SafetensorError, safe_open
from safetensors.torch import load_file
from torch import Tensor, nn
from torch.nn.modules.module import register_module_module_registration_hook

from sfd_core.base_model.config_checks import check_sizes
from sfd_core.base_model.configs import CONFIG, check_class, read_config, refuse_link_out
from sfd_core.base_model.layout import MAX_WEIGHTS_BYTES
from sfd_core.errors import ModelRefused

M = TypeVar("M", bound=nn.Module)
WEIGHTS = "diffusion_pytorch_model.safetensors"
MAX_MODULES = 5000
"""Modules of one network: Stable Diffusion XL, which has the most of those that are read, has 1925."""
_DTYPES = {"F32", "F16", "BF16", "I64"}


def load_unet(folder: Path, kind: type[Any] = UNet2DModel) -> Any:
    """Load a U-Net of this kind in float32 on the CPU from ``config.json`` and one safetensors file.

    Raises:
        ModelRefused: as :func:`load_network`.
    """
    check_class(folder, "diffusers", kind.__name__)
    return load_network(folder, kind, read_config(folder / CONFIG))


def load_network(folder: Path, kind: type[Any], config: Mapping[str, Any]) -> Any:
    """Load a network of this kind in float32 on the CPU from one safetensors file. ``config``: what the folder's
    ``config.json`` says, in the words of ``kind``.

    The network is built without storage first, and the header's names, shapes and types are held against it, so a
    file that does not fit is refused before its weights are read. Buffers that no file has stay without storage.

    Raises:
        ModelRefused: naming the file and what is wrong with it.
    """
    path = folder / CONFIG
    allowed = set(inspect.signature(kind.__init__).parameters) - {"self"}
    arguments = {name: value for name, value in config.items() if not name.startswith("_")}
    if unknown := sorted(set(arguments) - allowed):
        raise ModelRefused(f"{path}: unknown fields: {', '.join(unknown)}")
    check_sizes(path, config)
    try:
        with without_storage():
            empty = kind(**arguments)
    except Exception as error:  # noqa: BLE001 - whatever a hostile configuration provokes is a refusal
        raise ModelRefused(f"{path}: no {kind.__name__} can be built from it: {error}") from None
    return load_weights(empty, folder / WEIGHTS)


def load_weights(empty: M, path: Path) -> M:
    """Fill ``empty`` (on the meta device) from a safetensors file, in float32.

    Raises:
        ModelRefused: for a file that is too large, truncated or not safetensors, for names, shapes or types that
            are not the network's, and for weights that are not finite.
    """
    check_header(path, {name: tuple(value.shape) for name, value in empty.state_dict().items()})
    weights = {name: value.float() for name, value in load_file(path).items()}
    check_finite(weights, path)
    empty.load_state_dict(weights, strict=True, assign=True)
    return empty


def check_header(path: Path, shapes: dict[str, tuple[int, ...]]) -> None:
    """Hold a safetensors file's header against the expected names and shapes, without reading a weight."""
    kinds = check_readable(path)
    others = [(name, shape, shapes[name]) for name, (shape, _) in kinds.items() if shape != shapes.get(name, shape)]
    check_names(set(shapes) - set(kinds), set(kinds) - set(shapes), others, path)


def check_names(
    missing: Collection[str],
    extra: Collection[str],
    others: Collection[tuple[str, Sequence[int], Sequence[int]]],
    path: Path,
) -> None:
    """Refuse weights of ``path`` that are not the network's. ``others``: the name of each of another shape, with that
    and the network's.

    Raises:
        ModelRefused: naming the first.
    """
    if missing:
        raise ModelRefused(f"{path}: {len(missing)} weights are missing, the first is {min(missing)}")
    if extra:
        raise ModelRefused(f"{path}: {len(extra)} weights are not the network's, the first is {min(extra)}")
    for name, shape, needed in others:
        raise ModelRefused(f"{path}: {name} has shape {list(shape)}, the network needs {list(needed)}")


def check_readable(path: Path) -> dict[str, tuple[tuple[int, ...], str]]:
    """Read the shape and type of every weight by name, from the header of a safetensors file of bearable size.

    Raises:
        ModelRefused: for a file that is missing, too large, truncated or not safetensors, or of types that are not
            read.
    """
    refuse_link_out(path)
    if not path.is_file():
        raise ModelRefused(f"{path}: no such file (weights are read from safetensors only)")
    if (index := path.with_name(f"{path.name}.index.json")).exists():
        raise ModelRefused(f"{index}: libraries read the files that it names in place of {path.name}: take it away")
    return read_header(path)


def read_header(path: Path) -> dict[str, tuple[tuple[int, ...], str]]:
    """Read the same of a file that may be a link, as a hub's cache is made of.

    Raises:
        ModelRefused: as :func:`check_readable`.
    """
    if not path.is_file():
        raise ModelRefused(f"{path}: not a plain file")
    if path.stat().st_size > MAX_WEIGHTS_BYTES:
        raise ModelRefused(f"{path}: larger than {MAX_WEIGHTS_BYTES} bytes")
    try:
        with safe_open(path, framework="pt") as file:
            found = {name: file.get_slice(name) for name in file.keys()}  # noqa: SIM118 - not a mapping
            kinds = {name: (tuple(piece.get_shape()), piece.get_dtype()) for name, piece in found.items()}
    except (SafetensorError, OSError) as error:
        raise ModelRefused(f"{path}: not a readable safetensors file: {error}") from None
    for name, (_, dtype) in kinds.items():
        if dtype not in _DTYPES:
            raise ModelRefused(f"{path}: {name} is {dtype}; {', '.join(sorted(_DTYPES))} are read")
    return kinds


def check_finite(weights: Mapping[str, Tensor], path: Path) -> None:
    """Refuse ``weights``, read from ``path``, that are not finite.

    Raises:
        ModelRefused: naming the first of them.
    """
    for name, value in weights.items():
        if not bool(torch.isfinite(value).all()):
            raise ModelRefused(f"{path}: {name} holds NaN or infinite weights")


@contextmanager
def without_storage() -> Iterator[None]:
    """Have networks built on the meta device, and none of too many modules; see :func:`few_modules`."""
    with few_modules(), torch.device("meta"):
        yield


@contextmanager
def few_modules() -> Iterator[None]:
    """Have no network built of more than ``MAX_MODULES``: whichever number of a configuration asks for them, they would
    fill the memory without a weight.

    Raises:
        ModelRefused: once there are more.
    """
    built = itertools.count(1)

    def registered(*_: Any) -> None:
        if next(built) > MAX_MODULES:
            raise ModelRefused(f"it has more than {MAX_MODULES} modules")

    hook = register_module_module_registration_hook(registered)
    try:
        yield
    finally:
        hook.remove()
