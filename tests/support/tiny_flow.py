"""Tiny models of every pipeline of the family ``flow``, with how their stock pipelines are opened and asked."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import torch
from diffusers import FlowMatchEulerDiscreteScheduler, FluxPipeline, SanaPipeline, StableDiffusion3Pipeline
from torch import Tensor

from sfd_core.base_model.manifest import BaseModel
from tests.support.tiny_flux import make_tiny_flux
from tests.support.tiny_sana import make_tiny_sana
from tests.support.tiny_sd3 import make_tiny_sd3


@dataclass(frozen=True)
class Tiny:
    """A tiny model. ``make``: writes it. ``pipeline``, ``opened_with``: how stock diffusers opens it. ``velocity``:
    what the stock pipeline's network puts out for latents at sigma, asked for prompts. ``sampled``: how the stock
    pipeline samples it by itself; ``evaluations``: of the network a step then; ``steps``: how many. ``longest``: tokens
    that are read of a prompt."""

    name: str
    make: Callable[..., BaseModel]
    pipeline: type[Any]
    velocity: Callable[[Any, Tensor, float, list[str]], Tensor]
    sampled: Mapping[str, Any]
    evaluations: int
    steps: int
    longest: int
    opened_with: tuple[str, ...] = ()

    def opened(self, folder: Path) -> Any:
        """The stock pipeline of a folder."""
        pipe = self.pipeline.from_pretrained(folder, **dict.fromkeys(self.opened_with))
        pipe.set_progress_bar_config(disable=True)
        return pipe


def _of_sd3(pipe: Any, x: Tensor, sigma: float, prompts: list[str]) -> Tensor:
    hidden, _, pooled, _ = pipe.encode_prompt(prompts, None, None, do_classifier_free_guidance=False)
    t = torch.full((len(x),), 1000 * sigma)
    output: Tensor = pipe.transformer(
        hidden_states=x, timestep=t, encoder_hidden_states=hidden, pooled_projections=pooled
    ).sample
    return output


def _of_flux(pipe: Any, x: Tensor, sigma: float, prompts: list[str]) -> Tensor:
    hidden, pooled, text_ids = pipe.encode_prompt(prompts, None)
    n, channels, height, width = x.shape
    packed = pipe._pack_latents(x, n, channels, height, width)
    output = pipe.transformer(
        hidden_states=packed,
        timestep=torch.full((n,), sigma),
        guidance=torch.full((n,), 3.5) if pipe.transformer.config.guidance_embeds else None,
        encoder_hidden_states=hidden,
        pooled_projections=pooled,
        txt_ids=text_ids,
        img_ids=pipe._prepare_latent_image_ids(n, height // 2, width // 2, "cpu", x.dtype),
    ).sample
    unpacked: Tensor = pipe._unpack_latents(output, 2 * height, 2 * width, 2)
    return unpacked


def _of_sana(pipe: Any, x: Tensor, sigma: float, prompts: list[str]) -> Tensor:
    default = inspect.signature(type(pipe).__call__).parameters["complex_human_instruction"].default
    hidden, mask, _, _ = pipe.encode_prompt(prompts, False, complex_human_instruction=default)
    t = torch.full((len(x),), 1000 * sigma)
    output: Tensor = pipe.transformer(x, encoder_hidden_states=hidden, encoder_attention_mask=mask, timestep=t).sample
    return output


_OF_SANA = {"height": 32, "width": 32, "use_resolution_binning": False}
_SD3 = Tiny("sd3", make_tiny_sd3, StableDiffusion3Pipeline, _of_sd3, {"guidance_scale": 7.0}, 2, 28, 77)
TINY = (
    Tiny(**{**vars(_SD3), "opened_with": ("text_encoder_3", "tokenizer_3")}),
    Tiny(**{**vars(_SD3), "name": "sd3 with t5", "make": partial(make_tiny_sd3, t5=True), "longest": 256}),
    Tiny("flux", make_tiny_flux, FluxPipeline, _of_flux, {"height": 16, "width": 16}, 1, 28, 512),
    Tiny(
        "flux schnell",
        partial(make_tiny_flux, guided=False),
        FluxPipeline,
        _of_flux,
        {"height": 16, "width": 16},
        1,
        28,
        512,
    ),
    Tiny(
        "sana",
        partial(make_tiny_sana, scheduler=FlowMatchEulerDiscreteScheduler(shift=3.0)),
        SanaPipeline,
        _of_sana,
        {"guidance_scale": 4.5, **_OF_SANA},
        2,
        20,
        300,
    ),
)
