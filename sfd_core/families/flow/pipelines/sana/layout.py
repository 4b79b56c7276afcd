"""The folder of a ``SanaPipeline``. Plain: importing this does not import torch."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from sfd_core.base_model.config_checks import MAX_LAYERS, MAX_NUMBER, Checked, is_whole
from sfd_core.base_model.configs import read_config
from sfd_core.base_model.layout import SCHEDULER
from sfd_core.base_model.manifest_parts import MAX_SIDE
from sfd_core.errors import ModelRefused
from sfd_core.families.autoencoder_config import AutoencoderKind, check_blocks, latent_channels
from sfd_core.families.flow.pipelines import FlowLayout
from sfd_core.families.flow.scheduler_config import FlowConfig, read_flow_scheduler
from sfd_core.families.text.part_configs import check_fit
from sfd_core.families.text.tokens import gemma_tokenizer

TOKENS = 300
"""Tokens that the pipeline reads of a prompt, with that of its start."""
_CONFIG = "transformer/config.json"
_DEFAULTS = {
    "in_channels": 32,
    "num_attention_heads": 70,
    "attention_head_dim": 32,
    "num_layers": 20,
    "num_cross_attention_heads": 20,
    "cross_attention_head_dim": 112,
    "cross_attention_dim": 2240,
    "caption_channels": 2304,
    "sample_size": 32,
    "patch_size": 1,
}
"""What ``SanaTransformer2DModel`` has where a folder says nothing."""
SIDE = _DEFAULTS["sample_size"]
GEMMA_WIDTH = 2304
"""What ``Gemma2Config`` has where a folder says nothing."""


def check_transformer(folder: Path) -> None:
    """Check ``transformer/config.json``.

    Raises:
        ModelRefused: naming the file and every field that is wrong.
    """
    path = folder / _CONFIG
    checked = Checked(read_config(path))
    most = {"sample_size": MAX_SIDE, "patch_size": 64, "num_layers": MAX_LAYERS, "num_attention_heads": 1024}
    said: dict[str, Any] = {
        name: checked.whole(name, 1, most.get(name, MAX_NUMBER), default) for name, default in _DEFAULTS.items()
    }
    checked.value("out_channels", lambda v: v is None or is_whole(v), "be null or whole", _DEFAULTS["in_channels"])
    checked.value("guidance_embeds", lambda v: v is False, "be false: a SanaPipeline hands no such number on", False)
    checked.unset("interpolation_scale", "the places of patches would be made, and are in no file")
    checked.positive("timestep_scale", 1.0)
    checked.sizes()
    if not checked.faults and said["sample_size"] % said["patch_size"]:
        checked.faults.append(
            f"sample_size is {said['sample_size']}, must be a multiple of patch_size, {said['patch_size']}"
        )
    width = said["num_attention_heads"], said["attention_head_dim"]
    if not checked.faults and said["cross_attention_dim"] != width[0] * width[1]:
        checked.faults.append(
            f"cross_attention_dim is {said['cross_attention_dim']}, must be {width[0] * width[1]}, the tokens' width"
        )
    checked.refuse(path)


def check_scheduler(folder: Path) -> FlowConfig:
    """Check the scheduler: a shift that goes by the size of the picture is nothing that a ``SanaPipeline`` hands on.

    Raises:
        ModelRefused: naming the file and every field that is wrong.
    """
    config = read_flow_scheduler(folder)
    if config.dynamic:
        message = "use_dynamic_shifting is True, must be false: a SanaPipeline does not say how large a picture is"
        raise ModelRefused(f"{folder / SCHEDULER}: {message}")
    return config


def check_autoencoder(folder: Path) -> None:
    """Check ``vae/config.json``: an ``AutoencoderDC`` of RGB pictures.

    Raises:
        ModelRefused: naming the file and every field that is wrong.
    """
    path = folder / "vae" / "config.json"
    checked = Checked(read_config(path))
    check_blocks(checked, "encoder_block_out_channels")
    checked.positive("scaling_factor", 1.0)
    checked.value("in_channels", lambda v: v == 3, "be 3: pictures are RGB", 3)
    checked.sizes()
    checked.refuse(path)


def check_text_encoder(folder: Path) -> None:
    """Check ``text_encoder/config.json``.

    Raises:
        ModelRefused: naming the file and every field that is wrong.
    """
    path = folder / "text_encoder" / "config.json"
    checked = Checked(read_config(path))
    checked.whole("hidden_size", 1, MAX_NUMBER, GEMMA_WIDTH)
    checked.sizes()
    checked.refuse(path)


def check_together(folder: Path) -> None:
    """Refuse checked parts that do not fit each other.

    Raises:
        ModelRefused: naming every field of the transformer that is not what the other parts make.
    """
    channels = latent_channels(folder, DEEP)
    width = int(read_config(folder / "text_encoder" / "config.json").get("hidden_size", GEMMA_WIDTH))
    needed = {
        "in_channels": (channels, _DEFAULTS["in_channels"]),
        "caption_channels": (width, _DEFAULTS["caption_channels"]),
    }
    if read_config(folder / _CONFIG).get("out_channels", channels) is not None:
        needed["out_channels"] = (channels, _DEFAULTS["in_channels"])
    check_fit(folder, "transformer", needed)
    side = LAYOUT.image(folder).height
    if side % 32:
        message = f"sample_size makes pictures of {side} pixels, must make a multiple of 32, as SanaPipeline asks"
        raise ModelRefused(f"{folder / _CONFIG}: {message}")


def _tokens(folder: Path) -> int:
    config = _DEFAULTS | dict(read_config(folder / _CONFIG))
    return int(config["sample_size"] // config["patch_size"]) ** 2


DEEP = AutoencoderKind(check_autoencoder, "encoder_block_out_channels", 32)
"""``AutoencoderDC``, whose latents are only scaled."""
LAYOUT = FlowLayout(
    pipeline="SanaPipeline",
    network="transformer",
    parts={
        "transformer": ("diffusers", "SanaTransformer2DModel"),
        "vae": ("diffusers", "AutoencoderDC"),
        "text_encoder": ("transformers", "Gemma2Model"),
    },
    tokenizers={"tokenizer": gemma_tokenizer(TOKENS)},
    checks=(check_transformer, check_text_encoder),
    together=check_together,
    scheduler=check_scheduler,
    autoencoder=DEEP,
    side=SIDE,
    tokens=_tokens,
)
LAYOUTS = (LAYOUT,)
