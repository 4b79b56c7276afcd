"""A section of the report: what it measures, where that stands in the report, and its words on the page. Each file in
``sections`` brings one; nothing else has to know of it.

Plain: does not import torch. A section's ``measure`` imports what computes when it is called.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeAlias

if TYPE_CHECKING:
    from sfd_core.evaluation.evidence import Evidence, Question, Setting
    from sfd_core.evaluation.own_network import OwnNetwork

Look: TypeAlias = "Callable[[Setting, OwnNetwork], Iterator[tuple[int, int, Any]]]"
"""Makes images with a generator's own network and has them judged. Yields (images done, of, None), at last (of, of,
what was seen), which is the section's own."""


def _asks_nothing(_: Setting) -> Sequence[Question]:
    return ()


def _nothing(_: Any) -> Mapping[str, Any]:
    return {}


@dataclass(frozen=True)
class Section:
    """A section of the report: what it measures and how the page shows it. ``part``: a frozen dataclass whose fields
    are fields of the report; their defaults stand where nothing could be measured. ``measure``: makes one; it is not
    called where no judge looked, unless ``needs_judge`` is False. ``questions``: further images that it wants to be
    asked for, of text-to-image models. ``look``: what it makes itself with the network of a one-step generator, where
    there is a judge.

    The rest is the page: templates (Jinja) that see the report as ``report``, and what ``helpers`` makes of it.
    ``page``: its card. ``tiles``: figures under the verdict. ``answer``: what it says below the criteria. ``fact``: a
    row in the card of image quality. Each may come out empty. ``limits``: what the report does not say because of it.
    """

    place: int
    part: type[Any]
    measure: Callable[[Evidence], Any]
    questions: Callable[[Setting], Sequence[Question]] = _asks_nothing
    look: Look | None = None
    needs_judge: bool = True
    page: str = ""
    tiles: str = ""
    answer: str = ""
    fact: str = ""
    helpers: Callable[[Any], Mapping[str, Any]] = _nothing
    limits: Callable[[Any], Sequence[str]] = lambda _: ()
