"""What a scenario is: a fault, what must hold when it is injected, the tests that inject it, and switches that take
away what holds it."""

from __future__ import annotations

import pkgutil
from collections.abc import Sequence
from dataclasses import dataclass
from importlib import import_module

from benchmarks.faults import scenarios
from benchmarks.shared.instead import source_of


@dataclass(frozen=True)
class Switch:
    """A mechanism that can be taken away: ``there``, which stands once in the text of ``module``, becomes ``instead``.
    Then one of ``tests`` at least must fail. ``quick``: they take seconds, and ``make test`` takes it away too."""

    mechanism: str
    module: str
    there: str
    instead: str
    tests: Sequence[str]
    quick: bool = False

    def source(self) -> str:
        """Return the module's text without the mechanism.

        Raises:
            ValueError: the mechanism is not written like that any more, and the switch would take away nothing.
        """
        source = source_of(self.module)
        if source.count(self.there) != 1:
            found = source.count(self.there)
            raise ValueError(f"{self.module}: what holds the {self.mechanism} stands there {found} times, not once")
        changed = source.replace(self.there, self.instead)
        compile(changed, self.module, "exec")
        return changed


@dataclass(frozen=True)
class Scenario:
    """A fault and what must hold. ``number``: its place in the table. ``tests``: those that inject it and measure; they
    have a quick form, in which ``make test`` runs them, and a full one, which takes about ``minutes`` on two cores.
    ``left``: what of the row is not tried, and why."""

    number: int
    inject: str
    holds: str
    tests: Sequence[str]
    switches: Sequence[Switch] = ()
    minutes: float = 1
    left: str = ""


def all_scenarios() -> dict[str, Scenario]:
    """Import every scenario there is: by the name of its file, in the order of the table."""
    names = [found.name for found in pkgutil.iter_modules(scenarios.__path__)]
    found = {name: import_module(f"{scenarios.__name__}.{name}").SCENARIO for name in names}
    return dict(sorted(found.items(), key=lambda each: each[1].number))
