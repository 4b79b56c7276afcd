"""The class-conditional DDPM of Selective Amnesia, of SalUn and of the SFD paper (32 and 64 pixels, ``.pth``): the
``Conditional_Model`` of their ``models/diffusion.py``, which extends that of DDIM.

A file is a list: ``[network, optimizer, step, moving average]``; of a network that the SFD paper's code has distilled,
``[fake score, optimizer, generator, optimizer, step, moving average of the generator]``.

The network embeds time and class each by a perceptron of its own and every block projects both, one behind the other:
``Linear(silu([time, class]))``. A ``UNet2DModel`` adds the two. Twice as wide an embedding, with the time in its first
half and the class in its second and zeros elsewhere, has the first as a sum: silu(0) is 0, so the network is the same.
The class's perceptron has one input for each class and becomes a table of its outputs.
"""

from __future__ import annotations

from typing import Any

import torch.nn.functional as F
from torch import Tensor

from sfd_core.errors import ModelRefused
from sfd_core.importing.layout import Choices, Found, Layout, Network
from sfd_core.importing.state import is_state_dict, shape_of, weights_of

ATTENTION_AT = 16
"""Pixels along the edge where the published networks attend."""
T_INIT = 440
"""Where the published one-step generators of these networks start (``DDPM/configs/cifar10_sid.yml``)."""
DISTILLED = (2, 0)
"""Where the generator and its fake score stand in the list of a distilled network."""
SCHEDULER = {
    "_class_name": "DDPMScheduler",
    "num_train_timesteps": 1000,
    "beta_schedule": "linear",
    "beta_start": 0.0001,
    "beta_end": 0.02,
    "prediction_type": "epsilon",
    "variance_type": "fixed_large",
}
"""Of every published configuration (``diffusion`` of ``cifar10_train.yml``, ``stl10_train.yml``)."""
_RESNET = {
    "norm1": "norm1",
    "conv1": "conv1",
    "temb_cemb_proj": "time_emb_proj",
    "norm2": "norm2",
    "conv2": "conv2",
    "nin_shortcut": "conv_shortcut",
}
_ATTENTION = {"norm": "group_norm", "q": "to_q", "k": "to_k", "v": "to_v", "proj_out": "to_out.0"}


def _is_network(value: object) -> bool:
    return is_state_dict(value) and any(name.removeprefix("module.").startswith("temb.dense.0.") for name in value)  # type: ignore[attr-defined]


def recognises(found: Any) -> bool:
    """Say whether ``found`` is a network of DDIM's code, alone or in the list that its training saves."""
    return any(map(_is_network, found if isinstance(found, list) else [found]))


def find(found: Any, what: str, choices: Choices) -> Found:
    """Return the network, or the generator and its fake score, that ``found`` holds.

    Raises:
        ModelRefused: naming the weight that no ``UNet2DModel`` has a place for, or that is missing.
    """
    if not isinstance(found, list):
        return _base_model(found, what, choices)
    if len(found) > 4:  # as the paper's code tells the two apart
        average, last, fake_score = found[-1], *(found[i] for i in DISTILLED)
        generator = _network(_chosen(average, last, what, choices), what, choices)
        scored = _network(fake_score, what, choices) if _is_network(fake_score) else None
        return Found(generator=generator, fake_score=scored, t_init=T_INIT, notes=_notes(generator))
    return _base_model(_chosen(found[-1], found[0], what, choices), what, choices)


def _chosen(average: Any, last: Any, what: str, choices: Choices) -> Any:
    chosen, name, other = (average, "average", "last") if choices.moving_average else (last, "last", "average")
    if not _is_network(chosen):
        raise ModelRefused(f"{what}: has no weights that are the {name}; ask for --weights {other}")
    return chosen


def _base_model(saved: dict[str, Tensor], what: str, choices: Choices) -> Found:
    network = _network(saved, what, choices)
    return Found(base_model=network, scheduler=SCHEDULER, notes=_notes(network))


def _notes(network: Network) -> tuple[str, ...]:
    assert network.config is not None
    size, classes = network.config["sample_size"], network.config["num_class_embeds"]
    return (
        f"{size} x {size} pixels and {classes} classes, by where the network attends and by its table; "
        "the file names neither (--size, and lethe models add --concepts)",
        "the weights of the empty condition are left out: such models are unlearned from unguided, as published",
    )


def _network(saved: dict[str, Tensor], what: str, choices: Choices) -> Network:
    return _Conversion(weights_of(saved, what), what).network(choices.size)


class _Conversion:
    """One network. Weights are taken out of ``left`` by their name there; what is left at the end is refused."""

    def __init__(self, weights: dict[str, Tensor], what: str) -> None:
        self.left, self.what = weights, what
        self.made: dict[str, Tensor] = {}

    def network(self, size: int | None) -> Network:
        if any(".temb_proj." in name for name in self.left):
            raise ModelRefused(
                f"{self.what}: a network without classes (temb_proj); those with classes are unlearned from"
            )
        levels = self._count("down.{}.block.0.conv1.weight")
        blocks = self._count("down.0.block.{}.conv1.weight")
        if not levels or not blocks or levels > 10 or blocks > 20:
            raise ModelRefused(f"{self.what}: {levels} levels of {blocks} blocks, which is no network of this kind")
        channels = [self._shape(f"down.{level}.block.0.conv1.weight", 4)[0] for level in range(levels)]
        attends = [f"down.{level}.attn.0.q.weight" in self.left for level in range(levels)]
        first, out = self._shape("conv_in.weight", 4), self._shape("conv_out.weight", 4)
        embedding, wide = self._shape("classes_emb.weight", 2), self._shape("temb.dense.1.weight", 2)
        if any(width % 32 for width in (first[0], *channels)) or first[0] != channels[0]:
            raise ModelRefused(f"{self.what}: widths {[first[0], *channels]}; each must be a multiple of 32 groups")
        config = {
            "_class_name": "UNet2DModel",
            "sample_size": size or self._size(attends),
            "in_channels": first[1],
            "out_channels": out[0],
            "time_embedding_dim": 2 * wide[0],
            "freq_shift": 1,
            "flip_sin_to_cos": False,
            "down_block_types": ["AttnDownBlock2D" if attention else "DownBlock2D" for attention in attends],
            "up_block_types": ["AttnUpBlock2D" if attention else "UpBlock2D" for attention in reversed(attends)],
            "block_out_channels": channels,
            "layers_per_block": blocks,
            "downsample_padding": 0,
            "dropout": 0.1,
            "attention_head_dim": None,
            "norm_num_groups": 32,
            "norm_eps": 1e-6,
            "num_class_embeds": embedding[0],
        }
        self._embeddings()
        for level in range(levels):
            self._level("down", level, f"down_blocks.{level}", blocks, attends[level])
            self._level("up", level, f"up_blocks.{levels - 1 - level}", blocks + 1, attends[level])
            if level < levels - 1:
                self._take(f"down.{level}.downsample.conv", f"down_blocks.{level}.downsamplers.0.conv")
            if level > 0:
                self._take(f"up.{level}.upsample.conv", f"up_blocks.{levels - 1 - level}.upsamplers.0.conv")
        self._resnet("mid.block_1", "mid_block.resnets.0")
        self._attention("mid.attn_1", "mid_block.attentions.0")
        self._resnet("mid.block_2", "mid_block.resnets.1")
        for theirs, ours in (("conv_in", "conv_in"), ("norm_out", "conv_norm_out"), ("conv_out", "conv_out")):
            self._take(theirs, ours)
        if self.left:
            raise ModelRefused(
                f"{self.what}: {len(self.left)} weights have no place in a UNet2DModel, the first is {min(self.left)!a}"
            )
        return Network(config, self.made)

    def _size(self, attends: list[bool]) -> int:
        if attends.count(True) != 1:
            raise ModelRefused(
                f"{self.what}: attends at {attends.count(True)} levels: say how large its images are (--size)"
            )
        return ATTENTION_AT << attends.index(True)

    def _count(self, pattern: str) -> int:
        n = 0
        while pattern.format(n) in self.left:
            n += 1
        return n

    def _weight(self, name: str) -> Tensor:
        if (found := self.left.pop(name, None)) is None:
            raise ModelRefused(f"{self.what}: has no {name}, which a network of this kind has")
        return found.float()

    def _shape(self, name: str, dimensions: int) -> tuple[int, ...]:
        return shape_of(self.left, name, dimensions, self.what)

    def _take(self, theirs: str, ours: str) -> None:
        for kind in ("weight", "bias"):
            self.made[f"{ours}.{kind}"] = self._weight(f"{theirs}.{kind}")

    def _embeddings(self) -> None:
        """Time in the first half of a twice as wide embedding, the class in the second."""
        perceptron = {
            part: [self._weight(f"{part}.dense.{layer}.{kind}") for layer in (0, 1) for kind in ("weight", "bias")]
            for part in ("temb", "cemb")
        }
        self.left.pop("null_classes_emb", None)
        table = self._weight("classes_emb.weight")
        in_weight, in_bias, out_weight, out_bias = perceptron["temb"]
        wide = len(out_bias)
        self.made["time_embedding.linear_1.weight"] = F.pad(in_weight, (0, 0, 0, wide))
        self.made["time_embedding.linear_1.bias"] = F.pad(in_bias, (0, wide))
        self.made["time_embedding.linear_2.weight"] = F.pad(out_weight, (0, wide, 0, wide))
        self.made["time_embedding.linear_2.bias"] = F.pad(out_bias, (0, wide))
        in_weight, in_bias, out_weight, out_bias = (weight.double() for weight in perceptron["cemb"])
        try:
            inner = F.silu(F.linear(table.double(), in_weight, in_bias))
            rows = F.linear(inner, out_weight, out_bias)
        except RuntimeError:
            raise ModelRefused(f"{self.what}: the perceptron of its classes (cemb) does not fit its table") from None
        self.made["class_embedding.weight"] = F.pad(rows, (wide, 0)).float()

    def _level(self, side: str, level: int, ours: str, blocks: int, attends: bool) -> None:
        for block in range(blocks):
            self._resnet(f"{side}.{level}.block.{block}", f"{ours}.resnets.{block}")
            if attends:
                self._attention(f"{side}.{level}.attn.{block}", f"{ours}.attentions.{block}")

    def _resnet(self, theirs: str, ours: str) -> None:
        for part, name in _RESNET.items():
            if part != "nin_shortcut" or f"{theirs}.{part}.weight" in self.left:
                self._take(f"{theirs}.{part}", f"{ours}.{name}")

    def _attention(self, theirs: str, ours: str) -> None:
        for part, name in _ATTENTION.items():
            for kind in ("weight", "bias"):
                weight = self._weight(f"{theirs}.{part}.{kind}")
                # A convolution of one pixel is a linear map.
                self.made[f"{ours}.{name}.{kind}"] = weight[..., 0, 0] if weight.ndim == 4 else weight


LAYOUT = Layout(
    "the class-conditional DDPM of Selective Amnesia, SalUn and the SFD paper",
    "a list of state dicts with temb.dense.0.weight, as torch.save writes it (ckpt.pth)",
    recognises,
    find,
)
