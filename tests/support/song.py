"""A second, independent implementation of NVlabs' ``SongUNet`` (``ddpmpp``): functions over the weights as they are
named in its checkpoints, in float64, from the equations of Karras et al. 2022 (arXiv 2206.00364, appendix C) and Song
et al. 2021 (arXiv 2011.13456). Nothing of it is a module: normalisation, attention and resampling are written out."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import torch
import torch.nn.functional as F
from torch import Tensor

Weights = dict[str, Tensor]
FILTER = torch.full((1, 1, 2, 2), 0.25)


def shapes(
    width: int, multipliers: Sequence[int], attends: Sequence[int], classes: int, size: int, blocks: int, channels: int
) -> dict[str, tuple[int, ...]]:
    """The names and shapes of its parameters, without those of augmentation labels."""
    found: dict[str, tuple[int, ...]] = {}
    wide = 4 * width

    def mapped(name: str, out: int, into: int, *kernel: int) -> None:
        found[f"{name}.weight"] = (out, into, *kernel)
        found[f"{name}.bias"] = (out,)

    def norm(name: str, n: int) -> None:
        found[f"{name}.weight"] = found[f"{name}.bias"] = (n,)

    def block(name: str, into: int, out: int, attention: bool = False, resampled: bool = False) -> None:
        norm(f"{name}.norm0", into)
        mapped(f"{name}.conv0", out, into, 3, 3)
        mapped(f"{name}.affine", out, wide)
        norm(f"{name}.norm1", out)
        mapped(f"{name}.conv1", out, out, 3, 3)
        if into != out or resampled:
            mapped(f"{name}.skip", out, into, 1, 1)
        if attention:
            norm(f"{name}.norm2", out)
            mapped(f"{name}.qkv", 3 * out, out, 1, 1)
            mapped(f"{name}.proj", out, out, 1, 1)

    mapped("map_label", width, classes)
    mapped("map_layer0", wide, width)
    mapped("map_layer1", wide, wide)
    mapped(f"enc.{size}x{size}_conv", width, channels, 3, 3)
    widths, now = [width], width
    for level, multiplier in enumerate(multipliers):
        at = f"{size >> level}x{size >> level}"
        if level:
            block(f"enc.{at}_down", now, now, resampled=True)
            widths.append(now)
        for i in range(blocks):
            block(f"enc.{at}_block{i}", now, width * multiplier, size >> level in attends)
            now = width * multiplier
            widths.append(now)
    for level in reversed(range(len(multipliers))):
        at = f"{size >> level}x{size >> level}"
        if level == len(multipliers) - 1:
            block(f"dec.{at}_in0", now, now, attention=True)
            block(f"dec.{at}_in1", now, now)
        else:
            block(f"dec.{at}_up", now, now, resampled=True)
        for i in range(blocks + 1):
            out = width * multipliers[level]
            block(f"dec.{at}_block{i}", now + widths.pop(), out, i == blocks and size >> level in attends)
            now = out
    assert not widths
    norm(f"dec.{size}x{size}_aux_norm", now)
    mapped(f"dec.{size}x{size}_aux_conv", channels, now, 3, 3)
    return found


def random_weights(of: Mapping[str, tuple[int, ...]], seed: int = 0) -> Weights:
    """Weights in float32 in which a signal neither fades nor grows much."""
    g, made = torch.Generator().manual_seed(seed), {}
    for name, shape in of.items():
        spread = 1 / math.sqrt(math.prod(shape[1:])) if len(shape) > 1 else 0.1
        made[name] = torch.randn(shape, generator=g) * spread
        if "norm" in name and name.endswith(".weight"):
            made[name] += 1
    return made


def predicted(weights: Weights, x: Tensor, time: Tensor, c: Tensor) -> Tensor:
    """What the network puts out for its input x [B, C, H, W] at its time [B] of classes c [B]: float64."""
    w = {name: weight.double() for name, weight in weights.items()}
    size, width = x.shape[-1], len(w["map_label.bias"])
    half = width // 2
    angles = time.double()[:, None] * torch.tensor([10000 ** (-i / (half - 1)) for i in range(half)]).double()
    classes = w["map_label.weight"].shape[1]
    one_hot = torch.eye(classes, dtype=torch.float64)[c]
    embedding = torch.cat([angles.sin(), angles.cos()], 1) + _linear(w, "map_label", math.sqrt(classes) * one_hot)
    for layer in ("map_layer0", "map_layer1"):
        embedding = _silu(_linear(w, layer, embedding))
    x = _conv(w, f"enc.{size}x{size}_conv", x.double())
    skips = [x]
    blocks = dict.fromkeys(name.rsplit(".norm0.", 1)[0] for name in w if ".norm0." in name)  # as a file has them
    for name in (each for each in blocks if each.startswith("enc.")):
        x = _block(w, name, x, embedding)
        skips.append(x)
    for name in (each for each in blocks if each.startswith("dec.")):
        if "_block" in name:
            x = torch.cat([x, skips.pop()], 1)
        x = _block(w, name, x, embedding)
    return _conv(w, f"dec.{size}x{size}_aux_conv", _silu(_norm(w, f"dec.{size}x{size}_aux_norm", x)))


def _block(w: Weights, name: str, x: Tensor, embedding: Tensor) -> Tensor:
    def resampled(y: Tensor) -> Tensor:
        n = y.shape[1]
        kernel = FILTER.double().expand(n, 1, 2, 2)
        if name.endswith("_up"):
            return F.conv_transpose2d(y, 4 * kernel, stride=2, groups=n)
        return F.conv2d(y, kernel, stride=2, groups=n) if name.endswith("_down") else y

    inner = _conv(w, f"{name}.conv0", resampled(_silu(_norm(w, f"{name}.norm0", x))))
    inner = inner + _linear(w, f"{name}.affine", embedding)[:, :, None, None]
    inner = _conv(w, f"{name}.conv1", _silu(_norm(w, f"{name}.norm1", inner)))
    straight = resampled(x)
    if f"{name}.skip.weight" in w:
        straight = _conv(w, f"{name}.skip", straight)
    y = (inner + straight) / math.sqrt(2)
    if f"{name}.qkv.weight" not in w:
        return y
    b, n, height, across = y.shape
    qkv = _conv(w, f"{name}.qkv", _norm(w, f"{name}.norm2", y)).reshape(b, n, 3, height * across)
    scores = torch.einsum("bcq,bck->bqk", qkv[:, :, 0], qkv[:, :, 1]) / math.sqrt(n)
    shares = scores.exp() / scores.exp().sum(-1, keepdim=True)
    seen = torch.einsum("bqk,bck->bcq", shares, qkv[:, :, 2]).reshape(y.shape)
    return (y + _conv(w, f"{name}.proj", seen)) / math.sqrt(2)


def _linear(w: Weights, name: str, x: Tensor) -> Tensor:
    return x @ w[f"{name}.weight"].T + w[f"{name}.bias"]


def _conv(w: Weights, name: str, x: Tensor) -> Tensor:
    weight = w[f"{name}.weight"]
    return F.conv2d(x, weight, w[f"{name}.bias"], padding=weight.shape[-1] // 2)


def _norm(w: Weights, name: str, x: Tensor) -> Tensor:
    b, n, *edges = x.shape
    grouped = x.reshape(b, min(32, n // 4), -1)
    grouped = grouped - grouped.mean(-1, keepdim=True)
    grouped = grouped / (grouped.square().mean(-1, keepdim=True) + 1e-6).sqrt()
    return grouped.reshape(b, n, *edges) * w[f"{name}.weight"][:, None, None] + w[f"{name}.bias"][:, None, None]


def _silu(x: Tensor) -> Tensor:
    return x / (1 + (-x).exp())
