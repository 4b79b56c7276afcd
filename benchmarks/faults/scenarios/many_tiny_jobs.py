"""1000 tiny jobs."""

from benchmarks.faults.scenario import Scenario, Switch

SCENARIO = Scenario(
    number=24,
    inject="1000 tiny jobs",
    holds="memory + < 5 %, as many file descriptors as before",
    tests=("tests/faults/test_many_tiny_jobs.py",),
    switches=(
        Switch(
            mechanism="pipes that are closed",
            module="processes.talking",
            there="            stream.close()",
            instead='            logging.__dict__.setdefault("left", []).append(stream)',
            tests=("tests/faults/test_many_tiny_jobs.py",),
        ),
    ),
    minutes=6,
)
