"""A broken model folder beside good ones, at the start and while it runs; then mended."""

from benchmarks.faults.scenario import Scenario, Switch

SCENARIO = Scenario(
    number=30,
    inject="a broken model folder beside good ones, at the start and while it runs; then mended",
    holds="the others served throughout; the mended one seen without a restart",
    tests=(
        "tests/api/test_refused_models.py",
        "tests/store/test_base_models.py",
    ),
    switches=(
        Switch(
            mechanism="folders that are looked at again",
            module="jobs.base_models",
            there="            if (now := self._now()) != self._stamp:",
            instead="            if (now := self._stamp) != self._stamp:",
            tests=("tests/store/test_base_models.py",),
        ),
    ),
)
