"""Every route with another tenant's ids."""

from benchmarks.faults.scenario import Scenario, Switch

SCENARIO = Scenario(
    number=19,
    inject="every route with another tenant's ids",
    holds="404 of all",
    tests=(
        "tests/api/test_auth.py::test_another_tenants_ids_do_not_exist",
        "tests/store/test_create.py::test_another_tenants_job_does_not_exist",
        "tests/store/test_lists.py::test_another_tenants_generator_does_not_exist",
    ),
    switches=(
        Switch(
            mechanism="tenant scoping",
            module="jobs.store",
            there="    return (jobs.c.id == job_id,) if tenant is None else (jobs.c.id == job_id, jobs.c.tenant == tenant)",
            instead="    return (jobs.c.id == job_id,)",
            tests=("tests/api/test_auth.py::test_another_tenants_ids_do_not_exist",),
            quick=True,
        ),
    ),
)
