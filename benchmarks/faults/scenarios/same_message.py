"""The same message 100 times at once."""

from benchmarks.faults.scenario import Scenario, Switch

SCENARIO = Scenario(
    number=4,
    inject="the same message 100 times at once",
    holds="1 claim",
    tests=(
        "tests/faults/test_promise.py::test_the_same_message_many_times_is_one_claim",
        "tests/store/test_fence.py::test_of_claims_at_once_one_wins",
    ),
    switches=(
        Switch(
            mechanism="claim of what is queued",
            module="jobs.fence",
            there="(jobs.c.id == next_id, jobs.c.status == str(Status.QUEUED), ",
            instead="(jobs.c.id == next_id, ",
            tests=("tests/store/test_fence.py::test_of_claims_at_once_one_wins",),
        ),
    ),
)
