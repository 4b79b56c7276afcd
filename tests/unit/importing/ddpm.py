"""A second, independent implementation of the class-conditional DDPM of Selective Amnesia and SalUn: one function over
the weights as they are named in its checkpoints, in float64."""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor

Weights = dict[str, Tensor]


def shapes(
    width: int, multipliers: tuple[int, ...], attends: int, classes: int, blocks: int = 2
) -> dict[str, tuple[int, ...]]:
    """The names and shapes of that architecture, whose level ``attends`` has attention."""
    found: dict[str, tuple[int, ...]] = {}

    def linear(name: str, out: int, into: int, *kernel: int) -> None:
        found[f"{name}.weight"] = (out, into, *kernel)
        found[f"{name}.bias"] = (out,)

    def norm(name: str, channels: int) -> None:
        found[f"{name}.weight"] = found[f"{name}.bias"] = (channels,)

    def resnet(name: str, into: int, out: int) -> None:
        norm(f"{name}.norm1", into)
        linear(f"{name}.conv1", out, into, 3, 3)
        linear(f"{name}.temb_cemb_proj", out, 8 * width)
        norm(f"{name}.norm2", out)
        linear(f"{name}.conv2", out, out, 3, 3)
        if into != out:
            linear(f"{name}.nin_shortcut", out, into, 1, 1)

    def attention(name: str, channels: int) -> None:
        norm(f"{name}.norm", channels)
        for part in ("q", "k", "v", "proj_out"):
            linear(f"{name}.{part}", channels, channels, 1, 1)

    for part in ("temb", "cemb"):
        linear(f"{part}.dense.0", 4 * width, width)
        linear(f"{part}.dense.1", 4 * width, 4 * width)
    found["classes_emb.weight"] = (classes, width)
    found["null_classes_emb"] = (width,)
    linear("conv_in", width, 3, 3, 3)
    last = len(multipliers) - 1
    skips, now = [width], width
    for level, multiplier in enumerate(multipliers):
        for block in range(blocks):
            resnet(f"down.{level}.block.{block}", now, width * multiplier)
            now = width * multiplier
            skips.append(now)
            if level == attends:
                attention(f"down.{level}.attn.{block}", now)
        if level < last:
            linear(f"down.{level}.downsample.conv", now, now, 3, 3)
            skips.append(now)
    resnet("mid.block_1", now, now)
    attention("mid.attn_1", now)
    resnet("mid.block_2", now, now)
    for level in reversed(range(last + 1)):
        for block in range(blocks + 1):
            resnet(f"up.{level}.block.{block}", now + skips.pop(), width * multipliers[level])
            now = width * multipliers[level]
            if level == attends:
                attention(f"up.{level}.attn.{block}", now)
        if level > 0:
            linear(f"up.{level}.upsample.conv", now, now, 3, 3)
    assert not skips
    norm("norm_out", now)
    linear("conv_out", 3, now, 3, 3)
    return found


def random_weights(
    width: int, multipliers: tuple[int, ...], attends: int, classes: int, blocks: int = 2, seed: int = 0
) -> Weights:
    """A state dict of that architecture in float32, in which a signal neither fades nor grows much."""
    g = torch.Generator().manual_seed(seed)
    found: Weights = {}
    for name, shape in shapes(width, multipliers, attends, classes, blocks).items():
        value = torch.randn(shape, generator=g)
        if len(shape) > 1 and "emb" not in name.split(".")[0]:
            value = value / math.sqrt(math.prod(shape[1:]))
        elif len(shape) > 1 and ".dense." in name:
            value = value / math.sqrt(shape[1])
        elif len(shape) == 1 and "norm" in name and name.endswith("weight"):
            value = 1 + 0.2 * value
        elif len(shape) == 1:
            value = 0.1 * value
        found[name] = value
    return found


def predicted(weights: Weights, x: Tensor, t: Tensor, c: Tensor) -> Tensor:
    """The noise that the network sees in x [n, 3, H, W] at step t [n], of class c [n]."""
    w = {name: value.double() for name, value in weights.items()}
    x = x.double()

    def count(pattern: str) -> int:
        return next(n for n in range(99) if pattern.format(n) not in w)

    def affine(name: str, value: Tensor) -> Tensor:
        return value @ w[f"{name}.weight"].T + w[f"{name}.bias"]

    def conv(name: str, value: Tensor, stride: int = 1, padding: int = 1) -> Tensor:
        return F.conv2d(value, w[f"{name}.weight"], w[f"{name}.bias"], stride, padding)

    def norm(name: str, value: Tensor) -> Tensor:
        n, _channels = value.shape[:2]
        grouped = value.reshape(n, 32, -1)
        grouped = grouped - grouped.mean(-1, keepdim=True)
        scaled = (grouped / (grouped.square().mean(-1, keepdim=True) + 1e-6).sqrt()).reshape(value.shape)
        return scaled * w[f"{name}.weight"].view(1, -1, 1, 1) + w[f"{name}.bias"].view(1, -1, 1, 1)

    def swish(value: Tensor) -> Tensor:
        return value / (1 + torch.exp(-value))

    half = w["conv_in.weight"].shape[0] // 2
    rates = torch.tensor([10000 ** (-i / (half - 1)) for i in range(half)], dtype=torch.float64)
    angles = t.double()[:, None] * rates
    time = torch.cat([angles.sin(), angles.cos()], 1)
    embedded = [
        affine(f"{part}.dense.1", swish(affine(f"{part}.dense.0", value)))
        for part, value in (("temb", time), ("cemb", w["classes_emb.weight"][c]))
    ]
    both = torch.cat(embedded, 1)

    def resnet(name: str, value: Tensor) -> Tensor:
        h = conv(f"{name}.conv1", swish(norm(f"{name}.norm1", value)))
        h = h + affine(f"{name}.temb_cemb_proj", swish(both))[:, :, None, None]
        h = conv(f"{name}.conv2", swish(norm(f"{name}.norm2", h)))
        straight = f"{name}.nin_shortcut"
        return h + (conv(straight, value, padding=0) if f"{straight}.weight" in w else value)

    def attention(name: str, value: Tensor) -> Tensor:
        n, channels, height, width = value.shape
        q, k, v = (conv(f"{name}.{part}", norm(f"{name}.norm", value), padding=0).flatten(2) for part in "qkv")
        share = torch.softmax(torch.einsum("ncq,nck->nqk", q, k) / math.sqrt(channels), dim=2)
        drawn = torch.einsum("nqk,nck->ncq", share, v).view(n, channels, height, width)
        return value + conv(f"{name}.proj_out", drawn, padding=0)

    def level_of(side: str, level: int, block: int, value: Tensor) -> Tensor:
        value = resnet(f"{side}.{level}.block.{block}", value)
        name = f"{side}.{level}.attn.{block}"
        return attention(name, value) if f"{name}.q.weight" in w else value

    levels, blocks = count("down.{}.block.0.conv1.weight"), count("down.0.block.{}.conv1.weight")
    h = conv("conv_in", x)
    skips = [h]
    for level in range(levels):
        for block in range(blocks):
            h = level_of("down", level, block, h)
            skips.append(h)
        if level < levels - 1:
            h = conv(f"down.{level}.downsample.conv", F.pad(h, (0, 1, 0, 1)), stride=2, padding=0)
            skips.append(h)
    h = resnet("mid.block_2", attention("mid.attn_1", resnet("mid.block_1", h)))
    for level in reversed(range(levels)):
        for block in range(blocks + 1):
            h = level_of("up", level, block, torch.cat([h, skips.pop()], 1))
        if level > 0:
            h = conv(f"up.{level}.upsample.conv", h.repeat_interleave(2, 2).repeat_interleave(2, 3))
    return conv("conv_out", swish(norm("norm_out", h)))
