"""Cancel in each state, with no worker up, twice, at every step of a publication."""

from benchmarks.faults.scenario import Scenario, Switch

SCENARIO = Scenario(
    number=9,
    inject="cancel in each state, with no worker up, twice, at every step of a publication",
    holds="a queued job never starts, a running one stops within 10 s, a publication is all or nothing, the same answer twice",
    tests=(
        "tests/faults/test_promise.py::test_cancel_while_queued_never_starts",
        "tests/faults/test_promise.py::test_cancel_in_training_stops_within_ten_seconds",
        "tests/faults/test_promise.py::test_cancel_with_no_worker_left_to_answer",
        "tests/faults/test_cancelled_publication.py",
        "tests/store/test_moves.py::test_cancelling_twice_gives_the_same_answer",
        "tests/store/test_fence.py::test_publishing_against_a_cancel_is_all_or_nothing",
    ),
    switches=(
        Switch(
            mechanism="cancel asked for at the publication",
            module="jobs.fence",
            there="            if job.status is Status.CANCELLING:\n                return rows.move(connection, job, Status.CANCELLED, EventType.CANCELLED)\n            _insert_publication",
            instead="            _insert_publication",
            tests=("tests/faults/test_cancelled_publication.py",),
        ),
    ),
)
