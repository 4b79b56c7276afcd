"""Every number of every configuration file at 0, -1, 10^9, NaN and as text."""

from benchmarks.faults.scenario import Scenario, Switch

SCENARIO = Scenario(
    number=38,
    inject="every number of every configuration file at 0, -1, 10^9, NaN and as text",
    holds="a refusal in words, never an exception that nobody catches",
    tests=(
        "tests/unit/families/test_part_configs.py",
        "tests/unit/base_model/test_hostile_manifest.py",
        "tests/unit/families/test_every_number.py",
    ),
    switches=(
        Switch(
            mechanism="bounds of numbers",
            module="sfd_core.base_model.config_checks",
            there="lambda v: is_whole(v) and low <= v <= high",
            instead="lambda v: is_whole(v)",
            tests=(
                "tests/unit/families/test_part_configs.py",
                "tests/unit/base_model/test_hostile_manifest.py",
                "tests/unit/families/test_every_number.py",
            ),
        ),
    ),
)
