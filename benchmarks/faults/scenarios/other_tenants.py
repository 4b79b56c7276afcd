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
        # Of the two walls either holds alone: what queries say cannot be missed while Postgres looks too.
        Switch(
            mechanism="tenant scoping by row-level security",
            module="jobs.wall",
            there='return {} if tenant is None else {SETTING: tenant, "role": ROLE}',
            instead="return {}",
            tests=("tests/store/test_wall.py",),
            quick=True,
        ),
    ),
)
