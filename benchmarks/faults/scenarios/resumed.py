"""A run that is interrupted and resumed, beside one that is not, of the same seed."""

from benchmarks.faults.scenario import Scenario, Switch

SCENARIO = Scenario(
    number=16,
    inject="a run that is interrupted and resumed, beside one that is not, of the same seed",
    holds="bit-equal on the CPU",
    tests=(
        "tests/learning/test_training.py::test_a_resumed_run_is_bit_equal_to_an_uninterrupted_one",
        "tests/unit/training/test_stopping.py::test_a_run_that_is_interrupted_anywhere_checks_and_ends_where_another_does",
    ),
    switches=(
        Switch(
            mechanism="random numbers in a checkpoint",
            module="sfd_core.training.checkpoint",
            there='    state.rng.set_state(load_file(folder / "rng.safetensors")["rng"])\n',
            instead="",
            tests=("tests/learning/test_training.py::test_a_resumed_run_is_bit_equal_to_an_uninterrupted_one",),
        ),
    ),
)
