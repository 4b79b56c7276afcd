"""A pipeline's weights in one file, by the names that communities share them under: those of the latent-diffusion code
that Stable Diffusion was first published with (Rombach et al. 2022, arXiv 2112.10752)."""

from __future__ import annotations

import re
from pathlib import Path

from safetensors.torch import load_file, save_file
from torch import Tensor

LAYERS, LEVELS = 1, 2
"""Of the tiny pipeline: residual blocks a level on the way down, and levels."""

RESNET = {
    "norm1": "in_layers.0",
    "conv1": "in_layers.2",
    "time_emb_proj": "emb_layers.1",
    "norm2": "out_layers.0",
    "conv2": "out_layers.3",
    "conv_shortcut": "skip_connection",
}
ATTENTION = {"group_norm": "norm", "to_q": "q", "to_k": "k", "to_v": "v", "to_out.0": "proj_out"}


def save_in_one_file(folder: Path, file: Path) -> None:
    """Write all weights of the tiny pipeline in ``folder`` into ``file``."""
    unet, vae, text = (
        load_file(folder / part)
        for part in (
            "unet/diffusion_pytorch_model.safetensors",
            "vae/diffusion_pytorch_model.safetensors",
            "text_encoder/model.safetensors",
        )
    )
    whole = {f"model.diffusion_model.{_unet(name)}": value for name, value in unet.items()}
    whole |= {f"first_stage_model.{_vae(name)}": _as_conv(name, value) for name, value in vae.items()}
    whole |= {f"cond_stage_model.transformer.text_model.{name}": value for name, value in text.items()}
    save_file({name: value.contiguous() for name, value in whole.items()}, file, {"format": "pt"})


def _unet(name: str) -> str:
    last = LEVELS - 1

    def block(match: re.Match[str], base: str, each: int) -> str:
        level, layer = int(match[1]), int(match[3])
        place = level * each + layer + (1 if base == "input" else 0)
        return f"{base}_blocks.{place}.{0 if match[2] == 'resnets' else 1}."

    name = re.sub(r"^down_blocks\.(\d+)\.(resnets|attentions)\.(\d+)\.", lambda m: block(m, "input", LAYERS + 1), name)
    name = re.sub(r"^up_blocks\.(\d+)\.(resnets|attentions)\.(\d+)\.", lambda m: block(m, "output", LAYERS + 1), name)
    name = name.replace("down_blocks.0.downsamplers.0.conv", f"input_blocks.{LAYERS + 1}.0.op")
    # The first level on the way up has no attention here, so that its upsampler is the second part of its block.
    name = name.replace("up_blocks.0.upsamplers.0.conv", f"output_blocks.{last * (LAYERS + 1) - 1}.1.conv")
    for here, there in (
        ("mid_block.resnets.0.", "middle_block.0."),
        ("mid_block.attentions.0.", "middle_block.1."),
        ("mid_block.resnets.1.", "middle_block.2."),
        ("time_embedding.linear_1", "time_embed.0"),
        ("time_embedding.linear_2", "time_embed.2"),
        ("conv_norm_out", "out.0"),
        ("conv_out", "out.2"),
    ):
        name = name.replace(here, there)
    name = "input_blocks.0.0." + name.removeprefix("conv_in.") if name.startswith("conv_in.") else name
    if re.match(r"(input|output)_blocks\.\d+\.0\.|middle_block\.[02]\.", name):
        name = _renamed(name, RESNET)
    return name


def _vae(name: str) -> str:
    name = re.sub(r"encoder\.down_blocks\.(\d+)\.resnets\.(\d+)\.", r"encoder.down.\1.block.\2.", name)
    name = re.sub(r"encoder\.down_blocks\.(\d+)\.downsamplers\.0\.", r"encoder.down.\1.downsample.", name)
    up = re.compile(r"decoder\.up_blocks\.(\d+)\.")
    name = up.sub(lambda match: f"decoder.up.{LEVELS - 1 - int(match[1])}.", name)
    name = re.sub(r"(decoder\.up\.\d+)\.resnets\.", r"\1.block.", name).replace(".upsamplers.0.", ".upsample.")
    name = name.replace("mid_block.resnets.0", "mid.block_1").replace("mid_block.resnets.1", "mid.block_2")
    if "mid_block.attentions.0" in name:
        name = _renamed(name.replace("mid_block.attentions.0", "mid.attn_1"), ATTENTION)
    return name.replace("conv_norm_out", "norm_out").replace("conv_shortcut", "nin_shortcut")


def _renamed(name: str, names: dict[str, str]) -> str:
    for here, there in names.items():
        if f".{here}." in name:
            return name.replace(f".{here}.", f".{there}.")
    return name


def _as_conv(name: str, value: Tensor) -> Tensor:
    """Attention of the autoencoder was by convolutions of one pixel."""
    linear = re.search(r"attentions\.0\.(to_q|to_k|to_v|to_out\.0)\.weight", name) is not None
    return value[:, :, None, None] if linear else value
