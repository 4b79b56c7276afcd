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
            mechanism="question whether a cancel was asked for",
            module="worker.runner",
            there="        if self.lease.cancel_requested():\n            if child",
            instead="        if self.lease.cancel_requested() and not self.runner:\n            if child",
            tests=("tests/faults/test_promise.py::test_cancel_in_training_stops_within_ten_seconds",),
        ),
    ),
)
