"""A commit that fails."""

from benchmarks.faults.scenario import Scenario, Switch

SCENARIO = Scenario(
    number=7,
    inject="a commit that fails",
    holds="no client saw 2xx, and nothing is there",
    tests=(
        "tests/store/test_create.py::test_a_commit_that_fails_leaves_nothing_and_says_so",
        "tests/api/test_failed_commit.py",
    ),
    switches=(
        Switch(
            mechanism="commit before the answer",
            module="jobs.store",
            there='        job_id, hook_id = new_id("job"), new_id("hook")\n        with self._of(new.tenant).begin()',
            instead='        job_id, hook_id = new_id("job"), new_id("hook")\n        with __import__("contextlib").suppress(ConnectionError), self._of(new.tenant).begin()',
            tests=("tests/api/test_failed_commit.py",),
        ),
    ),
)
