"""SIGSTOP of a worker for longer than its lease, then SIGCONT."""

from benchmarks.faults.scenario import Scenario, Switch

SCENARIO = Scenario(
    number=3,
    inject="SIGSTOP of a worker for longer than its lease, then SIGCONT",
    holds="0 writes of the old attempt accepted; it lets go within 15 s",
    tests=(
        "tests/faults/test_promise.py::test_a_zombie_writes_nothing",
        "tests/store/test_fence.py::test_an_old_attempt_writes_nothing",
        "tests/store/test_fence.py::test_a_lease_that_ran_out_writes_nothing",
    ),
    switches=(
        Switch(
            mechanism="fence",
            module="jobs.fence",
            there="return (jobs.c.id == job_id, jobs.c.attempt == attempt, _live())",
            instead="return (jobs.c.id == job_id, _live())",
            tests=("tests/store/test_fence.py::test_an_old_attempt_writes_nothing",),
            quick=True,
        ),
        Switch(
            mechanism="lease",
            module="jobs.fence",
            there=" & (jobs.c.lease_until > func.now())",
            instead="",
            tests=("tests/store/test_fence.py::test_a_lease_that_ran_out_writes_nothing",),
            quick=True,
        ),
    ),
)
