"""FLUSHALL with 100 queued under a stream of new jobs."""

from benchmarks.faults.scenario import Scenario, Switch

SCENARIO = Scenario(
    number=34,
    inject="FLUSHALL with 100 queued under a stream of new jobs",
    holds="the oldest first, all claimable within 60 s",
    tests=(
        "tests/store/test_outbox.py::test_a_broker_that_forgot_everything_is_told_again_while_new_jobs_come",
        "tests/store/test_outbox.py::test_the_reaper_does_not_wait_for_an_empty_queue",
        "tests/store/test_outbox.py::test_what_was_not_lost_hides_nothing_for_long",
    ),
    switches=(
        Switch(
            mechanism="order of age",
            module="jobs.reaping",
            there=".order_by(jobs.c.woken_at, jobs.c.id)",
            instead=".order_by(jobs.c.woken_at.desc(), jobs.c.id.desc())",
            tests=(
                "tests/store/test_outbox.py::test_a_broker_that_forgot_everything_is_told_again_while_new_jobs_come",
                "tests/store/test_outbox.py::test_the_reaper_does_not_wait_for_an_empty_queue",
                "tests/store/test_outbox.py::test_what_was_not_lost_hides_nothing_for_long",
            ),
        ),
    ),
)
