"""A checkpoint's write killed, or the disk full, at 100 offsets; a flipped bit."""

from benchmarks.faults.scenario import Scenario, Switch

SCENARIO = Scenario(
    number=12,
    inject="a checkpoint's write killed, or the disk full, at 100 offsets; a flipped bit",
    holds="the last good one is loaded 100 of 100 times; every flip is found; nothing half-written stays",
    tests=(
        "tests/faults/test_cut_checkpoints.py",
        "tests/unit/training/test_checkpoint.py",
    ),
    switches=(
        Switch(
            mechanism="checkpoint manifest",
            module="sfd_core.training.checkpoint",
            there="            if file_sha256(folder / name) != stated:",
            instead="            if not stated:",
            tests=("tests/faults/test_cut_checkpoints.py::test_every_flipped_bit_is_found",),
            quick=True,
        ),
    ),
    minutes=2,
)
