"""What Stable Diffusion has beside its U-Net: one of CLIP's text encoders, whose last states it is asked with."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from diffusers import StableDiffusionPipeline
from torch import Tensor

from sfd_core.families.text.text_parts import TextParts


class StableDiffusionText(TextParts):
    """The text side of Stable Diffusion: an embedding is the states of a prompt's tokens, [L, D]."""

    @property
    def guidance(self) -> float:
        return 7.5

    @property
    def opening(self) -> str:
        return "StableDiffusionPipeline.from_pretrained(folder)"

    def embedded(self, states: Sequence[Any]) -> Tensor:
        (read,) = states
        last: Tensor = read.last_hidden_state
        return last.float()

    def output(self, network: Callable[..., Any], x: Tensor, t: Tensor, c: Tensor) -> Tensor:
        output: Tensor = network(x, t, encoder_hidden_states=c, return_dict=False)[0]
        return output

    def pipeline(self, network: Any, scheduler: Any) -> Any:
        (reader,) = self.readers
        return StableDiffusionPipeline(
            self.autoencoder.vae,
            reader.encoder,
            reader.tokenizer,
            network,
            scheduler,
            safety_checker=None,
            feature_extractor=None,
            requires_safety_checker=False,
        )
