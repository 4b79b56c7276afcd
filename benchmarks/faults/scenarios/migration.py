"""The newest migration up and down while the version before it works."""

from benchmarks.faults.scenario import Scenario

SCENARIO = Scenario(
    number=26,
    inject="the newest migration up and down while the version before it works",
    holds="0 failed jobs",
    tests=("tests/faults/test_migration_at_work.py",),
    minutes=2,
)
