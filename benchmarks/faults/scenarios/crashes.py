"""A job that always ends by SIGSEGV, one out of memory."""

from benchmarks.faults.scenario import Scenario, Switch

SCENARIO = Scenario(
    number=11,
    inject="a job that always ends by SIGSEGV, one out of memory",
    holds="failed after 3 attempts; after one more with half the micro-batch",
    tests=(
        "tests/faults/test_causes.py::test_an_end_without_a_word_tells_the_last_lines",
        "tests/faults/test_causes.py::test_a_kill_for_memory_is_named_as_one",
        "tests/faults/test_out_of_memory.py",
    ),
    switches=(
        Switch(
            mechanism="budget of failures",
            module="jobs.fence",
            there="if error.retryable and failures < max_failures:",
            instead="if error.retryable:",
            tests=("tests/faults/test_causes.py::test_an_end_without_a_word_tells_the_last_lines",),
        ),
    ),
    left="that other jobs go on beside it is not tried here",
)
