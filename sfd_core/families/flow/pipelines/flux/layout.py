"""The folder of a ``FluxPipeline``. Plain: importing this does not import torch.

Its own configurations do not say how large its pictures are: the pipeline draws 128 x 128 latents where it is asked for
nothing else. Here a ``sample_size`` in ``transformer/config.json`` may say another number.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from sfd_core.base_model.config_checks import MAX_LAYERS, MAX_NUMBER, Checked, is_whole
from sfd_core.base_model.configs import read_config
from sfd_core.base_model.manifest_parts import MAX_SIDE
from sfd_core.families.autoencoder_config import SHIFTED, latent_channels
from sfd_core.families.flow.pipelines import FlowLayout
from sfd_core.families.flow.scheduler_config import read_flow_scheduler
from sfd_core.families.text.part_configs import check_clip, check_fit, check_t5, clip_number, t5_width
from sfd_core.families.text.tokens import CLIP, t5_tokenizer

CLIP_ENCODER, T5_ENCODER, T5_TOKENIZER = "text_encoder", "text_encoder_2", "tokenizer_2"
T5_TOKENS = 512
"""Tokens that the pipeline reads of a prompt for the T5."""
CELLS = 4
"""Latents, two by two, that are one token to the network."""
SIDE = 128
"""Latents along an edge, where nothing says how many."""
_CONFIG = "transformer/config.json"
_DEFAULTS = {
    "patch_size": 1,
    "in_channels": 64,
    "num_layers": 19,
    "num_single_layers": 38,
    "attention_head_dim": 128,
    "num_attention_heads": 24,
    "joint_attention_dim": 4096,
    "pooled_projection_dim": 768,
}
"""What ``FluxTransformer2DModel`` has where a folder says nothing."""
_AXES = [16, 56, 56]


def check_transformer(folder: Path) -> None:
    """Check ``transformer/config.json``.

    Raises:
        ModelRefused: naming the file and every field that is wrong.
    """
    path = folder / _CONFIG
    checked = Checked(read_config(path))
    most = {
        "num_layers": MAX_LAYERS,
        "num_single_layers": MAX_LAYERS,
        "attention_head_dim": 1024,
        "num_attention_heads": 1024,
    }
    said: dict[str, Any] = {
        name: checked.whole(name, 1, most.get(name, MAX_NUMBER), default) for name, default in _DEFAULTS.items()
    }
    checked.value("patch_size", lambda v: v == 1, "be 1: latents are packed by the pipeline", 1)
    checked.flag("guidance_embeds", False)
    even = f"be an even number from 2 to {MAX_SIDE}: latents are packed two by two"
    checked.value("sample_size", lambda v: is_whole(v) and 2 <= v <= MAX_SIDE and v % 2 == 0, even, SIDE)
    checked.value("out_channels", lambda v: v in (None, said["in_channels"]), "be null or in_channels", None)
    must = "be three even numbers that add up to attention_head_dim"
    checked.value("axes_dims_rope", lambda v: _are_axes(v, said["attention_head_dim"]), must, _AXES)
    checked.sizes()
    checked.refuse(path)


def _are_axes(value: object, head: object) -> bool:
    if not isinstance(value, list) or len(value) != len(_AXES) or not all(map(is_whole, value)):
        return False
    return all(axis > 0 and axis % 2 == 0 for axis in value) and sum(value) == head


def check_together(folder: Path) -> None:
    """Refuse checked parts that do not fit each other.

    Raises:
        ModelRefused: naming every field of the transformer that is not what the other parts make.
    """
    made = {
        "in_channels": CELLS * latent_channels(folder, SHIFTED),
        "joint_attention_dim": t5_width(folder, T5_ENCODER),
        "pooled_projection_dim": clip_number(folder, "hidden_size", CLIP_ENCODER),
    }
    check_fit(folder, "transformer", {name: (wanted, _DEFAULTS[name]) for name, wanted in made.items()})


def guides_itself(folder: Path) -> bool:
    """Say whether the network takes the strength of guidance as a number (FLUX.1 dev), or not (FLUX.1 schnell)."""
    return read_config(folder / _CONFIG).get("guidance_embeds", False) is True


def _tokens(folder: Path) -> int:
    return int(int(read_config(folder / _CONFIG).get("sample_size", SIDE)) ** 2 // CELLS)


LAYOUT = FlowLayout(
    pipeline="FluxPipeline",
    network="transformer",
    parts={
        "transformer": ("diffusers", "FluxTransformer2DModel"),
        "vae": ("diffusers", "AutoencoderKL"),
        CLIP_ENCODER: ("transformers", "CLIPTextModel"),
        T5_ENCODER: ("transformers", "T5EncoderModel"),
    },
    tokenizers={"tokenizer": CLIP, T5_TOKENIZER: t5_tokenizer(T5_TOKENS)},
    checks=(
        check_transformer,
        check_clip,
        lambda folder: check_t5(folder, T5_ENCODER),
    ),
    together=check_together,
    scheduler=read_flow_scheduler,
    autoencoder=SHIFTED,
    side=SIDE,
    guides_itself=guides_itself,
    tokens=_tokens,
    even=True,
)
LAYOUTS = (LAYOUT,)
