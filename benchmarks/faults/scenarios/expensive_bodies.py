"""20 of the most expensive bodies that the limits allow; clients that leave."""

from benchmarks.faults.scenario import Scenario, Switch

SCENARIO = Scenario(
    number=32,
    inject="20 of the most expensive bodies that the limits allow; clients that leave",
    holds="p99 of the other routes < 100 ms, /livez < 20 ms",
    tests=("tests/api/test_planning.py",),
    switches=(
        Switch(
            mechanism="planning off the event loop",
            module="api.submitting",
            there="await to_thread.run_sync(_planned, body, tenant, idempotency_key, use, limiter=CapacityLimiter(1))",
            instead="_planned(body, tenant, idempotency_key, use)",
            tests=("tests/api/test_planning.py::test_one_is_planned_at_a_time_while_all_else_is_answered",),
        ),
    ),
)
