"""SIGKILL of the whole worker at 50 random points."""

from benchmarks.faults.scenario import Scenario, Switch

SCENARIO = Scenario(
    number=2,
    inject="SIGKILL of the whole worker at 50 random points",
    holds="the same",
    tests=(
        "tests/faults/test_promise.py::test_the_whole_worker_is_killed",
        "tests/faults/test_random_kills.py::test_the_whole_worker_is_killed_at_random",
    ),
    switches=(
        Switch(
            mechanism="end with the runner",
            module="worker.training_process",
            there="    end_with_the_runner()\n",
            instead="    if not folder:\n        end_with_the_runner()\n",
            tests=("tests/faults/test_promise.py::test_the_whole_worker_is_killed",),
        ),
    ),
    minutes=30,
)
