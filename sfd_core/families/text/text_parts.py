"""What a text-to-image model has beside its network: the tokenizers and text encoders that turn a prompt into what the
network is asked with, and the autoencoder that turns latents into pictures."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Self

import torch
from torch import Tensor

from sfd_core.families.autoencoder import Autoencoder
from sfd_core.families.text.reader import TextReader

ENCODED_TOGETHER = 64
"""Prompts a call of the text encoders."""
KEPT = 2048 * 77 * 768 * 4
"""Bytes of embeddings that are kept, of the prompts asked for last: 2048 of Stable Diffusion 1.5's. A sampler is asked
for ever new ones."""


@dataclass
class TextParts(ABC):
    """Tokenizers, text encoders and autoencoder: frozen, in evaluation mode, shared by everything of a run. A prompt
    asked for again is not encoded again. ``readers``: the text encoders, each with its tokenizer.

    What all of them make of a prompt is one row of numbers, its *embedding*, of whatever shape the family has it in.
    """

    readers: Sequence[TextReader]
    autoencoder: Autoencoder
    _kept: OrderedDict[str, Tensor] = field(default_factory=OrderedDict, kw_only=True)

    @abstractmethod
    def embedded(self, states: Sequence[Any]) -> Tensor:
        """Return the embeddings [n, ...] in float32 of n prompts from what each of the text encoders made of them."""

    @abstractmethod
    def output(self, network: Callable[..., Any], x: Tensor, t: Tensor, c: Tensor) -> Tensor:
        """Ask ``network`` for what it puts out for its input x [B, ...] at its time t under embeddings c [B, ...]."""

    @abstractmethod
    def pipeline(self, network: Any, scheduler: Any) -> Any:
        """Return the stock pipeline of ``network``, ``scheduler`` and these parts."""

    @property
    @abstractmethod
    def opening(self) -> str:
        """How stock diffusers opens a folder of :meth:`pipeline`, as Python of its ``folder``."""

    @property
    @abstractmethod
    def guidance(self) -> float:
        """The strength of guidance at which the stock pipeline samples, where nothing says another."""

    @property
    def arguments(self) -> Sequence[str]:
        """What the pipeline is asked with, beside a prompt and the steps, to draw as a generator does; as Python."""
        return ("guidance_scale=1",)

    @property
    def guides_itself(self) -> bool:
        """Whether the network takes the strength of guidance as a number, and is never guided away from anything."""
        return False

    def guided_by(self, c: Tensor, kappa: float) -> Tensor:
        """Return embeddings c [n, ...] with ``kappa`` as the strength.

        Raises:
            NotImplementedError: for a network that does not guide itself (``guides_itself``).
        """
        raise NotImplementedError

    def as_pipelines_draw(self, noise: Tensor) -> Tensor:
        """Return ``noise`` [n, C, H, W] with its numbers in the order in which the stock pipeline draws noise anew
        between two steps."""
        return noise

    def nothing(self) -> Tensor:
        """Return what guidance leads away from where no negative prompt is named, and what a network is asked with
        where the condition is dropped: [1, ...] float32 on the CPU. That of the empty prompt, where the stock pipeline
        has no other."""
        return self.embeddings([""])

    def to(self, device: torch.device | str) -> Self:
        """Move all networks to ``device``; what was encoded stays where it is."""
        for reader in self.readers:
            reader.encoder.to(device)
        self.autoencoder.to(device)
        return self

    def led_away(self, prompts: Sequence[str]) -> Tensor:
        """Return the embeddings of prompts that guidance leads away from: those of any, where the stock pipeline reads
        them as it reads others."""
        return self.embeddings(prompts)

    @torch.no_grad()
    def embeddings(self, prompts: Sequence[str]) -> Tensor:
        """Return the embeddings of ``prompts``, as the stock pipeline makes them: [n, ...] float32 on the CPU."""
        asked = dict.fromkeys(prompts)
        found = {prompt: self._kept[prompt] for prompt in asked if prompt in self._kept}
        new = [prompt for prompt in asked if prompt not in found]
        for i in range(0, len(new), ENCODED_TOGETHER):
            some = new[i : i + ENCODED_TOGETHER]
            rows = self.embedded([reader.states(some) for reader in self.readers]).cpu()
            # A copy of each: a kept one must not hold on to the whole batch.
            found |= {prompt: one.clone() for prompt, one in zip(some, rows, strict=True)}
        for prompt in asked:
            self._kept[prompt] = found[prompt]
            self._kept.move_to_end(prompt)
        while len(self._kept) > max(1, KEPT // found[prompts[0]].nbytes):
            self._kept.popitem(last=False)
        return torch.stack([found[prompt] for prompt in prompts])

    @property
    def longest(self) -> int:
        """How many tokens are read of a prompt at most, with those of its start and end."""
        return max(reader.longest for reader in self.readers)

    def tokens(self, prompts: Sequence[str]) -> list[tuple[tuple[int, ...], ...]]:
        """Return the tokens that are read of each prompt, by each of the tokenizers."""
        return list(zip(*(reader.tokens(prompts) for reader in self.readers), strict=True))

    def cut(self, prompts: Sequence[str]) -> Mapping[str, str]:
        """Return the ends that none of the text encoders reads, by prompt."""
        first, *others = (reader.cut(prompts) for reader in self.readers)
        return {
            prompt: min((end, *(cut[prompt] for cut in others)), key=len)
            for prompt, end in first.items()
            if all(prompt in cut for cut in others)
        }
