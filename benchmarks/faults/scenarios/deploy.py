"""SIGTERM (a deploy) in training."""

from benchmarks.faults.scenario import Scenario, Switch

SCENARIO = Scenario(
    number=10,
    inject="SIGTERM (a deploy) in training",
    holds="a checkpoint and the job handed back within 60 s; no failure counted; resumed",
    tests=("tests/faults/test_promise.py::test_a_deploy_costs_no_failure_and_no_work",),
    switches=(
        Switch(
            mechanism="SIGTERM that asks for a checkpoint",
            module="worker.training_process",
            there="lambda number, frame: stop.set()",
            instead="lambda number, frame: sys.exit(1)",
            tests=("tests/faults/test_promise.py::test_a_deploy_costs_no_failure_and_no_work",),
        ),
    ),
)
