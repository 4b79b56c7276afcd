"""A deletion that is killed between every two of its steps; an artefact store that fails under it."""

from __future__ import annotations

from benchmarks.faults.scenario import Scenario, Switch

SCENARIO = Scenario(
    number=39,
    inject="a kill between every two steps of a deletion; random deletions with an artefact store that fails",
    holds="everything is there, or a tombstone whose files go in the next round; nothing goes that a row names",
    tests=(
        "tests/faults/test_cut_deletion.py",
        "tests/store/test_random_deletions.py",
    ),
    switches=(
        Switch(
            mechanism="one transaction of a deletion",
            module="jobs.deleting",
            there="    with engine.begin() as connection:\n        job = rows.lock(connection, jobs.c.id == job_id,",
            instead='    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:\n'
            "        job = rows.lock(connection, jobs.c.id == job_id,",
            tests=("tests/faults/test_cut_deletion.py",),
        ),
        Switch(
            mechanism="files that the report has too stay",
            module="worker.deletion",
            there="set(tombstone.files.values()) - still_named",
            instead="set(tombstone.files.values())",
            tests=("tests/store/test_random_deletions.py",),
        ),
        Switch(
            mechanism="what is said to be removed once it is",
            module="worker.deletion",
            there="        _remove(engine, artifacts, tombstone)\n        tombstones.removed(engine, tombstone)",
            instead="        tombstones.removed(engine, tombstone)\n        _remove(engine, artifacts, tombstone)",
            tests=("tests/faults/test_cut_deletion.py",),
        ),
    ),
    minutes=1,
)
