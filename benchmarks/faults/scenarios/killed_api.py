"""The api killed between commit and send, and before its commit, 100 times each."""

from benchmarks.faults.scenario import Scenario, Switch

SCENARIO = Scenario(
    number=6,
    inject="the api killed between commit and send, and before its commit, 100 times each",
    holds="100 dispatched within 30 s; 0 dispatched of those that were rolled back",
    tests=(
        "tests/faults/test_killed_api.py",
        "tests/store/test_outbox.py::test_a_crash_between_send_and_commit_sends_again",
    ),
    switches=(
        Switch(
            mechanism="outbox",
            module="jobs.store",
            there="            rows.wake_up(connection, job_id)\n",
            instead="",
            tests=("tests/faults/test_killed_api.py",),
            quick=True,
        ),
    ),
)
