"""Killed publications, failed and cancelled attempts, jobs of very many events, old idempotency rows."""

from benchmarks.faults.scenario import Scenario, Switch

SCENARIO = Scenario(
    number=37,
    inject="killed publications, failed and cancelled attempts, jobs of very many events, old idempotency rows",
    holds="leftovers are gone within an hour of the clock's; a page reads what it shows",
    tests=(
        "tests/store/test_collection.py",
        "tests/store/test_leftovers.py",
        "tests/store/test_long_jobs.py",
    ),
    switches=(
        Switch(
            mechanism="collection by the reaper",
            module="worker.reaper",
            there="                collect(self.store, self.artifacts, self.settings)",
            instead="                pass",
            tests=("tests/store/test_collection.py",),
        ),
    ),
    left="60 000 events of a job, by the rows that a page looks at; no clock is moved for an hour: the reaper's sweep is called",
)
