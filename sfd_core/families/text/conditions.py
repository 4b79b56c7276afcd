"""The conditions of a text-to-image model: rows of a table of prompts, all encoded before the first step."""

from __future__ import annotations

from collections.abc import Sequence

from sfd_core.families.protocol import ConditionTable
from sfd_core.families.text.prompt_table import EMPTY, PromptTable
from sfd_core.prompts.plan import PromptPlan


def prompt_conditions(plan: PromptPlan, table: PromptTable) -> tuple[ConditionTable, ConditionTable]:
    """Return what may be asked for while something is forgotten, and while nothing is (distillation): as rows of
    ``table``, which holds every condition of ``plan``."""
    rows = table.rows
    remaining = [rows[condition] for condition in plan.remaining()]
    forgotten = [[rows[asked.condition] for asked in item] for item in plan.forgotten]
    overrides: dict[int, Sequence[int]] = {
        rows[asked.condition]: [rows[o] for o in asked.overrides] for item in plan.forgotten for asked in item
    }
    plain = [rows[asked.plain] for item in plan.forgotten for asked in item]
    return (
        ConditionTable(forgotten, remaining, overrides, dropped=EMPTY),
        ConditionTable((), [*remaining, *dict.fromkeys(plain)], {}, dropped=EMPTY),
    )
