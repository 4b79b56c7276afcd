"""Images for requests that wait together, drawn in one batch.

A generator makes ``SAMPLE_BATCH`` images at a time whatever it is asked for, and image i depends on its own seed and
on what is asked for alone. So the places that a request leaves empty cost nothing: they go to those that wait behind it
for the same generator, which get the same bytes as alone. No batch is added to what the oldest request takes.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any

from sfd_core.errors import ModelRefused
from sfd_core.families.protocol import Generator
from sfd_core.families.sampling import SAMPLE_BATCH, ClassSampler, Images, PromptSampler, UnknownConcept


@dataclass(frozen=True, eq=False)
class _Waiting:
    generator_id: str
    request: Mapping[str, Any]
    drawn: Future[Images] = field(default_factory=Future)

    @property
    def n(self) -> int:
        return len(self.request["prompts"]) if "prompts" in self.request else int(self.request["n"])


class Drawing:
    """A thread that draws what any number of threads ask for, oldest first: torch runs in that one alone. ``open_``:
    the generator of an id, which may take its time and may refuse."""

    def __init__(self, open_: Callable[[str], Generator]) -> None:
        self._open = open_
        self._lock = threading.Lock()
        self._waiting: list[_Waiting] = []
        self._thread = ThreadPoolExecutor(1, "drawing")

    def draw(self, generator_id: str, request: Mapping[str, Any]) -> Images:
        """Wait for the images of ``request``: its ``seed``, and a ``concept`` of which ``n`` are made, or ``prompts``,
        one an image. uint8 [n, H, W] or [n, H, W, 3].

        Raises:
            UnknownConcept: the generator does not know it; those drawn along with it do not notice.
            ModelRefused: the generator is of another family than what it is asked for.
            Exception: what opening the generator or drawing raised.
        """
        mine = _Waiting(generator_id, request)
        with self._lock:
            self._waiting.append(mine)
        self._thread.submit(self._draw_next)
        return mine.drawn.result()

    def in_between(self, work: Callable[[], object]) -> None:
        """Have ``work`` done in the thread that draws, between two batches. Returns at once."""
        self._thread.submit(work)

    def _draw_next(self) -> None:
        """Draw the oldest request and what fits beside it; each was announced, so that some find nothing left."""
        together = self._take()
        if not together:
            return
        try:
            generator = self._open(together[0].generator_id)
            _draw(generator, together)
        except Exception as error:  # noqa: BLE001 - it belongs to those who asked
            for each in together:
                if not each.drawn.done():
                    each.drawn.set_exception(error)

    def _take(self) -> list[_Waiting]:
        with self._lock:
            taken = self._waiting[:1]
            room = -taken[0].n % SAMPLE_BATCH if taken else 0
            for each in self._waiting[1:]:
                if each.generator_id == taken[0].generator_id and each.n <= room:
                    taken.append(each)
                    room -= each.n
            self._waiting = [each for each in self._waiting if each not in taken]
        return taken


def _draw(generator: Generator, together: Sequence[_Waiting]) -> None:
    """Give each of ``together`` its images, or why there are none."""
    rows: list[Any] = []
    seeds: list[int] = []
    asking: list[_Waiting] = []
    for each in together:
        try:
            own = _rows(generator, each)
        except (ModelRefused, UnknownConcept) as error:
            each.drawn.set_exception(error)
            continue
        rows += own
        seeds += range(each.request["seed"], each.request["seed"] + each.n)
        asking.append(each)
    if not asking:
        return
    draw = generator.sample_prompts if isinstance(generator, PromptSampler) else generator.sample_labels
    images = draw(rows, seeds)
    start = 0
    for each in asking:
        each.drawn.set_result(images[start : start + each.n])
        start += each.n


def _rows(generator: Generator, asked: _Waiting) -> list[Any]:
    """Return a prompt or a label for each image that is asked for."""
    match generator, asked.request:
        case PromptSampler(), {"prompts": [*prompts]}:
            return prompts
        case ClassSampler(), {"concept": concept, "n": n}:
            return [generator.label(concept)] * n
    raise ModelRefused(f"generator {asked.generator_id} is of another family than what it was asked for")
