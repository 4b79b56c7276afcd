"""The folder of a ``StableDiffusion3Pipeline``, with its third text encoder (a T5) or without. Plain: importing this
does not import torch."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

from sfd_core.base_model.config_checks import MAX_LAYERS, Checked, is_whole
from sfd_core.base_model.configs import read_config
from sfd_core.base_model.manifest_parts import MAX_SIDE
from sfd_core.families.autoencoder_config import SHIFTED, latent_channels
from sfd_core.families.flow.pipelines import FlowLayout
from sfd_core.families.flow.scheduler_config import read_flow_scheduler
from sfd_core.families.text.part_configs import check_clip, check_fit, check_t5, clip_number, t5_width
from sfd_core.families.text.tokens import CLIP, t5_tokenizer

CLIPS, T5_ENCODER = ("text_encoder", "text_encoder_2"), "text_encoder_3"
T5_TOKENS = 256
"""Tokens that the pipeline reads of a prompt for the third text encoder."""
_CONFIG = "transformer/config.json"
MAX_PLACES = 1024
"""Patches along an edge that a network has places for. Stable Diffusion 3.5 has 384."""
_DEFAULTS = {
    "sample_size": 128,
    "patch_size": 2,
    "in_channels": 16,
    "num_layers": 18,
    "attention_head_dim": 64,
    "num_attention_heads": 18,
    "joint_attention_dim": 4096,
    "caption_projection_dim": 1152,
    "pooled_projection_dim": 2048,
    "pos_embed_max_size": 96,
}
"""What ``SD3Transformer2DModel`` has where a folder says nothing."""


def check_transformer(folder: Path) -> None:
    """Check ``transformer/config.json``.

    Raises:
        ModelRefused: naming the file and every field that is wrong.
    """
    path = folder / _CONFIG
    checked = Checked(read_config(path))
    most = {
        "sample_size": MAX_SIDE,
        "patch_size": 64,
        "num_layers": MAX_LAYERS,
        "attention_head_dim": 1024,
        "num_attention_heads": 1024,
        "pos_embed_max_size": MAX_PLACES,
    }
    said: dict[str, Any] = {
        name: checked.whole(name, 1, most.get(name, 1 << 20), default) for name, default in _DEFAULTS.items()
    }
    checked.value("out_channels", lambda v: v is None or is_whole(v), "be null or whole", _DEFAULTS["in_channels"])
    checked.sizes()
    if not checked.faults:
        _check_sides(checked, said)
    checked.refuse(path)


def _check_sides(checked: Checked, said: dict[str, int]) -> None:
    """What is right by itself, and wrong beside another field."""
    side, patch, places = (said[name] for name in ("sample_size", "patch_size", "pos_embed_max_size"))
    width = said["attention_head_dim"] * said["num_attention_heads"]
    if side % patch:
        checked.faults.append(f"sample_size is {side}, must be a multiple of patch_size, {patch}")
    if side // patch > places:
        checked.faults.append(f"sample_size is {side}: {side // patch} patches, pos_embed_max_size has {places} places")
    if (found := said["caption_projection_dim"]) != width:
        checked.faults.append(f"caption_projection_dim is {found}, must be {width}, the width of the tokens")
    if width % 4:
        checked.faults.append(f"num_attention_heads and attention_head_dim make {width} channels, no multiple of 4")


def check_together(folder: Path, t5: bool) -> None:
    """Refuse checked parts that do not fit each other. ``t5``: there is a third text encoder.

    Raises:
        ModelRefused: naming every field of the transformer that is not what the other parts make.
    """
    channels = latent_channels(folder, SHIFTED)
    needed = {
        "in_channels": (channels, _DEFAULTS["in_channels"]),
        "pooled_projection_dim": (
            sum(clip_number(folder, "projection_dim", encoder) for encoder in CLIPS),
            _DEFAULTS["pooled_projection_dim"],
        ),
    }
    if read_config(folder / _CONFIG).get("out_channels", channels) is not None:
        needed["out_channels"] = (channels, _DEFAULTS["in_channels"])
    if t5:
        needed["joint_attention_dim"] = (t5_width(folder, T5_ENCODER), _DEFAULTS["joint_attention_dim"])
    widths = sum(clip_number(folder, "hidden_size", encoder) for encoder in CLIPS)
    check_fit(folder, "transformer", needed, {"joint_attention_dim": (widths, _DEFAULTS["joint_attention_dim"])})


def _tokens(folder: Path) -> int:
    config = _DEFAULTS | dict(read_config(folder / _CONFIG))
    return int(config["sample_size"] // config["patch_size"]) ** 2


_CHECKS: tuple[Callable[[Path], object], ...] = (
    check_transformer,
    *(partial(check_clip, encoder=encoder) for encoder in CLIPS),
)
_WITHOUT_T5 = FlowLayout(
    pipeline="StableDiffusion3Pipeline",
    network="transformer",
    parts={
        "transformer": ("diffusers", "SD3Transformer2DModel"),
        "vae": ("diffusers", "AutoencoderKL"),
        **dict.fromkeys(CLIPS, ("transformers", "CLIPTextModelWithProjection")),
    },
    tokenizers={"tokenizer": CLIP, "tokenizer_2": CLIP},
    checks=_CHECKS,
    together=partial(check_together, t5=False),
    scheduler=read_flow_scheduler,
    autoencoder=SHIFTED,
    without=(T5_ENCODER,),
    side=_DEFAULTS["sample_size"],
    tokens=_tokens,
)
_WITH_T5 = dataclasses.replace(
    _WITHOUT_T5,
    parts={**_WITHOUT_T5.parts, T5_ENCODER: ("transformers", "T5EncoderModel")},
    tokenizers={**_WITHOUT_T5.tokenizers, "tokenizer_3": t5_tokenizer(T5_TOKENS)},
    checks=(*_CHECKS, partial(check_t5, encoder=T5_ENCODER)),
    together=partial(check_together, t5=True),
    without=(),
)
LAYOUTS = (_WITHOUT_T5, _WITH_T5)
