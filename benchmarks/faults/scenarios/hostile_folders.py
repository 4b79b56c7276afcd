"""60 hostile or senseless model folders."""

from benchmarks.faults.scenario import Scenario, Switch

SCENARIO = Scenario(
    number=29,
    inject="60 hostile or senseless model folders",
    holds="refused in 5 s and 500 MB each; only listed bytes are opened",
    tests=(
        "tests/unit/families/test_hostile_folders.py",
        "tests/unit/families/test_part_configs.py",
    ),
    switches=(
        Switch(
            mechanism="file allow-list",
            module="sfd_core.base_model.verifying",
            there="    if beside := unlisted(model, limits):",
            instead="    if beside := unlisted(model, limits)[:0]:",
            tests=("tests/unit/families/test_hostile_folders.py",),
            quick=True,
        ),
    ),
)
