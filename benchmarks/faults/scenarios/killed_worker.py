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
            mechanism="search for leases that ran out",
            module="worker.reaper",
            there="self.store.expire_leases(max_failures=self.settings.max_failures)",
            instead="()",
            tests=("tests/faults/test_promise.py::test_the_whole_worker_is_killed",),
        ),
    ),
    minutes=30,
)
