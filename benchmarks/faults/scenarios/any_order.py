"""Every command in any order (a state machine of Hypothesis)."""

from benchmarks.faults.scenario import Scenario, Switch

SCENARIO = Scenario(
    number=25,
    inject="every command in any order (a state machine of Hypothesis)",
    holds="0 moves that are not legal; events retell the moves",
    tests=(
        "tests/store/test_machine.py",
        "tests/store/test_moves.py::test_command",
        "tests/store/test_states.py",
    ),
    switches=(
        Switch(
            mechanism="state machine",
            module="jobs.states",
            there="    if events is None:\n        raise",
            instead="    if events is None:\n        return\n        raise",
            tests=(
                "tests/store/test_moves.py::test_check_move",
                "tests/store/test_machine.py",
            ),
            quick=True,
        ),
    ),
)
