"""Priorities: which of a tenant's own jobs goes first. Between tenants they say nothing (``jobs.turns``)."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from enum import StrEnum
from types import MappingProxyType


class Priority(StrEnum):
    """The priority of a job among its tenant's others."""

    LOW = "low"
    NORMAL = "normal"
    URGENT = "urgent"


AGEING = timedelta(days=7)
"""How much later a job of the next lower priority goes: it is not passed for ever."""

BEHIND: Mapping[Priority, timedelta] = MappingProxyType(
    {Priority.URGENT: 0 * AGEING, Priority.NORMAL: 1 * AGEING, Priority.LOW: 2 * AGEING}
)
"""What is added to the time of a job's submission: of a tenant's jobs that wait, the one goes first whose sum is the
earliest. So an urgent one goes before every normal one that was submitted in the seven days before it."""
