"""What the configuration of a diffusion transformer says, every field of it checked: values that the family has no use
for, or that nothing could be made of, are refused before weights are read. Plain: importing this does not import
torch."""

from __future__ import annotations

from functools import partial
from operator import eq
from pathlib import Path
from typing import Any

from sfd_core.base_model.config_checks import MAX_LAYERS, Checked, is_number, is_whole, shown
from sfd_core.base_model.configs import read_config
from sfd_core.base_model.manifest import MAX_CONCEPTS
from sfd_core.base_model.manifest_parts import MAX_SIDE

NETWORK, EARLIER = "DiTTransformer2DModel", "Transformer2DModel"
SAMPLE_SIZE = 32
"""Latents along an edge, where the file says nothing."""
CHANNELS = 4
"""Of the latents, where it does not say how many."""
CLASSES = 1000
"""Where it does not say how many."""
MAX_WIDTH = 16_384
"""Channels of a token. DiT-XL has 1152."""
MAX_TOKENS = 1 << 14
"""Patches of an image: 128 x 128. DiT-XL at 512 pixels has 1024. Their places are made, not read."""
_ACTIVATIONS = ("gelu", "gelu-approximate", "geglu", "geglu-approximate", "swiglu", "linear-silu")
_OF_EARLIER = {
    "num_vector_embeds": None,
    "cross_attention_dim": None,
    "only_cross_attention": False,
    "double_self_attention": False,
    "use_linear_projection": False,
    "attention_type": "default",
    "caption_channels": None,
    "interpolation_scale": None,
    "use_additional_conditions": None,
}
"""What a ``Transformer2DModel`` can be and a DiT is not."""


def read_transformer(folder: Path, concepts: int | None = None) -> dict[str, Any]:
    """Read the ``config.json`` of a network that knows so many ``concepts`` (None: any number) and a null class, in the
    words of ``DiTTransformer2DModel`` whichever of its two names it has.

    Raises:
        ModelRefused: naming the file and every field that is wrong.
    """
    path = folder / "config.json"
    config = read_config(path)
    checked = Checked(config)
    checked.value("_class_name", lambda v: v in (NETWORK, EARLIER), f"be {NETWORK!r}")
    heads = checked.whole("num_attention_heads", 1, 1024, 16)
    width = checked.whole("attention_head_dim", 1, 1024, 72)
    channels = checked.whole("in_channels", 1, 1024, CHANNELS)
    side = checked.whole("sample_size", 1, MAX_SIDE, SAMPLE_SIZE)
    patch = checked.whole("patch_size", 1, 64, 2)
    checked.whole("num_layers", 1, MAX_LAYERS, 28)
    if concepts is None:
        checked.whole("num_embeds_ada_norm", 2, MAX_CONCEPTS, CLASSES)
    else:
        must = f"be {concepts}, one a concept; the null class is one more"
        checked.value("num_embeds_ada_norm", lambda v: is_whole(v) and v == concepts, must, CLASSES)
    # By its earlier name it is other networks too, and this is what says that it is a DiT.
    said = {} if config.get("_class_name") == EARLIER else {"default": "ada_norm_zero"}
    checked.value("norm_type", lambda v: v == "ada_norm_zero", "be 'ada_norm_zero'", **said)
    checked.value("activation_fn", _ACTIVATIONS.__contains__, f"be one of {', '.join(_ACTIVATIONS)}", _ACTIVATIONS[1])
    checked.value("dropout", lambda v: is_number(v) and 0 <= v < 1, "be at least 0 and below 1", 0.0)
    checked.positive("norm_eps", 1e-5)
    checked.whole("norm_num_groups", 1, MAX_WIDTH, 32)
    for name, default in (("attention_bias", True), ("upcast_attention", False), ("norm_elementwise_affine", False)):
        checked.flag(name, default)
    for name, unused in _OF_EARLIER.items():
        checked.value(name, partial(eq, unused), f"be {shown(unused)}: this is another kind", unused)
    if not checked.faults:
        _check_together(checked, heads * width, channels, side, patch)
    checked.refuse(path)
    return {name: value for name, value in config.items() if name not in _OF_EARLIER}


def _check_together(checked: Checked, width: int, channels: int, side: int, patch: int) -> None:
    """What is right by itself, and wrong beside another field."""
    checked.value(
        "out_channels",
        lambda v: v is None or (is_whole(v) and v in (channels, 2 * channels)),
        f"be null, {channels} or, with a learned range, {2 * channels}",
        None,
    )
    if width > MAX_WIDTH or width % 4:
        checked.faults.append(
            f"num_attention_heads and attention_head_dim make tokens of {width} channels, must be at most {MAX_WIDTH} "
            "and a multiple of 4"
        )
    if side % patch:
        checked.faults.append(f"sample_size is {side}, must be a multiple of patch_size, {patch}")
    elif (side // patch) ** 2 > MAX_TOKENS:
        checked.faults.append(f"sample_size {side} and patch_size {patch} make more than {MAX_TOKENS} patches")
