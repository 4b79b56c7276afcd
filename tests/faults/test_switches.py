"""What holds the promise is missed where it is taken away: with each switch that takes seconds a test fails. The others
are tried by ``make faults``."""

from __future__ import annotations

import pytest

from benchmarks.faults.runner import run
from benchmarks.faults.scenario import Switch, all_scenarios

QUICK = [switch for scenario in all_scenarios().values() for switch in scenario.switches if switch.quick]


def test_there_are_ten() -> None:
    assert len(QUICK) >= 10


@pytest.mark.parametrize("switch", QUICK, ids=lambda switch: switch.mechanism)
def test_it_is_missed(switch: Switch) -> None:
    ran = run(switch.tests, switch=switch)
    assert ran.red, ran.output[-3000:]
