"""A kill at every step of a publication."""

from benchmarks.faults.scenario import Scenario, Switch

SCENARIO = Scenario(
    number=13,
    inject="a kill at every step of a publication",
    holds="the old or the new, never half; the next attempt publishes once",
    tests=(
        "tests/faults/test_cut_publication.py",
        "tests/store/test_fence.py::test_publishing_that_fails_halfway_leaves_nothing",
    ),
    switches=(
        Switch(
            mechanism="one transaction of a publication",
            module="jobs.fence",
            there="    connection.execute(\n        insert(reports)",
            instead="    connection.commit()\n    connection.execute(\n        insert(reports)",
            tests=("tests/store/test_fence.py::test_publishing_that_fails_halfway_leaves_nothing",),
        ),
    ),
    minutes=3,
)
