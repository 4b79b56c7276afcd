"""SIGTERM (a deploy) in training."""

from benchmarks.faults.scenario import Scenario, Switch

SCENARIO = Scenario(
    number=10,
    inject="SIGTERM (a deploy) in training",
    holds="a checkpoint and the job handed back within 60 s; no failure counted; resumed",
    tests=("tests/faults/test_promise.py::test_a_deploy_costs_no_failure_and_no_work",),
    switches=(
        Switch(
            mechanism="handing back at a stop",
            module="worker.runner",
            there="        if self.runner.shutting_down.is_set():\n            if child",
            instead="        if not self.runner:\n            if child",
            tests=("tests/faults/test_promise.py::test_a_deploy_costs_no_failure_and_no_work",),
        ),
    ),
)
