"""50 creates at once with one Idempotency-Key; another body; another tenant."""

from benchmarks.faults.scenario import Scenario, Switch

SCENARIO = Scenario(
    number=8,
    inject="50 creates at once with one Idempotency-Key; another body; another tenant",
    holds="1 job; 422; two jobs",
    tests=(
        "tests/api/test_submit.py::test_fifty_at_once_with_one_key_are_one_job",
        "tests/api/test_submit.py::test_the_same_key_with_another_body_is_refused",
        "tests/api/test_auth.py::test_the_same_idempotency_key_of_two_tenants_is_two_jobs",
        "tests/store/test_create.py::test_fifty_creates_with_one_key_make_one_job",
    ),
    switches=(
        Switch(
            mechanism="idempotency",
            module="jobs.store",
            there="    return taken is not None",
            instead="    return taken is not None or True",
            tests=("tests/store/test_create.py::test_fifty_creates_with_one_key_make_one_job",),
            quick=True,
        ),
    ),
)
