"""What the configurations of text-to-image parts say, as far as several families read them: values that there is no use
for, or that nothing could be made of, are refused before weights are fetched or read. Plain: importing this does not
import torch."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from sfd_core.base_model.config_checks import MAX_NUMBER, Checked, shown
from sfd_core.base_model.configs import read_config
from sfd_core.base_model.manifest_parts import MAX_SIDE

CLIP_WIDTH, T5_WIDTH = 512, 512
"""What ``CLIPTextConfig`` and ``T5Config`` have where a folder says nothing."""


def checked_unet(folder: Path) -> Checked:
    """Check what every ``unet/config.json`` must say here, of a U-Net over square latents: sizes, and no condition that
    no prompt gives. The faults are with what is returned.

    Raises:
        ModelRefused: for a file that cannot be read.
    """
    checked = Checked(read_config(folder / "unet" / "config.json"))
    checked.whole("sample_size", 1, MAX_SIDE)
    checked.whole("cross_attention_dim", 1, MAX_NUMBER)
    for name in ("class_embed_type", "num_class_embeds", "encoder_hid_dim", "encoder_hid_dim_type"):
        checked.unset(name, "the U-Net is asked by prompts and times alone")
    checked.unset("time_cond_proj_dim", "the U-Net is asked by prompts and times alone")
    checked.sizes()
    return checked


def check_clip(folder: Path, encoder: str = "text_encoder") -> None:
    """Check the ``config.json`` of one of CLIP's text encoders.

    Raises:
        ModelRefused: naming the file and every field that is wrong.
    """
    path = folder / encoder / "config.json"
    checked = Checked(read_config(path))
    checked.whole("max_position_embeddings", 3, 4096, 77)
    checked.whole("hidden_size", 1, MAX_NUMBER, CLIP_WIDTH)
    checked.whole("projection_dim", 1, MAX_NUMBER, CLIP_WIDTH)
    checked.sizes()
    checked.refuse(path)


def check_t5(folder: Path, encoder: str) -> None:
    """Check the ``config.json`` of a T5.

    Raises:
        ModelRefused: naming the file and every field that is wrong.
    """
    path = folder / encoder / "config.json"
    checked = Checked(read_config(path))
    checked.whole("d_model", 1, MAX_NUMBER, T5_WIDTH)
    checked.sizes()
    checked.refuse(path)


def t5_width(folder: Path, encoder: str) -> int:
    """Return the width of the states of a checked T5."""
    return int(read_config(folder / encoder / "config.json").get("d_model", T5_WIDTH))


def clip_number(folder: Path, name: str, encoder: str = "text_encoder") -> int:
    """Return the ``hidden_size`` or ``projection_dim`` of a checked text encoder."""
    return int(read_config(folder / encoder / "config.json").get(name, CLIP_WIDTH))


def check_fit(
    folder: Path,
    network: str,
    needed: Mapping[str, tuple[int, int]],
    least: Mapping[str, tuple[int, int]] | None = None,
) -> None:
    """Refuse a network whose sizes are not those of what it is given. ``needed``: by field of its configuration, the
    number that the other parts make, and what the class has where the field is missing; ``least``: the same of numbers
    that may be larger.

    Raises:
        ModelRefused: naming every field that is another.
    """
    path = folder / network / "config.json"
    checked = Checked(read_config(path))
    for name, (wanted, default) in needed.items():
        if (found := checked.config.get(name, default)) != wanted:
            checked.faults.append(f"{name} is {shown(found)}, the other parts make {wanted}")
    for name, (wanted, default) in (least or {}).items():
        if (found := checked.config.get(name, default)) < wanted:
            checked.faults.append(f"{name} is {shown(found)}, the other parts make {wanted}")
    checked.refuse(path)
