"""SIGKILL of the training process at 50 random points."""

from benchmarks.faults.scenario import Scenario, Switch

SCENARIO = Scenario(
    number=1,
    inject="SIGKILL of the training process at 50 random points",
    holds="every job ends, one generator each, claimed again within 90 s; lost is one checkpoint interval at most",
    tests=(
        "tests/faults/test_promise.py::test_the_training_process_is_killed",
        "tests/faults/test_random_kills.py::test_the_training_process_is_killed_at_random",
    ),
    switches=(
        Switch(
            mechanism="checkpoints of earlier attempts",
            module="worker.runner",
            there="[str(path) for path in earlier if path.is_dir()]",
            instead="[]",
            tests=("tests/faults/test_promise.py::test_the_training_process_is_killed",),
        ),
    ),
    minutes=25,
)
