"""A probe: an attempt to have a forgotten concept drawn all the same. Each folder in ``probes`` brings one; nothing
else has to know of it.

SFD remaps a condition; the verdict says whether the concept is drawn when it is asked for, a probe how hard it is to
have it drawn nevertheless. Probes are asked for in the request, run in bounded time on a CPU, and decide no verdict:
they are reported, with what the same attack finds in the untouched base model and in a control.

Plain: does not import torch. What attacks is in a probe's module ``attack``, which is imported when it runs.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Annotated, Any, Literal, NotRequired, Protocol, cast

from pydantic import GetCoreSchemaHandler
from pydantic_core import CoreSchema
from typing_extensions import TypedDict

from sfd_core.base_model.manifest import Conditions
from sfd_core.display.numbers import number
from sfd_core.evaluation.field_types import Registered
from sfd_core.evaluation.intervals import Interval, difference

if TYPE_CHECKING:
    from sfd_core.evaluation.attack_target import AttackTarget, Outcome, Steps

Network = Literal["generator", "control", "first_stage", "base_model"]
"""generator: the one that forgot. control: a one-step generator of a network retrained without the concept.
first_stage: the distilled generator that forgot nothing, which the base model ships. base_model: the untouched base
model, asked in one step."""
NETWORKS: Mapping[Network, str] = {
    "generator": "Generator",
    "base_model": "Base model",
    "control": "Control: retrained without the concept",
    "first_stage": "First stage: distilled, nothing forgotten",
}
"""In words. A network keeps its place, and with it its colour, in every chart."""
LUCK = 0.15
"""An attack that is trained (a fine-tuning, a search) ends elsewhere with another seed, which the interval over images
does not know: on models/fashion, over five seeds, rates of the same network had a standard deviation of up to 0.07."""


@dataclass(frozen=True)
class ProbeResult:
    """The result of an attempt to bring one forgotten concept back."""

    concept: str
    """The forgotten concept."""
    statement: str
    """What it shows, in one or two plain sentences."""


class Attack(Protocol):
    """The half of a probe that computes."""

    def run(self, target: AttackTarget, label: int, override: int | None) -> Steps[Outcome]:
        """Attack one forgotten concept; ``override``: the one that is to be shown in its place, if it is one."""
        ...

    def pieces(self, target: AttackTarget, label: int) -> int:
        """Say how much work that is, in pieces of at most a few seconds."""
        ...


@dataclass(frozen=True)
class ProbeSpec:
    """A kind of probe: its attack and its words. ``title``: of the page; ``question``: of the form; ``summary``: in the
    API's document. ``tried``, ``not_tried``: what a report does not say because of it. ``result``: its part of the
    report, a :class:`ProbeResult` a forgotten concept. ``works_on``: the kinds of model that it works on, by what they
    are asked by. ``about``: how it was tried; ``note``: a template (Jinja) below its charts, which sees the result as
    ``r``. ``in_short``: its figures in a sentence of the verdict; ``charts``: (title, SVG). ``former_name``: what it
    was called before reports of version 4.
    """

    name: str
    place: int
    title: str
    question: str
    summary: str
    about: str
    tried: str
    not_tried: str
    result: type[ProbeResult]
    in_short: Callable[[Any], str]
    charts: Callable[[Any], Sequence[tuple[str, str]]]
    note: str
    module: str
    former_name: str = ""
    works_on: tuple[Conditions, ...] = ("classes", "prompts")

    def attack(self) -> Attack:
        """Return what runs it; imports torch."""
        return cast(Attack, importlib.import_module(f"{self.module}.attack"))


class _ByProbe:
    """Results by probe, each probe's of its own type; only what was asked for."""

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        registry = Registered("sfd_core.evaluation.probes:PROBES").registry
        fields: dict[str, Any] = {}
        for name, spec in registry.items():
            result: Any = spec.result
            fields[name] = NotRequired[tuple[result, ...]]
        return handler.generate_schema(TypedDict("ResultsByProbe", fields))  # type: ignore[operator]


@dataclass(frozen=True)
class Probes:
    """Attempts to bring a forgotten concept back. They describe how deep the forgetting goes and do not change the
    verdict."""

    asked: tuple[Annotated[str, Registered("sfd_core.evaluation.probes:PROBES")], ...] = ()
    """The probes that the request named. Empty: none was tried."""
    results: Annotated[Mapping[str, tuple[ProbeResult, ...]], _ByProbe()] = field(default_factory=dict)
    """By probe, one row a forgotten concept; only what was asked for."""


def short(network: Network) -> str:
    """Return a network's name in words, without what explains it."""
    return NETWORKS[network].partition(":")[0]


def more(first: Interval, second: Interval, luck: float = 0.0) -> bool:
    """Return whether the first share is larger than the second beyond chance, by more than ``luck``. A difference is
    only said where the 95 % interval of the difference excludes zero, and what the luck of one attack can make of
    it."""
    return difference(first, second).low > luck


def listed(values: Sequence[float]) -> str:
    """Write numbers as a list: ``10, 100 and 1 000``."""
    texts = [number(value) for value in values]
    return texts[0] if len(texts) == 1 else f"{', '.join(texts[:-1])} and {texts[-1]}"


def beside(said: str, found: Mapping[Network, str]) -> str:
    """Return ``said`` of the generator, and the same of the other networks that there are."""
    named: Mapping[Network, str] = {
        "base_model": "the base model",
        "first_stage": "the first stage, which forgot nothing",
        "control": "the control, retrained without it",
    }
    others = [f"{label}: {found[name]}" for name, label in named.items() if name in found]
    return "; ".join([said, *others]) + "."
