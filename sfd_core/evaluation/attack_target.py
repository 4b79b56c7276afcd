"""What the probes look at, and what they hand back.

Every probe asks the same of up to three networks, each used once (one network evaluation an image), so that what it
finds in the generator stands beside a floor and a ceiling: ``generator`` is the one that forgot, ``control`` one that
was never shown the class, ``base_model`` the untouched one. A probe works on copies; it changes none of them.
"""

from __future__ import annotations

import copy
from collections.abc import Generator, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
import torch
import torch.nn.functional as F
from diffusers import UNet2DModel
from numpy.typing import NDArray
from torch import Tensor
from torch.func import functional_call

from sfd_core.evaluation.intervals import Interval, wilson
from sfd_core.evaluation.judge import ImageJudge
from sfd_core.evaluation.probe import Network, ProbeResult
from sfd_core.families.class_unet.network import ClassUnetScore
from sfd_core.families.images import to_uint8
from sfd_core.families.parameterization import Parameterization
from sfd_core.families.protocol import ClassGenerator, LoadedBase
from sfd_core.families.sampling import ImageSampler

IMAGES = 200
"""Images behind every rate: a share near one half is known to about +-0.07."""
SHOWN = 8
"""Images in a row of examples."""
CHUNK = 50
"""Images made between two progress updates."""

T = TypeVar("T")
Steps = Generator[int, None, T]
"""Work that yields after every piece of at most a few seconds how many of its planned pieces are done by that, and
returns its result."""


@dataclass(frozen=True)
class AttackTarget:
    """The network that is probed, beside those that it is compared with.

    ``controls``: by forgotten label, a one-step generator of a network retrained without that class, where the base
    model has one. ``forgotten``: each forgotten label and the label that overrides it, None where the override is not
    one fixed class. ``second_judge``: trained apart from the first, or None.
    """

    generator: ClassGenerator
    base: LoadedBase
    controls: Mapping[int, ClassGenerator]
    judge: ImageJudge
    second_judge: ImageJudge | None
    forgotten: Sequence[tuple[int, int | None]]
    seed: int
    device: torch.device

    def __post_init__(self) -> None:
        if self.second_judge is not None and self.base.model.second_judge is None:
            raise ValueError("a second judge is given, but the base model's manifest names none: name it there")

    def rng(self, probe: str, label: int) -> torch.Generator:
        """Return the random numbers of one probe of one class: the same for every network, none shared between
        probes."""
        words = np.random.SeedSequence([self.seed, label, *probe.encode()]).generate_state(1, np.uint64)
        return torch.Generator().manual_seed(int(words[0]) >> 1)

    def networks(self, label: int) -> dict[Network, OneStep]:
        """Return copies, in evaluation mode and without gradients on their weights, of the networks that can be asked.

        The base model is used at the generator's own time; a control that was distilled at its own.
        """
        start, patch = self.generator.start, self.base.model.image.patch
        unets: dict[Network, tuple[UNet2DModel, float]] = {"generator": (self.generator.network, start)}
        if (control := self.controls.get(label)) is not None:
            unets["control"] = (control.network, control.start)
        unets["base_model"] = (self.base.network, start)
        schedule = self.base.schedule.to(self.device)
        return {
            name: OneStep(copy.deepcopy(unet).to(self.device).eval().requires_grad_(False), schedule, t, patch)
            for name, (unet, t) in unets.items()
        }

    def seen(self, images: NDArray[np.uint8], label: int, second: bool = False) -> Interval:
        """Return the share of ``images`` in which the judge (``second``: the second one, if there is one) sees
        ``label``."""
        judge = self.second_judge if second and self.second_judge is not None else self.judge
        return wilson(int((judge.judge(images).seen == label).sum()), len(images))


@dataclass(frozen=True)
class Examples:
    """Rows of images for a reader's own eyes. ``rows``: a title each; ``images``: uint8 [rows, n, H, W(, 3)]."""

    name: str
    rows: tuple[str, ...]
    images: NDArray[np.uint8]


@dataclass(frozen=True)
class Outcome:
    """The result of one probe of one class: its row of the report, and examples of what stands behind it."""

    result: ProbeResult
    examples: Examples


class OneStep:
    """A network that is used once, on tensors and with gradients: ``f(b_tinit z, t_init, c)``.

    Images are [B, C, H, W] in [-1, 1] up to what the network overshoots; z and other noise are unit noise in the
    network's own space.
    """

    def __init__(self, unet: UNet2DModel, schedule: Parameterization, start: float, patch: int) -> None:
        self.score = ClassUnetScore(unet, schedule)
        self.schedule = schedule
        self.start = start
        self.patch = patch

    @property
    def network(self) -> UNet2DModel:
        return self.score.network

    def copy(self) -> OneStep:
        """Return the same with weights of its own, to be trained."""
        return OneStep(copy.deepcopy(self.network), self.schedule, self.start, self.patch)

    def noise(self, n: int, rng: torch.Generator) -> Tensor:
        """Draw unit noise [n, C, H, W], on the CPU so that every device sees the same."""
        size = self.network.config.sample_size
        height, width = (size, size) if isinstance(size, int) else size
        noise = torch.randn(n, self.network.config.in_channels, height, width, generator=rng)
        return noise.to(next(self.network.parameters()).device)

    def images(self, z: Tensor, label: int) -> Tensor:
        """Make images from unit noise z, asked for ``label``."""
        return self.denoise(self._pure(z), self.start, label)

    def denoise(self, x_t: Tensor, t: float, label: int) -> Tensor:
        """Make images from x_t at time t in one evaluation, asked for ``label``."""
        at, c = (torch.full((len(x_t),), value, device=x_t.device) for value in (t, label))
        return F.pixel_shuffle(self.score(x_t, at, c), self.patch)

    def images_under(self, z: Tensor, embeddings: Tensor, which: Tensor) -> Tensor:
        """Make images from unit noise z [B, ...] under condition ``embeddings[which]``; embeddings: [S, D] in place of
        the network's own table of class embeddings, which: [B]. Gradients flow into ``embeddings``."""
        x_t, at = self._pure(z), torch.full((len(z),), self.start, device=z.device)
        given = self.schedule.network_input(x_t, at)
        weights = {"class_embedding.weight": embeddings}
        output = functional_call(self.network, weights, given, {"class_labels": which, "return_dict": False})[0]
        return F.pixel_shuffle(self.schedule.x0_from_output(output.float(), x_t, at), self.patch)

    def draw(self, n: int, label: int, rng: torch.Generator) -> Steps[NDArray[np.uint8]]:
        """Draw ``n`` images asked for ``label``, as bytes; yields a progress update after every :data:`CHUNK`."""
        return (yield from self.from_noised(self._pure(self.noise(n, rng)), self.start, label))

    def from_noised(self, x_t: Tensor, t: float, label: int) -> Steps[NDArray[np.uint8]]:
        """Run :meth:`denoise` without gradients, to bytes; yields a progress update after every :data:`CHUNK`."""
        pieces = []
        for piece in x_t.split(CHUNK):
            with torch.no_grad():
                pieces.append(to_uint8(self.denoise(piece, t, label)))
            yield 1
        return np.concatenate(pieces)

    def _pure(self, z: Tensor) -> Tensor:
        """Where a generator starts from unit noise z."""
        return self.schedule.pure_noise(z, torch.full((len(z),), self.start, device=z.device))


def sample(sampler: ImageSampler, n: int, label: int, rng: torch.Generator) -> Steps[NDArray[np.uint8]]:
    """Draw ``n`` images of ``label`` at the sampler's many steps; yields a progress update after every
    :data:`CHUNK`."""
    seeds: list[int] = torch.randint(2**62, (n,), generator=rng).tolist()
    pieces = []
    for i in range(0, n, CHUNK):
        some = seeds[i : i + CHUNK]
        pieces.append(sampler.sample_labels([label] * len(some), some))
        yield 1
    return np.concatenate(pieces)


def chunks(n: int) -> int:
    """Count the pieces in which ``n`` images are made."""
    return -(-n // CHUNK)
