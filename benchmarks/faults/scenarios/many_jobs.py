"""200 000 jobs, half of them failed."""

from benchmarks.faults.scenario import Scenario, Switch

SCENARIO = Scenario(
    number=23,
    inject="200 000 jobs, half of them failed",
    holds="list p95 < 200 ms, with one filter or two < 100 ms, dashboard p95 < 1 s, a claim < 250 ms",
    tests=(
        "tests/api/test_many_jobs.py",
        "tests/store/test_lists.py::test_a_list_reads_no_more_than_its_page",
    ),
    switches=(
        Switch(
            mechanism="pages",
            module="jobs.store",
            there=".limit(check_limit(limit) + 1)",
            instead=".limit(check_limit(limit) * 100)",
            tests=("tests/api/test_many_jobs.py",),
        ),
    ),
    minutes=6,
)
