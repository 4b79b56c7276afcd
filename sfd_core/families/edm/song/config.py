"""What the ``config.json`` of a ``SongUNet`` says, every field of it checked before a network is made of it. Plain:
importing this does not import torch."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from sfd_core.base_model.config_checks import Checked, is_whole
from sfd_core.base_model.configs import read_config
from sfd_core.base_model.manifest import MAX_CONCEPTS
from sfd_core.base_model.manifest_parts import MAX_SIDE

NETWORK = "SongUNet"
MAX_WIDTH = 8192
"""Channels of ``model_channels``. The published networks have 128 to 256."""
MAX_FACTOR = 64
MAX_LEVELS = 10
MAX_BLOCKS = 64
MAX_EDGE = 128
"""Pixels along the edge of what attends, each to each: 16 384. The published networks attend at 16."""
FIELDS = (
    "sample_size",
    "in_channels",
    "out_channels",
    "num_class_embeds",
    "model_channels",
    "channel_mult",
    "channel_mult_emb",
    "num_blocks",
    "attn_resolutions",
)


def check_song_unet(folder: Path, concepts: int | None = None) -> None:
    """Check ``unet/config.json`` of a model's folder. ``concepts``: how many classes it must have, where that is known.

    Raises:
        ModelRefused: naming the file and every field that is wrong.
    """
    read_song_unet(folder / "unet", concepts)


def read_song_unet(folder: Path, concepts: int | None = None) -> dict[str, Any]:
    """Read the ``config.json`` of a network. ``concepts``: as above.

    Raises:
        ModelRefused: naming the file and every field that is wrong.
    """
    path = folder / "config.json"
    config = read_config(path)
    checked = Checked(config)
    checked.value("_class_name", lambda v: v == NETWORK, f"be {NETWORK!r}")
    size = checked.whole("sample_size", 1, MAX_SIDE)
    channels = checked.whole("in_channels", 1, MAX_SIDE)
    checked.value("out_channels", lambda v: v == channels, f"be {channels}, as in_channels")
    if concepts is None:
        checked.whole("num_class_embeds", 2, MAX_CONCEPTS)
    else:
        checked.value("num_class_embeds", lambda v: is_whole(v) and v == concepts, f"be {concepts}, one a concept")
    must = f"be 4 to {MAX_WIDTH}, a multiple of 4: of so many channels are its groups"
    checked.value("model_channels", lambda v: is_whole(v) and 4 <= v <= MAX_WIDTH and v % 4 == 0, must)
    must = f"be 1 to {MAX_LEVELS} whole numbers from 1 to {MAX_FACTOR}"
    multipliers = checked.value("channel_mult", _wholes(1, MAX_LEVELS, MAX_FACTOR), must)
    checked.whole("channel_mult_emb", 1, MAX_FACTOR)
    checked.whole("num_blocks", 1, MAX_BLOCKS)
    must = f"be at most {MAX_LEVELS} whole numbers from 1 to {MAX_EDGE}"
    checked.value("attn_resolutions", _wholes(0, MAX_LEVELS, MAX_EDGE), must)
    checked.faults += [
        f"{name} is no field of a {NETWORK}, must be left out"
        for name in sorted(config)
        if not name.startswith("_") and name not in FIELDS
    ]
    if not checked.faults:
        _check_edges(checked, size, len(multipliers))
    checked.refuse(path)
    return config


def _check_edges(checked: Checked, size: int, levels: int) -> None:
    """The lowest level always attends."""
    halved = 2 ** (levels - 1)
    if size % halved:
        checked.faults.append(f"sample_size is {size}, must be a multiple of {halved}: there are {levels} levels")
    elif size // halved > MAX_EDGE:
        most = MAX_EDGE * halved
        checked.faults.append(f"sample_size is {size}, must be at most {most}: the lowest of {levels} levels attends")


def _wholes(fewest: int, most: int, largest: int) -> Callable[[object], bool]:
    """Whether a value is a list of ``fewest`` to ``most`` whole numbers from 1 to ``largest``."""
    return lambda value: (
        isinstance(value, list)
        and fewest <= len(value) <= most
        and all(is_whole(number) and 1 <= number <= largest for number in value)
    )
