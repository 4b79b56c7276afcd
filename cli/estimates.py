"""An estimate in words, a line each."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

from sfd_core.display.numbers import duration, number, size

if TYPE_CHECKING:
    from client.answers import Estimate, Range

PHASES = ("preparing", "training", "evaluating", "publishing", "total")


def estimate_lines(found: Estimate) -> Iterator[str]:
    """Yield what a job would take: time by phase, what that rests on, memory, its turn, storage, money."""
    for phase in PHASES:
        yield f"{phase:<11} {_span(found.seconds[phase], duration)}"
    yield f"{'images':<11} {_span(found.images, number)}"
    yield f"{'based on':<11} {_basis(found)}"
    needed = "not known" if found.memory.needed_bytes is None else f"at least {size(found.memory.needed_bytes)}"
    largest = found.memory.largest_worker_bytes
    yield f"{'memory':<11} {needed}" + ("" if largest is None else f"; the largest worker has {size(largest)}")
    queue = found.queue
    if queue.starts_in_seconds is None:
        when = queue.waiting or "no worker is there"
    else:
        when = f"starts in {_span(queue.starts_in_seconds, duration)}"
    yield f"{'queue':<11} number {queue.position}; {when}"
    yield f"{'storage':<11} {_span(found.stored_bytes, size)}"
    if found.cost is not None:
        yield f"{'cost':<11} {_span(found.cost, lambda value: f'{value:.2f}')}"


def _span(value: Range, words: Callable[[float], str]) -> str:
    likely, low, high = (words(each) for each in (value.likely, value.low, value.high))
    return likely if low == high else f"{likely} ({low} to {high})"


def _basis(found: Estimate) -> str:
    basis = found.based_on
    jobs = f"{number(basis.jobs)} job{'' if basis.jobs == 1 else 's'}"
    on = basis.device if basis.gpus == 1 else f"{basis.gpus} x {basis.device}"
    match basis.of:
        case "this_base_model":
            return f"{jobs} of {found.base_model} on {on}"
        case "other_base_models":
            return f"{jobs} of other base models on {on}"
    return f"a first guess: no job has ended on {on}"
