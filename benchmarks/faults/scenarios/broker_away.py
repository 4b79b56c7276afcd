"""The broker: 5 dropped connections in 3 s, a restart, FLUSHALL with 100 jobs queued."""

from benchmarks.faults.scenario import Scenario, Switch

SCENARIO = Scenario(
    number=5,
    inject="the broker: 5 dropped connections in 3 s, a restart, FLUSHALL with 100 jobs queued",
    holds="claiming again within 60 s unaided; every job runs, none twice",
    tests=(
        "tests/faults/test_broker_away.py",
        "tests/faults/test_promise.py::test_lost_wake_up_messages_are_sent_again",
        "tests/store/test_outbox.py::test_a_broker_that_forgot_everything_is_told_again",
    ),
    switches=(
        Switch(
            mechanism="messages written again",
            module="jobs.reaping",
            there="            if lost <= 0:",
            instead="            if lost != 0 or lost <= 0:",
            tests=("tests/store/test_outbox.py::test_a_broker_that_forgot_everything_is_told_again",),
        ),
    ),
    minutes=4,
)
