"""Probes: how deep is the forgetting? SFD remaps a condition; the verdict says whether the class is drawn when it is
asked for, a probe how hard it is to have it drawn all the same.

They are asked for in the request, run in bounded time on a CPU, and decide no verdict: they are reported, with what
the same attack finds in the untouched base and in a network that never knew the class.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sfd_core.evaluation.probes import condition_attack, image_start, relearning
from sfd_core.evaluation.probes.subject import Examples, Finding, Steps, Subject

__all__ = ["PROBES", "Examples", "Probe", "ProbeResults", "Subject", "probe"]


@dataclass(frozen=True)
class Probe:
    """``run(subject, label, override)`` probes one forgotten class; ``pieces(subject, label)``: how much work it is."""

    run: Callable[[Subject, int, int | None], Steps[Finding]]
    pieces: Callable[[Subject, int], int]


PROBES: Mapping[str, Probe] = {
    "relearning": Probe(relearning.relearning, relearning.pieces),
    "image_start": Probe(image_start.image_start, image_start.pieces),
    "condition_attack": Probe(condition_attack.condition_attack, condition_attack.pieces),
}
"""By the name that a request asks for."""


@dataclass(frozen=True)
class ProbeResults:
    """``results``: the report's part as JSON, by probe, an entry a forgotten class. ``examples``: named
    ``probe_<probe>_<k>`` for the k-th forgotten class."""

    results: dict[str, list[dict[str, Any]]]
    examples: tuple[Examples, ...]


def probe(names: Sequence[str], subject: Subject) -> Iterator[tuple[int, int, ProbeResults | None]]:
    """Run the probes ``names`` on every forgotten class. Yields (pieces done, of, None) every few seconds and at last
    (of, of, the results). The same subject gives the same results; none of its networks changes.

    Raises:
        KeyError: for a name that is none of :data:`PROBES`; requests are checked before.
    """
    probes = {name: PROBES[name] for name in names}
    of = sum(each.pieces(subject, label) for each in probes.values() for label, _ in subject.forgotten)
    done = 0
    results: dict[str, list[dict[str, Any]]] = {name: [] for name in probes}
    examples = []
    for name, each in probes.items():
        for k, (label, override) in enumerate(subject.forgotten):
            steps = each.run(subject, label, override)
            while True:
                try:
                    done += next(steps)
                except StopIteration as finished:
                    finding: Finding = finished.value
                    break
                yield done, of, None
            results[name].append(finding.result)
            examples.append(dataclasses.replace(finding.examples, name=f"probe_{name}_{k}"))
    yield of, of, ProbeResults(results, tuple(examples))
