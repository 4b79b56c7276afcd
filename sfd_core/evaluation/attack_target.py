"""What the probes look at, and what they hand back, of whichever family.

Every probe asks the same of several networks, each used once (one network evaluation an image), so that what it finds
in the generator stands beside a floor and a ceiling: ``generator`` is the one that forgot, ``control`` one that was
never shown the concept, ``first_stage`` the distilled one that forgot nothing, ``base_model`` the untouched one. A
probe works on copies; it changes none of them.
"""

from __future__ import annotations

import copy
import dataclasses
from collections.abc import Callable, Generator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from sfd_core.base_model.manifest import BaseModel
from sfd_core.errors import ModelRefused
from sfd_core.evaluation.evaluators import Evaluators
from sfd_core.evaluation.features import FeatureExtractor
from sfd_core.evaluation.intervals import Interval, wilson
from sfd_core.evaluation.judge import ImageJudge
from sfd_core.evaluation.probe import Network, ProbeResult
from sfd_core.evaluation.questions import Prompts
from sfd_core.evaluation.subject import base_sampler_of
from sfd_core.families.attacked import Asked, AttackedNetwork
from sfd_core.families.images import to_uint8
from sfd_core.families.protocol import ClassGenerator, LoadedBase
from sfd_core.families.protocol import Generator as OneStepGenerator
from sfd_core.families.registry import family_of
from sfd_core.families.sampling import ImageSampler, PromptSampler
from sfd_core.request.overrides.fixed import FixedOverride
from sfd_core.request.unlearning_request import UnlearningRequest

IMAGES = 200
"""Images behind every rate: a share near one half is known to about +-0.07."""
SHOWN = 8
"""Images in a row of examples."""
CHUNK = 50
"""Images made between two progress updates."""

T = TypeVar("T")
Images = NDArray[np.uint8]
Steps = Generator[int, None, T]
"""Work that yields after every piece of at most a few seconds how many of its planned pieces are done by that, and
returns its result."""


@dataclass(frozen=True)
class AttackTarget:
    """The network that is probed, beside those that it is compared with.

    ``controls``: by forgotten label, a one-step generator of a network retrained without that concept, where the base
    model has one. ``forgotten``: each forgotten label and the label that overrides it, None where the override is not
    one fixed concept. ``second_judge``: trained apart from the first, or None. ``prompts``: how concepts are asked for
    where the model takes prompts; None: by their labels. ``extractor``: of features that no attack was led by, where
    the base model ships statistics of any.
    """

    generator: OneStepGenerator
    base: LoadedBase
    controls: Mapping[int, OneStepGenerator]
    judge: ImageJudge
    second_judge: ImageJudge | None
    forgotten: Sequence[tuple[int, int | None]]
    seed: int
    device: torch.device
    prompts: Prompts | None = None
    extractor: FeatureExtractor | None = None
    images: int = IMAGES
    drawn: dict[tuple[int, ...], Images] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if self.second_judge is not None and self.base.model.second_judge is None:
            raise ValueError("a second judge is given, but the base model's manifest names none: name it there")

    @classmethod
    def of(
        cls,
        generator: OneStepGenerator,
        base: LoadedBase,
        evaluators: Evaluators,
        request: UnlearningRequest,
        device: torch.device,
    ) -> AttackTarget:
        """Make the target of a request's probes. ``evaluators``: asking for the request, whose judge is a classifier:
        a search takes gradients through it.

        Raises:
            ModelRefused: for a control of other concepts than the base model's.
        """
        model, judge = base.model, evaluators.judge
        if not isinstance(judge, ImageJudge):
            raise ValueError("probes search with gradients through a judge that is a classifier")
        overrides = (item.override for item in request.forget)
        instead = (each.concept if isinstance(each, FixedOverride) else None for each in overrides)
        labels = [model.concept_index(item.concept) for item in request.forget]
        forgotten = [
            (label, model.concept_index(concept) if concept in model.concepts else None)
            for label, concept in zip(labels, instead, strict=True)
        ]
        controls = {
            model.concept_index(item.concept): _control(model, control, device)
            for item in request.forget
            if (control := model.controls.get(item.concept)) is not None
        }
        second, prompts, extractor = (
            evaluators.second_judge,
            evaluators.prompts,
            next(iter(evaluators.extractors), None),
        )
        return cls(generator, base, controls, judge, second, forgotten, request.seed, device, prompts, extractor)

    def rng(self, probe: str, label: int) -> torch.Generator:
        """Return the random numbers of one probe of one concept: the same for every network, none shared between
        probes."""
        words = np.random.SeedSequence([self.seed, label, *probe.encode()]).generate_state(1, np.uint64)
        return torch.Generator().manual_seed(int(words[0]) >> 1)

    def asked(self, labels: Sequence[int], seeds: Sequence[int]) -> Asked:
        """Return what an image of each (label, seed) is asked for by: its label, or one of the evaluation's prompts,
        which take turns with the seeds."""
        return list(labels) if self.prompts is None else self.prompts.texts(labels, seeds)

    def base_images(self, labels: Sequence[int]) -> Steps[Images]:
        """Have the untouched base model draw an image of each of ``labels``, the same whichever probe wants it; yields
        a progress update after every :data:`CHUNK`."""
        count: dict[int, int] = {}
        seeds = []
        for label in labels:
            seeds.append(count.get(label, 0))
            count[label] = seeds[-1] + 1
        asked, sampler = self.asked(labels, seeds), base_sampler_of(self.base, self.device)
        noise: list[int] = torch.randint(2**62, (len(labels),), generator=self.rng("base model images", 0)).tolist()
        pieces = []
        for i in range(0, len(labels), CHUNK):
            key = (i, *labels[i : i + CHUNK])
            if key not in self.drawn:
                self.drawn[key] = sample(sampler, asked[i : i + CHUNK], noise[i : i + CHUNK])
            pieces.append(self.drawn[key])
            yield 1
        return np.concatenate(pieces)

    def in_steps(self, network: Any, label: int, rng: torch.Generator) -> Steps[Images]:
        """Draw images of ``label`` from noise by the base model's own sampler over ``network``."""
        sampler = base_sampler_of(dataclasses.replace(self.base, network=network), self.device)
        asked = self.asked([label] * self.images, range(self.images))
        noise: list[int] = torch.randint(2**62, (self.images,), generator=rng).tolist()
        pieces = []
        for i in range(0, self.images, CHUNK):
            pieces.append(sample(sampler, asked[i : i + CHUNK], noise[i : i + CHUNK]))
            yield 1
        return np.concatenate(pieces)

    def names(self, label: int) -> list[Network]:
        """List the networks that can be asked."""
        model = self.base.model
        names: list[Network] = ["generator"]
        names += ["control"] if label in self.controls else []
        names += ["first_stage"] if model.distilled is not None else []
        return [*names, "base_model"]

    def networks(self, label: int) -> dict[Network, AttackedNetwork]:
        """Return copies, in evaluation mode and without gradients on their weights, of the networks that can be asked.

        The base model is used at the generator's own time; a control and the first stage at those they were made for.
        """
        base, start = dataclasses.replace(self.base, schedule=self.base.schedule.to(self.device)), self.generator.start
        family, distilled = family_of(base.model.family), base.model.distilled
        found: dict[Network, tuple[Any, float]] = {"generator": (self.generator.network, start)}
        if (control := self.controls.get(label)) is not None:
            found["control"] = (control.network, control.start)
        if distilled is not None:
            network = family.load_network(base.model.folder / distilled.generator)
            found["first_stage"] = (network, distilled.t_init)
        found["base_model"] = (base.network, start)
        return {
            name: family.attacked(copy.deepcopy(net).to(self.device).eval().requires_grad_(False), base, t)
            for name, (net, t) in found.items()
        }

    @property
    def scored_by(self) -> str:
        """The judge that counts: the second one where there is one, so that what fools the judge that an attack was led
        by is not counted as the look of the concept."""
        model = self.base.model
        info = model.judge if self.second_judge is None else model.second_judge
        assert info is not None  # a target's judges are those that the model names
        return info.name

    def shows(self, images: Images, label: int) -> NDArray[np.bool_]:
        """Return in which of ``images`` the judge that counts sees ``label``: [n]."""
        judge = self.judge if self.second_judge is None else self.second_judge
        shows: NDArray[np.bool_] = judge.judge(images).seen == label
        return shows

    def seen(self, images: Images, label: int) -> Interval:
        """Return the share of ``images`` in which the judge that counts sees ``label``."""
        return wilson(int(self.shows(images, label).sum()), len(images))

    def log_p(self, images: Tensor, label: int) -> Tensor:
        """Return ``log p(label)`` by the first judge, which leads searches: [B] from images [B, C, H, W]."""
        # A judge looks at pixels in [-1, 1]; the clamp must not stop the gradient of a pixel that overshoots.
        images = images + (images.clamp(-1, 1) - images).detach()
        return self.judge.logits(images).log_softmax(dim=1)[:, label]


def _control(model: BaseModel, folder: str, device: torch.device) -> OneStepGenerator:
    control = family_of(model.family).load_generator(model.folder / folder, str(device))
    if not isinstance(control, ClassGenerator) or control.concepts != model.concepts:
        raise ModelRefused(f"{model.folder / folder}: its concepts are not the base model's in their order")
    return control


@dataclass(frozen=True)
class Examples:
    """Rows of images for a reader's own eyes. ``rows``: a title each; ``images``: uint8 [rows, n, H, W(, 3)]."""

    name: str
    rows: tuple[str, ...]
    images: Images


@dataclass(frozen=True)
class Outcome:
    """The result of one probe of one class: its row of the report, and examples of what stands behind it."""

    result: ProbeResult
    examples: Examples


def draw(network: AttackedNetwork, z: Tensor, c: Tensor) -> Steps[Images]:
    """Draw an image from each unit noise z [n, ...] under embeddings c [n, ...], as the generator does."""
    return (yield from _pieces(lambda i: network.images(z[i], c[i]), len(z), network))


def finish(network: AttackedNetwork, x_t: Tensor, t: float, c: Tensor) -> Steps[Images]:
    """Have the network finish noised images x_t [n, ...] at time t in one evaluation under embeddings c [n, ...],
    guided where the base model guides."""
    return (yield from _pieces(lambda i: network.pixels(network.guided(x_t[i], t, c[i])), len(x_t), network))


def _pieces(make: Callable[[slice], Tensor], n: int, network: AttackedNetwork) -> Steps[Images]:
    """Make ``n`` images without gradients, a slice of them at a time; yields a progress update after every
    :data:`CHUNK`."""
    images = []
    for begin in range(0, n, CHUNK):
        end = min(begin + CHUNK, n)
        for first in range(begin, end, network.together):
            with torch.no_grad():
                images.append(to_uint8(make(slice(first, min(first + network.together, end)))))
        yield 1
    return np.concatenate(images)


def sample(sampler: ImageSampler, asked: Asked, seeds: Sequence[int]) -> Images:
    """Draw an image for each (asked, seed) at the sampler's many steps."""
    if isinstance(sampler, PromptSampler) and isinstance(asked[0], str):
        return sampler.sample_prompts([str(prompt) for prompt in asked], seeds)
    return sampler.sample_labels([int(label) for label in asked], seeds)


def chunks(n: int) -> int:
    """Count the pieces in which ``n`` images are made."""
    return -(-n // CHUNK)
