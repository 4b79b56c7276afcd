"""The U-Net ``DDPM++`` of Song et al. 2021 (arXiv 2011.13456, appendix H) as Karras et al. 2022 (arXiv 2206.00364,
table 7) configured it, ``ddpmpp`` of NVlabs/edm. Weights have the names of its checkpoints.

It stands alone, on torch and diffusers only, because a copy of this file is published beside the weights of every
generator that is such a network, for stock diffusers to open them by.

What no network of diffusers does: every residual block and every attention is scaled by ``1 / sqrt(2)`` after its sum;
the class is added to the embedding of the noise before the perceptron; decoders attend in the last block of a level.
"""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from diffusers import ConfigMixin, ModelMixin
from diffusers.configuration_utils import register_to_config
from diffusers.models.embeddings import get_timestep_embedding
from diffusers.models.unets.unet_2d import UNet2DOutput
from torch import Tensor, nn

EPS = 1e-6
SCALE = math.sqrt(0.5)
"""Of what a sum of two makes: it has the variance of one of them."""


def group_norm(channels: int) -> nn.GroupNorm:
    """Make a group norm of 32 groups, or of fewer where they would have less than 4 channels."""
    return nn.GroupNorm(min(32, channels // 4), channels, eps=EPS)


class Block(nn.Module):
    """A residual block that is given the embedding, and may attend. ``resample``: 2 doubles the edges of what it is
    given (each pixel four times), 0.5 halves them (means of 2 x 2)."""

    def __init__(
        self, channels: int, out_channels: int, embedding: int, attends: bool = False, resample: float = 1
    ) -> None:
        super().__init__()
        self.in_channels, self.resample = channels, resample
        self.norm0 = group_norm(channels)
        self.conv0 = nn.Conv2d(channels, out_channels, 3, padding=1)
        self.affine = nn.Linear(embedding, out_channels)
        self.norm1 = group_norm(out_channels)
        self.conv1 = nn.Conv2d(out_channels, out_channels, 3, padding=1)
        projects = resample != 1 or channels != out_channels
        self.skip = nn.Conv2d(channels, out_channels, 1) if projects else nn.Identity()
        self.attends = attends
        if attends:
            self.norm2 = group_norm(out_channels)
            self.qkv = nn.Conv2d(out_channels, 3 * out_channels, 1)
            self.proj = nn.Conv2d(out_channels, out_channels, 1)

    def forward(self, x: Tensor, embedding: Tensor) -> Tensor:
        """Return [B, out_channels, H', W'] of x [B, C, H, W] under embeddings [B, E]."""
        inner = self.conv0(self._resampled(F.silu(self.norm0(x)))) + self.affine(embedding)[:, :, None, None]
        x = SCALE * (self.skip(self._resampled(x)) + self.conv1(F.silu(self.norm1(inner))))
        return SCALE * (x + self._attention(x)) if self.attends else x

    def _resampled(self, x: Tensor) -> Tensor:
        if self.resample == 2:
            return F.interpolate(x, scale_factor=2, mode="nearest")
        return F.avg_pool2d(x, 2) if self.resample == 0.5 else x

    def _attention(self, x: Tensor) -> Tensor:
        """Of one head. The channels of queries, keys and values take turns: q0 k0 v0 q1 k1 v1 ..."""
        qkv = self.qkv(self.norm2(x)).flatten(2).unflatten(1, (-1, 3))
        q, k, v = qkv.transpose(1, 3).unbind(2)
        attended = F.scaled_dot_product_attention(q.unsqueeze(1), k.unsqueeze(1), v.unsqueeze(1)).squeeze(1)
        return self.proj(attended.transpose(1, 2).reshape(x.shape))


class SongUNet(ModelMixin, ConfigMixin):
    """A class-conditional U-Net, asked as a ``UNet2DModel`` is.

    ``sample_size``: pixels along an edge, of ``in_channels``; ``num_class_embeds``: how many classes it knows. A level
    for each of ``channel_mult``, which times ``model_channels`` is its width: ``num_blocks`` blocks on the way down and
    one more on the way up, with attention where the edge is one of ``attn_resolutions``. The embedding has
    ``channel_mult_emb`` times ``model_channels``.
    """

    _supports_gradient_checkpointing = True

    @register_to_config
    def __init__(
        self,
        sample_size: int,
        in_channels: int,
        out_channels: int,
        num_class_embeds: int,
        model_channels: int,
        channel_mult: list[int],
        channel_mult_emb: int,
        num_blocks: int,
        attn_resolutions: list[int],
    ) -> None:
        super().__init__()
        self.gradient_checkpointing = False
        embedding = model_channels * channel_mult_emb
        self.map_label = nn.Linear(num_class_embeds, model_channels)
        self.map_layer0 = nn.Linear(model_channels, embedding)
        self.map_layer1 = nn.Linear(embedding, embedding)
        edges = [sample_size >> level for level in range(len(channel_mult))]
        now = model_channels
        encoder: dict[str, nn.Module] = {f"{sample_size}x{sample_size}_conv": nn.Conv2d(in_channels, now, 3, padding=1)}
        skips = [now]
        for level, (edge, multiplier) in enumerate(zip(edges, channel_mult, strict=True)):
            if level > 0:
                encoder[f"{edge}x{edge}_down"] = Block(now, now, embedding, resample=0.5)
                skips.append(now)
            for i in range(num_blocks):
                width = model_channels * multiplier
                encoder[f"{edge}x{edge}_block{i}"] = Block(now, width, embedding, edge in attn_resolutions)
                now = width
                skips.append(now)
        decoder: dict[str, nn.Module] = {}
        for level, (edge, multiplier) in reversed(list(enumerate(zip(edges, channel_mult, strict=True)))):
            if level == len(edges) - 1:
                decoder[f"{edge}x{edge}_in0"] = Block(now, now, embedding, attends=True)
                decoder[f"{edge}x{edge}_in1"] = Block(now, now, embedding)
            else:
                decoder[f"{edge}x{edge}_up"] = Block(now, now, embedding, resample=2)
            for i in range(num_blocks + 1):
                width, attends = model_channels * multiplier, i == num_blocks and edge in attn_resolutions
                decoder[f"{edge}x{edge}_block{i}"] = Block(now + skips.pop(), width, embedding, attends)
                now = width
        decoder[f"{sample_size}x{sample_size}_aux_norm"] = group_norm(now)
        decoder[f"{sample_size}x{sample_size}_aux_conv"] = nn.Conv2d(now, out_channels, 3, padding=1)
        self.enc, self.dec = nn.ModuleDict(encoder), nn.ModuleDict(decoder)

    def forward(
        self, sample: Tensor, timestep: Tensor | float, class_labels: Tensor, return_dict: bool = True
    ) -> UNet2DOutput | tuple[Tensor]:
        """Return what it puts out, [B, C, H, W], for its input of that shape, at its time [B] or one for all, which is
        ``ln(sigma) / 4``, under class labels [B]."""
        output = self.predict(sample, timestep, self.class_rows(class_labels))
        return UNet2DOutput(sample=output) if return_dict else (output,)

    def class_rows(self, class_labels: Tensor) -> Tensor:
        """Return what classes [B] add to the embedding of the noise, [B, D]."""
        classes = self.map_label.in_features
        return self.map_label(math.sqrt(classes) * F.one_hot(class_labels, classes).to(self.dtype))

    def predict(self, sample: Tensor, timestep: Tensor | float, rows: Tensor) -> Tensor:
        """Return the same as :meth:`forward` under any ``rows`` [B, D], of classes or not."""
        times = torch.as_tensor(timestep, device=sample.device).expand(len(sample))
        noise = get_timestep_embedding(times, self.map_layer0.in_features, downscale_freq_shift=1)
        embedding = F.silu(self.map_layer1(F.silu(self.map_layer0(noise.to(rows.dtype) + rows))))
        first, *downwards = self.enc.values()
        *upwards, norm, last = self.dec.values()
        x = first(sample)
        skips = [x]
        for block in downwards:
            x = self._run(block, x, embedding)
            skips.append(x)
        for block in upwards:
            joined = x if x.shape[1] == block.in_channels else torch.cat([x, skips.pop()], dim=1)
            x = self._run(block, joined, embedding)
        return last(F.silu(norm(x)))

    def _run(self, block: nn.Module, x: Tensor, embedding: Tensor) -> Tensor:
        if torch.is_grad_enabled() and self.gradient_checkpointing:
            return self._gradient_checkpointing_func(block, x, embedding)
        return block(x, embedding)
