"""Runs the probes that a request names on every forgotten class."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from sfd_core.evaluation.attack_target import AttackTarget, Examples, Outcome
from sfd_core.evaluation.probe import ProbeResult, Probes
from sfd_core.evaluation.probes import PROBES


@dataclass(frozen=True)
class ProbeReport:
    """The results of all probes. ``part``: the report's; ``examples``: named ``probe_<probe>_<k>`` for the k-th
    forgotten class."""

    part: Probes
    examples: tuple[Examples, ...]


def run_probes(
    names: Sequence[str], target: AttackTarget, places: Sequence[int] | None = None
) -> Iterator[tuple[int, int, ProbeReport | None]]:
    """Run the probes ``names`` on every forgotten class. Yields (pieces done, of, None) every few seconds and at last
    (of, of, the results). The same target gives the same results; none of its networks changes. ``places``: which of
    the request's concepts these are, if not all of them.

    Raises:
        KeyError: for a name that is none of :data:`PROBES`; requests are checked before.
    """
    attacks = {name: PROBES[name].attack() for name in names}
    of = sum(attack.pieces(target, label) for attack in attacks.values() for label, _ in target.forgotten)
    done = 0
    results: dict[str, tuple[ProbeResult, ...]] = {}
    examples = []
    for name, attack in attacks.items():
        found: list[ProbeResult] = []
        for k, (label, override) in enumerate(target.forgotten):
            steps = attack.run(target, label, override)
            while True:
                try:
                    done += next(steps)
                except StopIteration as finished:
                    outcome: Outcome = finished.value
                    break
                yield done, of, None
            found.append(outcome.result)
            place = k if places is None else places[k]
            examples.append(dataclasses.replace(outcome.examples, name=f"probe_{name}_{place}"))
        results[name] = tuple(found)
    yield of, of, ProbeReport(Probes(tuple(names), results), tuple(examples))


def together(found: Sequence[Probes]) -> Probes:
    """Return the results of every domain as those of one; none where nothing was tried."""
    if not found:
        return Probes()
    names = found[0].asked
    return Probes(names, {name: tuple(row for each in found for row in each.results[name]) for name in names})
