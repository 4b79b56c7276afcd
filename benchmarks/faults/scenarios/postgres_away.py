"""Postgres away for 30 s, and for 5 min, under the shipped lease of 60 s."""

from benchmarks.faults.scenario import Scenario, Switch

SCENARIO = Scenario(
    number=15,
    inject="Postgres away for 30 s, and for 5 min, under the shipped lease of 60 s",
    holds="the run goes on; it fences itself and is resumed; 0 published twice",
    tests=(
        "tests/faults/test_postgres_away.py",
        "tests/faults/test_database_away.py::test_it_is_tried_until_the_lease_must_be_lost",
    ),
    switches=(
        Switch(
            mechanism="fence by its own clock",
            module="worker.lease",
            there="        if time.monotonic() - self.renewed_at > self.settings.lease_seconds:",
            instead="        if time.monotonic() < self.renewed_at:",
            tests=("tests/faults/test_database_away.py::test_it_is_tried_until_the_lease_must_be_lost",),
        ),
    ),
    minutes=9,
)
