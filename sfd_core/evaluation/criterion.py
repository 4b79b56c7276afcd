"""A criterion: a threshold that a request may set, and what is held against it. Each file in ``criteria`` brings one;
nothing else has to know of it. Plain: does not import torch."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from sfd_core.errors import FieldError
from sfd_core.evaluation.parts import Parts
from sfd_core.evaluation.verdict import Criterion, Verdict

if TYPE_CHECKING:
    from sfd_core.evaluation.evidence import Evidence

NO_JUDGE_HINT = "give CLIP weights (LETHE_CLIP_WEIGHTS), or a base model whose manifest names a judge"
"""What would let something be decided where no judge looked."""

BEHIND_A_FILTER = (
    "a filter answers in place of the network, and the network itself was not asked: whoever has its weights has no "
    "filter; evaluate the generator without it"
)
"""Why nothing of the network itself is decided where a filter makes no image."""


Remedy = Literal["judge_more_forgotten", "judge_more_kept", "another_override", "raise_deep_weight", "train_longer"]
"""What may help where a criterion is not passed: more evaluation images of what is forgotten, or of the rest, where it
is inconclusive; another override; a larger ``deep_weight``; more images of training."""


@dataclass(frozen=True)
class Material:
    """The material that a base model brings to be judged by. ``judge``: whether one looks; ``real``: real images of
    remaining concepts among its reference statistics; ``features``: of its judge, counted."""

    judge: bool
    real: int = 0
    features: int = 0


def lacks_judge(material: Material) -> str | None:
    """Say what keeps a criterion undecided that takes a judge alone, if anything."""
    return None if material.judge else f"no judge says what is in an image: {NO_JUDGE_HINT}"


@dataclass(frozen=True)
class CriterionSpec:
    """A kind of criterion: its threshold, its decision and its words. ``default``: the threshold where a request sets
    none; ``low``, ``high``: it lies between them, both excluded unless ``low_allowed`` or ``high_allowed``. There it
    asks for nothing. ``description``: in the API's document and the report's schema. ``decide``: holds what was
    measured against the threshold; by concept or domain there may be several. ``at_once``: for how many figures at once
    its interval holds, at most. ``lacking``: says what a base model would have to bring for it to be decided, if
    anything. ``remedies``: what may help where it is not passed, the likeliest first.

    The rest is words. ``label``, ``hint``: of the form's field; ``text_only``: the form asks for it of text-to-image
    models alone. ``at_least``: on which side of the threshold a pass lies. ``headlines``: by decision, and
    ``unmeasured`` where no judge looked, with ``{about}`` filled in. ``asked``, ``figures``, ``measured``: templates
    (Jinja) of the threshold in words, of the figures beside it and of what was measured in a sentence; they see the
    criterion as ``c`` and the report as ``report``. An empty ``measured`` is the criterion's own reason.
    """

    name: str
    place: int
    default: float
    low: float
    high: float
    description: str
    decide: Callable[[Parts, Evidence, float], Sequence[Criterion]]
    label: str
    hint: str
    headlines: Mapping[Verdict, str]
    unmeasured: str
    asked: str
    figures: str
    measured: str = ""
    at_least: bool = False
    low_allowed: bool = False
    high_allowed: bool = False
    text_only: bool = False
    at_once: Callable[[Evidence], int] = lambda evidence: 1
    lacking: Callable[[Material], str | None] = lacks_judge
    remedies: tuple[Remedy, ...] = ("train_longer",)

    def error(self, value: float) -> FieldError | None:
        """Return what is wrong with a request's threshold, if anything."""
        if self.low < value < self.high or (self.low_allowed and value == self.low):
            return None
        if self.high_allowed and value == self.high:
            return None
        least = f"at least {self.low:g}" if self.low_allowed else f"above {self.low:g}"
        most = f"at most {self.high:g}" if self.high_allowed else f"below {self.high:g}"
        return FieldError(f"/thresholds/{self.name}", f"must be {least} and {most}, not {value}")
