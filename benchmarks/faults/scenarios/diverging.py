"""A loss that is NaN; a step that never ends."""

from benchmarks.faults.scenario import Scenario, Switch

SCENARIO = Scenario(
    number=14,
    inject="a loss that is NaN; a step that never ends",
    holds="training_diverged at that step, training_stalled; the process is gone",
    tests=(
        "tests/faults/test_diverging.py",
        "tests/faults/test_promise.py::test_a_diverging_job_fails_with_its_reason_and_is_not_tried_again",
        "tests/unit/training/test_step.py",
    ),
    switches=(
        Switch(
            mechanism="check of the loss",
            module="sfd_core.training.step",
            there="        if not torch.isfinite(torch.tensor(loss)):",
            instead="        if not who:",
            tests=("tests/unit/training/test_step.py",),
        ),
    ),
)
