"""A run's own check: a larger look than a quick evaluation, which says whether the report would pass by now.

What is looked at and what it takes to pass is ``sfd_core.evaluation.own_check``'s; here is what a run remembers of it.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Check:
    """One check: where in the run it was made, and what it said.

    ``seconds``: that the check itself took; ``made``: images that it looked at; ``missing``: in a sentence a criterion,
    what it does not pass, or passes too narrowly. The run has passed where nothing is missing.
    """

    step: int
    images: int
    seconds: float
    made: int
    missing: tuple[str, ...]

    @property
    def passed(self) -> bool:
        """Whether the report would pass."""
        return not self.missing
